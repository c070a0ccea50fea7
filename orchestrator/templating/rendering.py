"""Renders one checked template into text, within bounds of work and size."""

import threading
from collections.abc import Mapping, Sequence
from typing import Any, cast

import minijinja

from orchestrator.errors import TemplateError
from orchestrator.graph.values import MISSING, format_path, lookup
from orchestrator.templating.analysis import Analysis, analyse, shorten
from orchestrator.templating.filters import filters
from orchestrator.templating.meter import MAX_WORK, Meter, to_text

__all__ = ["MAX_OUTPUT_CHARS", "render_text"]

MAX_OUTPUT_CHARS = 1_000_000
"""The longest text that a template, and all templates of one value together, may give, in characters."""
_MAX_FUEL = 200_000
_MIN_FUEL = 500
_LITERAL_BOUND = 64 * MAX_OUTPUT_CHARS
_MAX_REASON = 200

_HARMFUL_FILTERS = ("batch", "chain", "format", "groupby", "pprint", "reject", "select", "slice", "zip")
_HARMFUL_GLOBALS = ("debug", "dict", "namespace")


class _Renderer:
    """A MiniJinja environment whose filters and output count on one meter. For one thread."""

    def __init__(self) -> None:
        self._meter = Meter()
        self._room = 0
        self._environment = minijinja.Environment(
            undefined_behavior="strict", pycompat=False, keep_trailing_newline=True, finalizer=self._emit
        )
        for name in _HARMFUL_FILTERS:
            self._environment.remove_filter(name)
        for name in _HARMFUL_GLOBALS:
            self._environment.remove_global(name)
        named, range_ = filters(self._meter)
        for name, function in named.items():
            self._environment.add_filter(name, function)
        self._environment.add_global("range", range_)

    def render(self, text: str, values: Mapping[str, Any], fuel: int, room: int) -> str:
        self._meter.left = MAX_WORK
        self._room = room
        self._environment.fuel = fuel
        return self._environment.render_str(text, None, **values)

    def _emit(self, value: Any) -> str:
        text = to_text(value)
        self._room -= len(text)
        _check_room(self._room)
        return text


class _Renderers(threading.local):
    renderer: _Renderer | None = None


_renderers = _Renderers()


def render_text(text: str, values: Mapping[str, Any], room: int = MAX_OUTPUT_CHARS) -> str:
    """The template ``text`` filled in from ``values``; text even when it is one exact reference.

    ``room`` is how many characters it may give.

    Raises:
        TemplateError: A reference is undefined, or the template is malformed or asks for too much.
    """
    analysis = analyse(text)
    renderer = _renderers.renderer
    if renderer is None:
        renderer = _renderers.renderer = _Renderer()
    try:
        rendered = renderer.render(text, values, _fuel(analysis, values), room)
        _check_room(room - len(rendered))
    except TemplateError as error:
        raise TemplateError(f"{error.message}, in the template {shorten(text)!r}", details=error.details) from error
    except minijinja.TemplateError as error:
        raise _explained(error, text, values, analysis) from error
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError) as error:
        reason = str(error)[:_MAX_REASON] or type(error).__name__
        raise TemplateError(f"a filter failed ({reason}), in the template {shorten(text)!r}") from error
    return rendered


def _check_room(left: int) -> None:
    if left < 0:
        raise TemplateError(
            f"a template, or all of them together, give more than {MAX_OUTPUT_CHARS} characters of text"
        )


def _fuel(analysis: Analysis, values: Mapping[str, Any]) -> int:
    """How many steps the template may take, so that steps times the most that one step can cost is bounded."""
    fuel = min(_MAX_FUEL, _LITERAL_BOUND // max(analysis.loop_text, 1))
    if analysis.scans:
        fuel = min(fuel, max(_MIN_FUEL, MAX_WORK // _weight(values)))
    return fuel


def _weight(values: Any) -> int:
    """Roughly what going through ``values`` once costs, in list items."""
    total, pending = 1, [values]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            total += len(value) // 64
        elif isinstance(value, Mapping):
            total += len(cast("Mapping[str, Any]", value))
            pending.extend(cast("Mapping[str, Any]", value).values())
        elif isinstance(value, Sequence):
            total += len(cast("Sequence[Any]", value))
            pending.extend(cast("Sequence[Any]", value))
    return total


def _explained(
    error: minijinja.TemplateError, text: str, values: Mapping[str, Any], analysis: Analysis
) -> TemplateError:
    if error.kind == "OutOfFuel":
        return TemplateError(f"a template takes too many steps, in the template {shorten(text)!r}")
    if error.kind == "UndefinedError":
        missing = [item.path for item in analysis.info.references if lookup(item.path, values) is MISSING]
        if missing:
            name = format_path(missing[0])
            return TemplateError(f"{name} is undefined, in the template {shorten(text)!r}", details={"reference": name})
    reason = error.detail or error.kind
    return TemplateError(f"{reason} (line {error.line or 1}), in the template {shorten(text)!r}")
