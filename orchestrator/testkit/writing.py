"""Writes a file of cases from what is known of a real run."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import yaml
from pydantic_core import to_jsonable_python

from orchestrator.contracts import (
    ErrorInfo,
    LimitsRequest,
    Message,
    ResolveRequest,
    ResumeRequest,
    RunContext,
    RunStatus,
    Usage,
    visit_label,
)
from orchestrator.graph.plan import Plan
from orchestrator.testkit.durations import spelled
from orchestrator.testkit.labels import Label, find_node

__all__ = ["Happened", "Pause", "RecordedRun", "RecordedVisit", "Stop", "case_of"]

_HEADER = "# yaml-language-server: $schema={schema}\n"
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_WORDS = frozenset({"true", "false", "null", "y", "n", "yes", "no", "on", "off"})
"""What YAML 1.1 or 1.2 takes for no text, whatever the case."""


@dataclass(frozen=True, slots=True)
class RecordedVisit:
    """A visit that ended: with an output, or for good with an error. ``after`` is how long it took, in seconds."""

    label: str
    output: Mapping[str, Any] | None = None
    error: ErrorInfo | None = None
    usage: Usage | None = None
    after: float = 0.0
    cut: bool = False
    """It never ended: it was cut short, or is still under way."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody paused the run."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody cancelled the run."""


Happened = Message | ResumeRequest | ResolveRequest | Pause | Stop


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedRun:
    """What a case needs to know of a run.

    ``messages`` have the seconds since its start, none for as soon as it is wanted; ``children`` has the plans of the
    runs that it started, by the place of the node that did. ``path`` is none where not all of it is known.
    """

    definition: str
    name: str
    inputs: Mapping[str, Any]
    plan: Plan
    children: Mapping[str, Plan] = field(default_factory=dict[str, Plan])
    visits: Sequence[RecordedVisit] = ()
    messages: Sequence[tuple[float | None, Happened]] = ()
    context: RunContext = field(default_factory=RunContext)
    limits: LimitsRequest = field(default_factory=LimitsRequest)
    status: RunStatus
    path: Sequence[str] | None
    outputs: Mapping[str, Any] = field(default_factory=dict[str, Any])
    error: ErrorInfo | None = None
    cost_usd: float | None = None


def case_of(run: RecordedRun, *, schema: str = "../../docs/cases.schema.json") -> str:
    """The text of a file with one case, which expects just what ``run`` did.

    Every visit that reaches outside is mocked with what it gave. Pure nodes are not: the case performs them.

    Args:
        run: The run.
        schema: Where editors find the schema, seen from the file.
    """
    case: dict[str, Any] = {"name": run.name, "inputs": dict(run.inputs)}
    if context := run.context.model_dump(mode="json", exclude_defaults=True):
        case["context"] = context
    if limits := run.limits.model_dump(mode="json", exclude_defaults=True):
        case["limits"] = limits
    if mocks := dict(_mocks(run)):
        case["mocks"] = mocks
    if run.messages:
        case["messages"] = [_step(at, happened) for at, happened in run.messages]
    case["expect"] = _expect(run)
    document = {"definition": run.definition, "cases": [case]}
    text: str = yaml.dump(to_jsonable_python(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return _HEADER.format(schema=schema) + text


def _mocks(run: RecordedRun) -> Iterator[tuple[str, dict[str, Any]]]:
    for visit in run.visits:
        node = find_node(run.plan, Label.read(visit.label), run.children).node
        if node is None or node.tier != "work":
            continue
        if visit.error is not None:
            # How often it was tried does not matter any more: here it fails at once.
            failure = {"code": visit.error.code, "message": visit.error.message, "retryable": False}
            yield visit.label, {"error": failure} | _after(run, visit)
            continue
        mock: dict[str, Any] = {"output": dict(visit.output or {})} | _after(run, visit)
        if visit.usage is not None:
            used = {"input_tokens": visit.usage.input_tokens, "output_tokens": visit.usage.output_tokens}
            mock |= {name: count for name, count in used.items() if count}
            mock |= {} if visit.usage.cost_usd is None else {"cost_usd": visit.usage.cost_usd}
        yield visit.label, mock


def _after(run: RecordedRun, visit: RecordedVisit) -> dict[str, str]:
    """How long a mock takes; it matters only where something comes in at its time."""
    return {"after": spelled(visit.after, exact=True)} if run.messages and round(visit.after, 3) > 0 else {}


def _step(at: float | None, happened: Happened) -> dict[str, Any]:
    step: dict[str, Any] = {"at": spelled(at, exact=True)} if at is not None and round(at, 3) > 0 else {}
    match happened:
        case Message():
            return step | happened.model_dump(mode="json", exclude_defaults=True)
        case ResolveRequest():
            found = happened.model_dump(mode="json", exclude_defaults=True)
            node = {"node": found.pop("node")} if "node" in found else {}
            return step | node | {"resolve": found}
        case ResumeRequest():
            return step | {"signal": "resume"} | ({"variables": happened.variables} if happened.variables else {})
        case Pause():
            return step | {"signal": "pause"}
        case Stop():
            return step | {"cancel": True}


def _expect(run: RecordedRun) -> dict[str, Any]:
    expect: dict[str, Any] = {"status": run.status}
    if run.path is not None:
        expect["path"] = list(run.path)
    if run.outputs:
        expect["outputs"] = dict(run.outputs)
    if run.error is not None:
        node = visit_label(run.error.node, run.error.visit)
        expect["error"] = {"code": run.error.code} | ({"node": node} if node else {})
    if run.cost_usd is not None:
        expect["cost_usd"] = run.cost_usd
    return expect


class _Dumper(yaml.SafeDumper):
    """Writes text so that YAML 1.1 and 1.2 read it as text."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - PyYAML's signature
        """Write equal values out each time."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    plain = _PLAIN.fullmatch(text) is not None and text.lower() not in _WORDS
    represent: Callable[..., yaml.ScalarNode] = getattr(dumper, "represent_scalar")  # noqa: B009 - its stub has holes
    return represent("tag:yaml.org,2002:str", text, style=None if plain else '"')


def _mapping(dumper: yaml.SafeDumper, value: dict[str, Any]) -> yaml.MappingNode:
    return dumper.represent_mapping("tag:yaml.org,2002:map", cast("Iterable[Any]", value.items()), flow_style=False)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(dict, _mapping)
