"""References to other nodes: that they have such a field, and that it is there by then."""

from collections.abc import Iterator
from typing import Any, Final, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.references import Place, Read
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import Issue
from orchestrator.graph.values import format_path
from orchestrator.node_types import NODE_TYPES

__all__ = ["guard", "is_route", "node_reference", "undone_by", "unknown_field"]

_GUARD_CEL: Final = "Guard it: `has({0}) && …`."
_GUARD_BOTH: Final = "Guard it: `{{% if nodes.{0} is defined and nodes.{0}.{1} is defined %}}…{{% endif %}}`."
_GUARD_TEMPLATE: Final = "Guard it: `{{{{ {1} if {0} is defined else '' }}}}`."
_ONLY_WITH: Final = {"error": "on_error", "expired": "on_expiry"}


def node_reference(draft: Draft, place: Place, found: Read) -> Iterator[Issue]:
    """DEF053 to DEF056, for a reference that begins with ``nodes``."""
    if len(found.path) == 1:
        yield draft.issue("DEF053", place.path, "`nodes` must be followed by the id of a node", "Write `nodes.<id>`.")
        return
    name = str(found.path[1])
    if name not in draft.known_ids:
        hint = did_you_mean(name, sorted(draft.known_ids))
        if draft.depth:
            hint = f"A graph sees only its own nodes: hand data in through `inputs`. {hint or ''}".rstrip()
        yield draft.issue("DEF053", place.path, f"There is no node `{name}`", hint)
        return
    if name not in draft.nodes:
        return
    field = str(found.path[2]) if len(found.path) > 2 else None  # noqa: PLR2004 - nodes.<id>.<field>
    unknown = [] if field is None else list(unknown_field(draft, place, name, field, f"nodes.{name}"))
    yield from unknown
    if draft.sound and draft.flow.acyclic:
        yield from _timing(draft, place, found, name, None if unknown else field)


def unknown_field(draft: Draft, place: Place, name: str, field: str, shown: str) -> Iterator[Issue]:
    """DEF054, for a field of the output of the node ``name``."""
    node = draft.nodes[name]
    kind = NODE_TYPES.get(node.type)
    # What is called `output` is there only when the node has finished well.
    well = not shown.startswith("nodes.")
    fields = _fields(draft, name, well=well)
    if kind is None or fields is None or field in (*fields, "visits"):
        return
    with_ = None if well else _ONLY_WITH.get(field)
    hint = f"That needs `{with_}` on `{name}`." if with_ else did_you_mean(field, fields)
    yield draft.issue("DEF054", place.path, f"`{shown}` is a `{kind.name}` and has no field `{field}`", hint)


def _fields(draft: Draft, name: str, *, well: bool) -> tuple[str, ...] | None:
    """The fields that the output of a node may have; none where nobody knows."""
    node = draft.nodes[name]
    kind = NODE_TYPES.get(node.type)
    given: tuple[str, ...] | None = kind.outputs if kind else None
    do = node.config.get("do")
    if kind is not None and kind.has_body and given is None and isinstance(do, dict):
        outputs = cast("dict[str, Any]", do).get("outputs", {})
        given = tuple(cast("dict[str, Any]", outputs)) if isinstance(outputs, dict) else None
    if given is None or well:
        return given
    ends = {link.kind for link in draft.links if link.source == name}
    return (*given, *(("error",) if "error" in ends else ()), *(("expired", "at") if "expiry" in ends else ()))


def _timing(draft: Draft, place: Place, found: Read, name: str, field: str | None) -> Iterator[Issue]:
    flow, number = draft.flow, draft.flow.numbers[name]
    if place.node == number and place.role == "write":
        yield draft.issue("DEF056", place.path, f"`{name}` refers to itself", "Write `output` instead.")
        return
    own = place.role == "config" or is_route(place)
    if place.node == number and own and not any(loop.body >> number & 1 for loop in flow.loops):
        yield draft.issue("DEF056", place.path, f"`{name}` refers to its own output, which is not there yet")
        return
    certain, when = _certain(draft, place)
    having = None if field is None else draft.outcomes.having(name, field)
    may_lack = having is not None and not any(certain >> end & 1 for end in having)
    ended = bool(certain >> number & 1)
    if ended and not may_lack:
        return
    if not ended and may_lack and not place.cel:
        hint = _GUARD_BOTH.format(name, field)
    else:
        hint = guard(place, f"nodes.{name}.{field}" if may_lack else f"nodes.{name}", found)
    if not ended and not found.guarded:
        message = f"`{name}` has not always finished {when}: it may have been skipped, or come later"
        yield draft.issue("DEF055", place.path, message, hint)
    elif field is not None and may_lack and not found.asked:
        yield draft.issue("DEF055", place.path, f"`{name}` has no `{field}` {_missing_when(draft, name, field)}", hint)


def _missing_when(draft: Draft, name: str, field: str) -> str:
    if field in _ONLY_WITH:
        return f"unless it ended by `{_ONLY_WITH[field]}`"
    ends = ("error",) if field == "at" else ("error", "expiry")
    return "when it ended by " + " or ".join(f"`on_{end}`" for end in ends if end in draft.outcomes.ways(name))


def _certain(draft: Draft, place: Place) -> tuple[int, str]:
    """The mask of what has certainly happened when a place is read, and when that is, in words."""
    if place.node is None:
        return draft.certainty.at_the_end, "when the run ends"
    before, name = draft.certainty.before[place.node], draft.flow.ids[place.node]
    role = draft.roles.get(name)
    if role == "finally":
        return 0, "when the run is over"
    if role == "compensate":
        return _before_undoing(draft, place.node), f"when what `{name}` undoes has finished"
    if place.role == "way" and not is_route(place):
        return before | draft.outcomes.ended(name, "normal"), f"when `{name}` has finished"
    # What a node writes is worked out once it has finished, from what was there when it started.
    return before, f"before `{name}` starts"


def _before_undoing(draft: Draft, number: int) -> int:
    certain = -1
    for undone in undone_by(draft, number):
        certain &= draft.certainty.before[undone] | draft.outcomes.ended(draft.flow.ids[undone], "normal")
    return certain


def undone_by(draft: Draft, number: int | None) -> list[int]:
    """The numbers of the nodes that a node undoes."""
    if number is None:
        return []
    name = draft.definition.nodes[number].id
    return [other for other, node in enumerate(draft.definition.nodes) if node.compensate == name]


def is_route(place: Place) -> bool:
    """Whether the node's own output is decided by this very condition, and so not there when it is read."""
    return place.role == "way" and place.path[0] == "nodes"


def guard(place: Place, name: str, found: Read) -> str:
    """The hint that shows how to ask whether ``name`` is there before it is read."""
    return (_GUARD_CEL if place.cel else _GUARD_TEMPLATE).format(name, format_path(found.path))
