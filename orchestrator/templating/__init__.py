"""Templates: what a text with ``{{ … }}`` refers to, and filling it in. Never used by workflow code.

A string that is exactly one plain reference keeps the type of what it refers to. Any other template gives text, in
which lists, maps, truth values and null appear as JSON. What was filled in is never read as a template again.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from orchestrator.errors import TemplateError
from orchestrator.graph.plan import Path, Template
from orchestrator.graph.values import MISSING, format_path, lookup, parse_reference, prune
from orchestrator.templating.analysis import (
    MAX_TEMPLATE_CHARS,
    TemplateInfo,
    TemplateReference,
    inspect_template,
    is_template,
    shorten,
)
from orchestrator.templating.rendering import MAX_OUTPUT_CHARS, render_text

__all__ = [
    "MAX_OUTPUT_CHARS",
    "MAX_TEMPLATE_CHARS",
    "TemplateInfo",
    "TemplateReference",
    "collect",
    "inspect_template",
    "is_template",
    "render_value",
]


def collect(value: Any) -> Template:
    """``value``, any JSON value, with what its strings refer to.

    Raises:
        TemplateError: A string in it is not a template this project can use.
    """
    reads: list[Path] = []
    exact = _collect(value, reads)
    return Template(value=value, reads=prune(reads), exact=exact)


def _collect(value: Any, reads: list[Path]) -> bool:
    if isinstance(value, str):
        if not is_template(value):
            return True
        info = inspect_template(value)
        reads.extend(reference.path for reference in info.references)
        return info.exact
    if isinstance(value, Mapping):
        items = cast("Mapping[str, Any]", value).values()
    elif isinstance(value, (list, tuple)):
        items = cast("Sequence[Any]", value)
    else:
        return True
    exact = [_collect(item, reads) for item in items]  # every item is visited, whatever the first ones are
    return all(exact)


def render_value(value: Any, values: Mapping[str, Any]) -> Any:
    """``value`` with every template in its strings filled in from ``values``; keys of mappings stay as they are.

    Raises:
        TemplateError: A reference is undefined, a template is malformed or asks for too much, or all of them together
            give too much text.
    """
    return _Filling(values).fill(value)


class _Filling:
    """Fills in one value, whose templates share the room there is for text."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values
        self._room = MAX_OUTPUT_CHARS

    def fill(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._text(value) if is_template(value) else value
        if isinstance(value, Mapping):
            return {key: self.fill(item) for key, item in cast("Mapping[str, Any]", value).items()}
        if isinstance(value, (list, tuple)):
            return [self.fill(item) for item in cast("Sequence[Any]", value)]
        return value

    def _text(self, text: str) -> Any:
        path = parse_reference(text)
        if path is None:
            rendered = render_text(text, self._values, self._room)
            self._room -= len(rendered)
            return rendered
        found = lookup(path, self._values)
        if found is MISSING:
            name = format_path(path)
            raise TemplateError(f"{name} is undefined, in the template {shorten(text)!r}", details={"reference": name})
        return found
