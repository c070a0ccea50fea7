"""Rules about the ways between nodes, one by one."""

from collections.abc import Iterator

from orchestrator.definition.draft import Draft
from orchestrator.definition.graph import Link
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import Issue
from orchestrator.node_types import NODE_TYPES

__all__ = ["edges_are_allowed", "edges_are_unique", "edges_lead_somewhere", "nothing_stands_alone"]


def edges_lead_somewhere(draft: Draft) -> Iterator[Issue]:
    """DEF031."""
    for link in draft.links:
        ends = [] if link.exclusive or link.kind != "normal" else [("from", link.source)]
        for field, name in [*ends, ("to", link.target)]:
            if name not in draft.known_ids:
                whole = link.kind != "normal" or link.path[-1] == "otherwise"
                path = link.path if whole else (*link.path, field)
                hint = did_you_mean(name, sorted(draft.known_ids))
                yield draft.issue("DEF031", path, f"There is no node `{name}`", hint)


def edges_are_unique(draft: Draft) -> Iterator[Issue]:
    """DEF032."""
    seen: set[tuple[str, str, str | None]] = set()
    for link in draft.links:
        if link.exclusive or link.kind != "normal":
            continue
        key = (link.source, link.target, link.when)
        if key in seen:
            yield draft.issue("DEF032", link.path, f"The edge from `{link.source}` to `{link.target}` stands twice")
        seen.add(key)


def edges_are_allowed(draft: Draft) -> Iterator[Issue]:
    """DEF033 and DEF038."""
    for link in draft.links:
        if link.kind != "normal":
            continue
        if link.source == link.target and link.max_visits is None:
            yield draft.issue("DEF033", link.path, f"`{link.source}` leads to itself without an end", _bound(link))
        node = draft.nodes.get(link.source)
        kind = NODE_TYPES.get(node.type) if node else None
        if not link.exclusive and kind is not None and kind.ways is not None:
            message = f"`{link.source}` is a `{kind.name}`: its ways out are its routes"
            yield draft.issue("DEF038", link.path, message, "Remove the edge, or make it a route.")


def _bound(link: Link) -> str:
    return f"Give the {'route' if link.exclusive else 'edge'} a `max_visits`."


def nothing_stands_alone(draft: Draft) -> Iterator[Issue]:
    """DEF039: in a graph that has ways, a node without any was forgotten."""
    if not draft.sound or not draft.links:
        return
    joined = {name for link in draft.links for name in (link.source, link.target)}
    for index, node in enumerate(draft.definition.nodes):
        if node.id not in joined and node.id not in draft.roles:
            message = f"Nothing leads to `{node.id}`, and it leads nowhere"
            yield draft.issue("DEF039", draft.node_path(index), message, "Add an edge, or remove the node.")
