"""Rules about templates and expressions: they can be read, have the right type, and refer to what is there by then."""

from collections.abc import Iterator
from typing import Final

from orchestrator.contracts import RunContext
from orchestrator.definition.draft import Draft
from orchestrator.definition.references import Place, Read, places, read
from orchestrator.definition.rules.timing import guard, is_route, node_reference, undone_by, unknown_field
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import ExpressionError, ExpressionSyntaxError, Issue, TemplateError
from orchestrator.graph.expressions import parser, references
from orchestrator.graph.inputs import always_there
from orchestrator.templating import is_template

__all__ = ["texts_are_sound"]

_ROOTS: Final = ("inputs", "nodes", "state", "context", "run", "output")
_ITEM_ROOTS: Final = ("item", "index")
_ITEM: Final = (
    "`item` and `index` are there only in the `inputs` and in the `do` of a `ForEach`, not in a graph within it."
)
_RUN_FIELDS: Final = ("id", "definition", "version")
_END_FIELDS: Final = ("status", "error")
_TYPES: Final = {"when": "bool", "where": "bool", "items": "list"}
_WANTED: Final = {"bool": "A condition must be true or false", "list": "`items` must be a list"}


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
            hint = "An expression has no `{{ }}`: write `inputs.list`, not `{{ inputs.list }}`."
            hint = hint if is_template(place.text) else None
            yield draft.issue("DEF051", place.path, f"This expression cannot be read: {error.message}{at}", hint)
            continue
        if place.cel:
            yield from _types(draft, place)
        yield from _references(draft, place, reads)


def _types(draft: Draft, place: Place) -> Iterator[Issue]:
    ast = parser.parse(place.text)
    for problem in references.check(ast):
        yield draft.issue("DEF052", place.path, f"This expression cannot work: {problem}")
    found, wanted = references.result_type(ast), _TYPES.get(str(place.path[-1]))
    if wanted is not None and found not in (wanted, None):
        message = f"{_WANTED[wanted]}; this is always of type {found}"
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
    more = (*draft.roots, *place.roots)
    if place.names is not None:
        if root not in place.names:
            hint = f"It sees only {', '.join(f'`{name}`' for name in place.names)}; hand data in through `input`."
            yield draft.issue("DEF053", place.path, f"There is no `{root}` in this expression", hint)
        return
    if root in more:
        return
    if root not in _ROOTS:
        known = (*_ROOTS, *more)
        hint = _ITEM if root in _ITEM_ROOTS else did_you_mean(root, known)
        hint = hint or f"A reference begins with one of {', '.join(known)}."
        yield draft.issue("DEF053", place.path, f"There is no `{root}` to refer to", hint)
    elif root == "nodes":
        yield from node_reference(draft, place, found)
    elif root == "output":
        yield from _output_reference(draft, place, found)
    else:
        yield from _named_reference(draft, place, found, root)


def _named_reference(draft: Draft, place: Place, found: Read, root: str) -> Iterator[Issue]:
    names = {
        "inputs": draft.definition.inputs,
        "state": draft.definition.state,
        "context": RunContext.model_fields,
        "run": (*_RUN_FIELDS, *(_END_FIELDS if _closes(draft, place) else ())),
    }[root]
    if len(found.path) == 1 or root in draft.lost:
        return
    name = str(found.path[1])
    if name not in names:
        what = {"inputs": "input", "state": "channel", "context": "field of the context", "run": "field of the run"}
        hint = did_you_mean(name, names)
        if root == "run" and name in _END_FIELDS:
            hint = f"`run.{name}` is there only in the nodes of `finally`."
        elif root == "inputs" and draft.depth:
            hint = f"Hand it in: `inputs: {{{name}: …}}` of the node around. {hint or ''}".rstrip()
        yield draft.issue("DEF053", place.path, f"There is no {what[root]} `{name}`", hint)
    elif root == "inputs" and not found.guarded and not always_there(draft.definition.inputs[name]):
        message = f"The input `{name}` may be left out, and has no default"
        yield draft.issue("DEF055", place.path, message, guard(place, f"inputs.{name}", found))


def _closes(draft: Draft, place: Place) -> bool:
    return place.node is not None and draft.roles.get(draft.definition.nodes[place.node].id) == "finally"


def _output_reference(draft: Draft, place: Place, found: Read) -> Iterator[Issue]:
    undone = undone_by(draft, place.node) if place.role == "config" else []
    if is_route(place):
        message = "`output` is not there yet: the routes decide what it is"
        yield draft.issue("DEF053", place.path, message, "Refer to the node before: `nodes.<id>`.")
    elif place.role not in ("write", "way") and not undone:
        message = "`output` is there only in a node's own `write`, and in the conditions of its edges"
        yield draft.issue("DEF053", place.path, message, "Write `nodes.<id>` instead.")
    elif place.node is not None and len(found.path) > 1:
        for number in undone or [place.node]:
            name = draft.definition.nodes[number].id
            shown = f"output` of `{name}" if undone else "output"
            yield from unknown_field(draft, place, name, str(found.path[1]), shown)
