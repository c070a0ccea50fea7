"""Rules about templates and expressions: they can be read, have the right type, and refer to what is there by then."""

from collections.abc import Iterator
from typing import Final

from orchestrator.contracts import RunContext
from orchestrator.definition.draft import Draft
from orchestrator.definition.inputs import always_there
from orchestrator.definition.references import Place, Read, places, read
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import ExpressionError, ExpressionSyntaxError, Issue, TemplateError
from orchestrator.graph.expressions import parser, references
from orchestrator.graph.values import format_path
from orchestrator.node_types import NODE_TYPES

__all__ = ["texts_are_sound"]

_ROOTS: Final = ("inputs", "nodes", "state", "context", "run", "output")
_RUN_FIELDS: Final = ("id", "definition", "version")
_CONDITIONS: Final = ("when", "where", "until")
_GUARD_CEL: Final = "Guard it: `has({0}) && …`."
_GUARD_TEMPLATE: Final = "Guard it: `{{{{ {1} if {0} is defined else '' }}}}`."


def texts_are_sound(draft: Draft) -> Iterator[Issue]:
    """DEF050 to DEF056."""
    for place in places(draft):
        try:
            reads = read(place)
        except TemplateError as error:
            yield draft.issue("DEF050", place.path, f"This template cannot be read: {error.message}")
            continue
        except ExpressionError as error:
            at = f" (at {error.line}:{error.column} in it)" if isinstance(error, ExpressionSyntaxError) else ""
            yield draft.issue("DEF051", place.path, f"This expression cannot be read: {error.message}{at}")
            continue
        if place.cel:
            yield from _types(draft, place)
        yield from _references(draft, place, reads)


def _types(draft: Draft, place: Place) -> Iterator[Issue]:
    ast = parser.parse(place.text)
    for problem in references.check(ast):
        yield draft.issue("DEF052", place.path, f"This expression cannot work: {problem}")
    found = references.result_type(ast)
    if place.path[-1] in _CONDITIONS and found not in ("bool", None):
        message = f"A condition must be true or false; this one is always of type {found}"
        yield draft.issue("DEF052", place.path, message)


def _references(draft: Draft, place: Place, reads: tuple[Read, ...]) -> Iterator[Issue]:
    seen: set[tuple[str, str]] = set()
    for found in reads:
        for issue in _reference(draft, place, found):
            if (issue.code, issue.message) not in seen:
                seen.add((issue.code, issue.message))
                yield issue


def _reference(draft: Draft, place: Place, found: Read) -> Iterator[Issue]:
    root = str(found.path[0])
    if place.names is not None:
        if root not in place.names:
            hint = f"It sees only {', '.join(f'`{name}`' for name in place.names)}; hand data in through `input`."
            yield draft.issue("DEF053", place.path, f"There is no `{root}` in this expression", hint)
        return
    if root not in _ROOTS:
        hint = did_you_mean(root, _ROOTS) or f"A reference begins with one of {', '.join(_ROOTS)}."
        yield draft.issue("DEF053", place.path, f"There is no `{root}` to refer to", hint)
    elif root == "nodes":
        yield from _node_reference(draft, place, found)
    elif root == "output":
        yield from _output_reference(draft, place, found)
    else:
        yield from _named_reference(draft, place, found, root)


def _named_reference(draft: Draft, place: Place, found: Read, root: str) -> Iterator[Issue]:
    names = {
        "inputs": draft.definition.inputs,
        "state": draft.definition.state,
        "context": RunContext.model_fields,
        "run": _RUN_FIELDS,
    }[root]
    if len(found.path) == 1 or root in draft.lost:
        return
    name = str(found.path[1])
    if name not in names:
        what = {"inputs": "input", "state": "channel", "context": "field of the context", "run": "field of the run"}
        yield draft.issue("DEF053", place.path, f"There is no {what[root]} `{name}`", did_you_mean(name, names))
    elif root == "inputs" and not found.guarded and not always_there(draft.definition.inputs[name]):
        message = f"The input `{name}` may be left out, and has no default"
        yield draft.issue("DEF055", place.path, message, _guard(place, f"inputs.{name}", found))


def _is_route(place: Place) -> bool:
    """Whether the node's own output is decided by this very condition, and so not there when it is read."""
    return place.role == "way" and place.path[0] == "nodes"


def _output_reference(draft: Draft, place: Place, found: Read) -> Iterator[Issue]:
    if _is_route(place):
        message = "`output` is not there yet: the routes decide what it is"
        yield draft.issue("DEF053", place.path, message, "Refer to the node before: `nodes.<id>`.")
    elif place.role not in ("write", "way"):
        message = "`output` is there only in a node's own `write`, and in the conditions of its edges"
        yield draft.issue("DEF053", place.path, message, "Write `nodes.<id>` instead.")
    elif place.node is not None and len(found.path) > 1:
        yield from _field(draft, place, draft.definition.nodes[place.node].id, str(found.path[1]), "output")


def _node_reference(draft: Draft, place: Place, found: Read) -> Iterator[Issue]:
    if len(found.path) == 1:
        yield draft.issue("DEF053", place.path, "`nodes` must be followed by the id of a node", "Write `nodes.<id>`.")
        return
    name = str(found.path[1])
    if name not in draft.known_ids:
        hint = did_you_mean(name, sorted(draft.known_ids))
        yield draft.issue("DEF053", place.path, f"There is no node `{name}`", hint)
        return
    if name not in draft.nodes:
        return
    if len(found.path) > 2:  # noqa: PLR2004 - nodes.<id>.<field>
        yield from _field(draft, place, name, str(found.path[2]), f"nodes.{name}")
    if draft.sound and draft.flow.acyclic:
        yield from _timing(draft, place, found, name)


def _field(draft: Draft, place: Place, name: str, field: str, shown: str) -> Iterator[Issue]:
    kind = NODE_TYPES.get(draft.nodes[name].type)
    if kind is None or kind.outputs is None or field in (*kind.outputs, "visits"):
        return
    hint = did_you_mean(field, kind.outputs)
    yield draft.issue("DEF054", place.path, f"`{shown}` is a `{kind.name}` and has no field `{field}`", hint)


def _timing(draft: Draft, place: Place, found: Read, name: str) -> Iterator[Issue]:
    flow, number = draft.flow, draft.flow.numbers[name]
    if place.node == number and place.role == "write":
        yield draft.issue("DEF056", place.path, f"`{name}` refers to itself", "Write `output` instead.")
        return
    own = place.role == "config" or _is_route(place)
    if place.node == number and own and not any(loop.body >> number & 1 for loop in flow.loops):
        yield draft.issue("DEF056", place.path, f"`{name}` refers to its own output, which is not there yet")
        return
    certain, when = _certain(draft, place)
    if not found.guarded and not certain >> number & 1:
        message = f"`{name}` has not always finished {when}: it may have been skipped, or come later"
        yield draft.issue("DEF055", place.path, message, _guard(place, f"nodes.{name}", found))


def _certain(draft: Draft, place: Place) -> tuple[int, str]:
    """The mask of the nodes that have certainly finished when a place is read, and when that is, in words."""
    if place.node is None:
        return draft.certainty.at_the_end, "when the run ends"
    before, name = draft.certainty.before[place.node], draft.flow.ids[place.node]
    if place.role == "way" and not _is_route(place):
        return before | 1 << place.node, f"when `{name}` has finished"
    # What a node writes is worked out once it has finished, from what was there when it started.
    return before, f"before `{name}` starts"


def _guard(place: Place, name: str, found: Read) -> str:
    return (_GUARD_CEL if place.cel else _GUARD_TEMPLATE).format(name, format_path(found.path))
