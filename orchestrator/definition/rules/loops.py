"""Rules about loops. They make sense only where every way leads somewhere."""

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from itertools import combinations

from orchestrator.definition.draft import Draft
from orchestrator.definition.graph import Flow, bits
from orchestrator.errors import Issue

__all__ = ["back_edges_close_loops", "cycles_have_bounds", "joins_in_loops_are_clear", "loops_nest"]


def cycles_have_bounds(draft: Draft) -> Iterator[Issue]:
    """DEF034."""
    if not draft.sound or draft.flow.acyclic:
        return
    flow = draft.flow
    cycle = flow.cycle()
    if len(cycle) == 1 or any(flow.links[index].kind != "normal" for index in cycle):
        return  # DEF033 and DEF041 say it better
    names = [flow.ids[flow.ends[index][0]] for index in cycle]
    start = min(range(len(cycle)), key=lambda at: flow.ends[cycle[at]][0])
    ring = [*names[start:], *names[:start], names[start]]
    last = flow.links[cycle[start - 1]]
    shown = " -> ".join(ring if len(ring) <= 12 else [*ring[:6], "…", *ring[-5:]])  # noqa: PLR2004 - one line
    hint = f"Give the way from `{last.source}` to `{last.target}` a `max_visits`."
    yield draft.issue("DEF034", last.path, f"A cycle without a bound: {shown}", hint)


def back_edges_close_loops(draft: Draft) -> Iterator[Issue]:
    """DEF035."""
    if not draft.sound or not draft.flow.acyclic:
        return
    for index, link in enumerate(draft.flow.links):
        if link.max_visits is not None and not draft.flow.closes_loop(index):
            message = f"`{link.target}` does not lead back to `{link.source}`, so `max_visits` bounds nothing"
            yield draft.issue("DEF035", (*link.path, "max_visits"), message, "Remove it.", key=True)


def loops_nest(draft: Draft) -> Iterator[Issue]:
    """DEF036."""
    if not draft.sound or not draft.flow.acyclic:
        return
    flow = draft.flow
    for one, other in combinations(flow.loops, 2):
        common = one.body & other.body
        if common and common not in (one.body, other.body):
            heads = f"`{flow.ids[one.head]}` and `{flow.ids[other.head]}`"
            message = f"The loops that begin at {heads} overlap, and neither holds the other"
            yield draft.issue("DEF036", flow.links[other.back[0]].path, message, "Nest them, or take them apart.")

    for heads in _entangled(flow):
        named = " and ".join(f"`{flow.ids[head]}`" for head in heads)
        message = f"The loops that begin at {named} wait for each other: ways lead from each into the other's body"
        back = next(loop.back[0] for loop in flow.loops if loop.head == heads[-1])
        yield draft.issue("DEF036", flow.links[back].path, message, "Let one of them end before the other begins.")


def _entangled(flow: Flow) -> Iterator[tuple[int, ...]]:
    """Heads of loops beside each other each of which can only end after the other: with bodies as nodes, a cycle."""
    everything = (1 << len(flow.ids)) - 1
    for scope in (everything, *(loop.body for loop in flow.loops)):
        inside = [loop for loop in flow.loops if loop.body != scope and loop.body & scope == loop.body]
        owner = {number: number for number in bits(scope)}
        for loop in reversed(inside):  # outer loops come first, and so have the last word
            owner.update((number, -1 - loop.head) for number in bits(loop.body))
        ways: dict[int, set[int]] = {}
        for index, (source, target) in enumerate(flow.ends):
            forward = flow.links[index].max_visits is None and source in owner and target in owner
            if forward and owner[source] != owner[target]:
                ways.setdefault(owner[target], set()).add(owner[source])
        try:
            TopologicalSorter(ways).prepare()
        except CycleError as error:
            found: list[int] = error.args[1]
            yield tuple(sorted({-1 - number for number in found if number < 0}))


def joins_in_loops_are_clear(draft: Draft) -> Iterator[Issue]:
    """DEF037."""
    if not draft.sound or not draft.flow.acyclic:
        return
    flow = draft.flow
    for number, node in enumerate(draft.definition.nodes):
        if node.join != "any":
            continue
        sources = [flow.ends[index][0] for index in flow.ins[number]]
        for loop in flow.loops:
            inside = [source for source in sources if loop.body >> source & 1]
            in_body = loop.body >> number & 1 and loop.head != number
            if in_body and inside and len(inside) < len(sources):
                message = (
                    f"`{node.id}` is in the loop that begins at `{flow.ids[loop.head]}`, and is fed from inside and "
                    "outside of it: with `join: any` it would not be clear when it starts"
                )
                hint = "Use `join: all`, or lead the outer way to the loop's head."
                yield draft.issue("DEF037", (*draft.node_path(number), "join"), message, hint)
                break
