"""What of a run's data is known before it begins, and what templates and expressions make of that."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, cast

from orchestrator.errors import ExpressionError, NodeError, TemplateError
from orchestrator.graph.expressions import Program
from orchestrator.graph.expressions.references import references
from orchestrator.graph.fan import items_of
from orchestrator.graph.inputs import filled_inputs
from orchestrator.graph.plan import Path, Plan, PlanNode, Template
from orchestrator.templating import inspect_template, is_template, render_value

__all__ = ["NOTHING", "Known", "Unknown", "fill", "given_to", "is_whole", "items_known", "of_inputs"]

_FILLED_IN: Final = re.compile(r"\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Unknown:
    """Stands for a text that only the run can tell; ``fixed`` bytes of it are there whatever is filled in."""

    fixed: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """The data of a scope as far as it is known.

    Attributes:
        inputs: Those inputs whose values are known.
        whole: There are no others.
        about: ``item`` and ``index``, in the body of a ForEach.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    whole: bool = False
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def roots(self) -> dict[str, Any]:
        """What templates and expressions may name."""
        return {"inputs": self.inputs, **self.about}

    def covers(self, paths: Iterable[Path]) -> bool:
        """Whether everything at ``paths`` is known."""
        return all(self._has(path) for path in paths)

    def _has(self, path: Path) -> bool:
        if path[0] != "inputs":
            return path[0] in self.about
        return self.whole or (len(path) > 1 and path[1] in self.inputs)


NOTHING: Final = Known()
"""Where nothing is known."""


def of_inputs(plan: Plan, given: Mapping[str, Any]) -> Known:
    """The inputs of a run: those given, and the defaults of others. One that is needed and not given is not known.

    Raises:
        InputError: Some are no inputs of it, or do not fit.
    """
    missing = {
        name
        for name, spec in plan.inputs.items()
        if name not in given and "default" not in spec and spec.get("required") is not False
    }
    declared = {name: spec for name, spec in plan.inputs.items() if name not in missing}
    return Known(filled_inputs(declared, given, plan.name), whole=not missing)


def given_to(body: Plan, template: Template, known: Known) -> Known:
    """What is known in a body, or in a child run, that is given the inputs ``template``; without its ``item``."""
    written: Mapping[str, Any] = template.value
    filled = {name: fill(value, known) for name, value in written.items()}
    found = {name: value for name, value in filled.items() if is_whole(value)}
    defaults = {name: spec["default"] for name, spec in body.inputs.items() if "default" in spec}
    defaults = {name: value for name, value in defaults.items() if name not in written}
    return Known({**defaults, **found}, whole=len(found) == len(written))


def fill(value: Any, known: Known) -> Any:
    """``value`` with its templates filled in; an ``Unknown`` stands for each text that cannot be known yet."""
    if isinstance(value, str):
        return _text(value, known) if is_template(value) else value
    if isinstance(value, Mapping):
        return {key: fill(item, known) for key, item in cast("Mapping[str, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [fill(item, known) for item in cast("Sequence[Any]", value)]
    return value


def _text(text: str, known: Known) -> Any:
    if known.covers(reference.path for reference in inspect_template(text).references):
        try:
            return render_value(text, known.roots)
        except TemplateError:
            return Unknown()  # the visit fails, and nothing is asked
    if "{%" in text:
        return Unknown()
    return Unknown(sum(len(part.strip().encode()) for part in _FILLED_IN.split(text)))


def is_whole(value: Any) -> bool:
    """Whether nothing in ``value`` is unknown."""
    if isinstance(value, Mapping):
        return all(is_whole(item) for item in cast("Mapping[str, Any]", value).values())
    if isinstance(value, list):
        return all(is_whole(item) for item in cast("list[Any]", value))
    return not isinstance(value, Unknown)


def items_known(node: PlanNode, known: Known) -> list[Any] | None:
    """The items of a ForEach, some of which may not be known; none where not even their number is."""
    expression = node.expressions.get("items")
    try:
        if expression is None:
            listed = fill(node.config.value.get("items"), known)
            return None if isinstance(listed, Unknown) else items_of(node, listed)
        if not known.covers(found.path for found in references(expression.ast)):
            return None
        return items_of(node, Program(expression.ast).evaluate(known.roots))
    except (ExpressionError, NodeError):
        return None  # the visit fails, and no body is run
