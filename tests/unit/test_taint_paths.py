"""Random graphs: untrusted text is refused exactly where a way without an approval leads from it to the action."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError

Edges = dict[int, list[int]]


@dataclass(frozen=True)
class Drawn:
    """A graph from node 0, which asks a person, to the last node, which sends a mail.

    ``reads``: for each node, which earlier ones its text is made of. ``approvals``: which nodes between are approvals;
    what these read they show.
    """

    edges: Edges
    reads: dict[int, list[int]]
    approvals: frozenset[int]
    size: int


@st.composite
def graphs(draw: st.DrawFn) -> Drawn:
    size = draw(st.integers(2, 7))
    edges: Edges = {}
    for number in range(1, size):
        # Mostly a chain, so that an approval stands in the way of everything now and then.
        for source in draw(st.sets(st.integers(0, number - 1), max_size=1)) | {number - 1}:
            edges.setdefault(source, []).append(number)
    reads = {
        number: sorted(draw(st.sets(st.integers(0, number - 1), max_size=2, min_size=int(number == size - 1))))
        for number in range(1, size)
    }
    between = st.sets(st.integers(1, size - 2), max_size=3) if size > 2 else st.just(set[int]())
    return Drawn(edges, reads, frozenset(draw(between)), size)


def definition(drawn: Drawn) -> dict[str, Any]:
    last = drawn.size - 1

    def text(number: int) -> str:
        parts = [f"nodes.n{source}.{_field(drawn, source)}" for source in drawn.reads[number]]
        return "a" + "".join(f"{{{{ {part} if {part.rsplit('.', 1)[0]} is defined else '' }}}}" for part in parts)

    nodes: list[dict[str, Any]] = [{"id": "n0", "type": "UserInput", "config": {"question": "?"}}]
    for number in range(1, drawn.size):
        if number == last:
            kind, config = "SendEmail", {"to": text(number), "subject": "x", "text": "x"}
        elif number in drawn.approvals:
            kind, config = "Approval", {"question": "?", "proposal": text(number)}
        else:
            kind, config = "Format", {"template": text(number)}
        nodes.append({"id": f"n{number}", "type": kind, "config": config, "join": "any"})
    edges = [
        {"from": f"n{source}", "to": f"n{target}", "when": "run.id != ''"}
        for source, targets in drawn.edges.items()
        for target in targets
    ]
    return {"name": "test", "nodes": nodes, "edges": edges}


def _field(drawn: Drawn, number: int) -> str:
    return "value" if number in drawn.approvals else "text"


def made_of_answers(drawn: Drawn) -> set[int]:
    """The nodes whose text has the person's answer in it."""
    found = {0}
    for number in range(1, drawn.size):
        if found.intersection(drawn.reads[number]):
            found.add(number)
    return found


def ways(drawn: Drawn, number: int) -> Iterator[list[int]]:
    """Every way through the graph from a node to the last one."""
    if number == drawn.size - 1:
        yield [number]
    for target in drawn.edges.get(number, []):
        for way in ways(drawn, target):
            yield [number, *way]


def dangerous(drawn: Drawn) -> bool:
    untrusted = made_of_answers(drawn)
    showing = {number for number in drawn.approvals if untrusted.intersection(drawn.reads[number])}
    return drawn.size - 1 in untrusted and any(not showing.intersection(way) for way in ways(drawn, 0))


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_a_graph_is_refused_exactly_where_a_way_past_the_approvals_leads_to_the_action(drawn: Drawn) -> None:
    try:
        load_mapping(definition(drawn))
    except DefinitionError as error:
        codes = {issue.code for issue in error.issues}
    else:
        codes = set[str]()

    assert codes == ({"DEF081"} if dangerous(drawn) else set())
