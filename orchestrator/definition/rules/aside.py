"""Rules about failing, undoing and cleaning up: ways aside, and nodes that run aside."""

from collections.abc import Iterator
from typing import Final

from orchestrator.definition.draft import Draft
from orchestrator.definition.graph import Link
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path
from orchestrator.node_types import NODE_TYPES

__all__ = [
    "aside_nodes_are_simple",
    "aside_nodes_exist",
    "aside_nodes_have_no_ways",
    "nodes_run_aside_once",
    "ways_aside_lead_on",
]

_MEANINGLESS: Final = ("join", "cancel_others", "write", "on_error", "on_failure", "compensate")


def aside_nodes_exist(draft: Draft) -> Iterator[Issue]:
    """DEF031, for `finally` and `compensate`."""
    for path, name in _named(draft):
        if name not in draft.known_ids:
            hint = did_you_mean(name, sorted(draft.known_ids))
            yield draft.issue("DEF031", path, f"There is no node `{name}`", hint)


def _named(draft: Draft) -> Iterator[tuple[Path, str]]:
    for index, node in enumerate(draft.definition.nodes):
        if node.compensate is not None:
            yield (*draft.node_path(index), "compensate"), node.compensate
    for index, name in enumerate(draft.definition.finally_):
        yield ("finally", index), name


def ways_aside_lead_on(draft: Draft) -> Iterator[Issue]:
    """DEF041."""
    for link in draft.links:
        if link.kind != "normal" and link.source == link.target:
            message = f"`{link.path[-1]}` of `{link.source}` leads to `{link.source}` itself"
            yield draft.issue("DEF041", link.path, message, "`retry` tries it again; lead this way to another node.")
    if not draft.sound or draft.flow.acyclic:
        return
    links = [draft.flow.links[index] for index in draft.flow.cycle()]
    link = next((link for link in links if link.kind != "normal"), None)
    if link is not None and link.source != link.target:
        message = f"`{link.path[-1]}` of `{link.source}` leads back: `{link.target}` leads to `{link.source}` again"
        hint = "Lead it to a node that comes later, and let an edge with `max_visits` lead back from there."
        yield draft.issue("DEF041", link.path, message, hint)


def aside_nodes_have_no_ways(draft: Draft) -> Iterator[Issue]:
    """DEF042."""
    for link in draft.links:
        for name in dict.fromkeys(link.ends):
            role = draft.roles.get(name)
            if role is not None and not _own_field(link, name):
                message = f"`{name}` runs aside ({_spelled(role)}): no way leads to it or from it"
                yield draft.issue("DEF042", link.path, message, "Remove the way, or use another node.")
    if draft.definition.nodes and all(node.id in draft.roles for node in draft.definition.nodes):
        message = "Every node runs aside, so there is nothing to run"
        yield draft.issue(
            "DEF042", ("nodes",), message, "Add a node that stands neither in `finally` nor in `compensate`."
        )


def _own_field(link: Link, name: str) -> bool:
    """Whether the way is a field of the node that ``aside_nodes_are_simple`` refuses as a whole."""
    return link.kind == "error" and link.source == name


def nodes_run_aside_once(draft: Draft) -> Iterator[Issue]:
    """DEF043."""
    seen: set[str] = set()
    for path, name in _named(draft):
        if path[0] == "finally":
            if name in seen:
                yield draft.issue("DEF043", path, f"`{name}` stands twice in `finally`")
            seen.add(name)
    undoing = {node.compensate for node in draft.definition.nodes}
    for index, name in enumerate(draft.definition.finally_):
        if name in undoing and name in draft.nodes:
            message = f"`{name}` stands in `finally`, and undoes another node: it can do only one of the two"
            yield draft.issue("DEF043", ("finally", index), message, "Use two nodes.")


def aside_nodes_are_simple(draft: Draft) -> Iterator[Issue]:
    """DEF044."""
    for index, node in enumerate(draft.definition.nodes):
        role, kind = draft.roles.get(node.id), NODE_TYPES.get(node.type)
        if role is None:
            continue
        path = draft.node_path(index)
        if kind is not None and kind.tier == "control":
            message = f"`{node.id}` is a `{node.type}`, which cannot run aside ({_spelled(role)})"
            hint = "Only nodes that an activity performs can: `HttpRequest`, `Transform`, `Format` and so on."
            yield draft.issue("DEF044", (*path, "type"), message, hint)
        for name in _MEANINGLESS:
            if name in node.model_fields_set:
                message = f"`{name}` means nothing on `{node.id}`, which runs aside ({_spelled(role)})"
                yield draft.issue("DEF044", (*path, name), message, "Leave it out.", key=True)


def _spelled(role: str) -> str:
    return "it stands in `finally`" if role == "finally" else "it undoes another node"
