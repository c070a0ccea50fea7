"""Random definitions, and runs of them that stop somewhere: what can be played again, and moved."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import assume
from hypothesis import strategies as st

from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError
from orchestrator.graph.happenings import Happening, VisitCancelled, VisitEnded
from orchestrator.graph.index import Graph
from orchestrator.graph.marking import Marking, NodeStatus
from orchestrator.graph.rehearsal import Rehearsal
from orchestrator.graph.scope import Scope

__all__ = ["Played", "Sketch", "changed", "go_on", "graph_of", "play", "played_again", "sketches", "standing"]

MOST_VISITS = 60


@dataclass(frozen=True)
class Sketch:
    """A definition as it is drawn: nodes by name, and ways between them."""

    nodes: Mapping[str, Mapping[str, Any]]
    ways: tuple[tuple[str, str, str | None], ...]
    """Source, target, and the name of the answer that the way depends on."""
    backs: tuple[tuple[str, str, str, int], ...] = ()

    def graph(self, version: str = "1.0.0") -> Graph:
        """The definition, compiled; hypothesis draws another one where there is none."""
        edges: list[dict[str, Any]] = [
            {"from": source, "to": target, **({} if when is None else {"when": f"output.data.{when}"})}
            for source, target, when in self.ways
        ]
        edges += [
            {"from": source, "to": target, "when": f"output.data.{when}", "max_visits": most}
            for source, target, when, most in self.backs
        ]
        try:
            return graph_of(self.nodes, edges, version)
        except DefinitionError:
            assume(False)  # noqa: FBT003 - hypothesis' own idiom
            raise


def graph_of(
    nodes: Mapping[str, Mapping[str, Any]], edges: list[dict[str, Any]], version: str = "1.0.0", **rest: Any
) -> Graph:
    """A graph of ``DataInput`` nodes, unless they say otherwise."""
    written: list[dict[str, Any]] = [
        {"id": name, "type": "DataInput", "config": {"data": {}}, **more} for name, more in nodes.items()
    ]
    definition: dict[str, Any] = {"name": "played", "version": version, "nodes": written, "edges": edges, **rest}
    return Graph(compile_definition(load_mapping(definition)))


@st.composite
def sketches(draw: st.DrawFn) -> Sketch:
    """Up to seven nodes with conditions, joins and bounded loops."""
    count = draw(st.integers(2, 7))
    names = [f"n{index}" for index in range(count)]
    nodes: dict[str, dict[str, Any]] = {name: {"join": draw(st.sampled_from(("all", "all", "any")))} for name in names}
    for node in nodes.values():
        if node["join"] == "any" and draw(st.booleans()):
            node["cancel_others"] = True
    pairs = [(i, j) for j in range(1, count) for i in range(j)]
    chosen = draw(st.lists(st.sampled_from(pairs), min_size=count - 1, max_size=2 * count, unique=True))
    ways = tuple((names[i], names[j], f"w{i}_{j}" if draw(st.booleans()) else None) for i, j in chosen)
    back = draw(st.lists(st.sampled_from(pairs + [(i, i) for i in range(count)]), max_size=2, unique=True))
    backs = tuple((names[j], names[i], f"b{j}_{i}", draw(st.integers(2, 3))) for i, j in back)
    return Sketch(nodes, ways, backs)


@st.composite
def changed(draw: st.DrawFn, old: Sketch) -> Sketch:
    """Another version: a node, or ways, more or less."""
    nodes, ways, backs = dict(old.nodes), list(old.ways), list(old.backs)
    for _ in range(draw(st.integers(1, 3))):
        names = list(nodes)
        match draw(st.sampled_from(("node", "between", "way", "less", "none", "join", "back", "unback"))):
            case "node":
                nodes[name := f"new{len(nodes)}"] = {}
                ways.append((draw(st.sampled_from(names)), name, draw(st.sampled_from((None, f"w{name}")))))
            case "between" if ways:
                source, target, when = ways.pop(draw(st.integers(0, len(ways) - 1)))
                nodes[name := f"new{len(nodes)}"] = {}
                ways += [(source, name, when), (name, target, None)]
            case "way":
                ways.append((draw(st.sampled_from(names)), draw(st.sampled_from(names)), None))
            case "less" if ways:
                ways.pop(draw(st.integers(0, len(ways) - 1)))
            case "none" if len(names) > 1:
                name = draw(st.sampled_from(names))
                del nodes[name]
                ways = [way for way in ways if name not in way[:2]]
                backs = [way for way in backs if name not in way[:2]]
            case "join":
                name = draw(st.sampled_from(names))
                nodes[name] = {"join": draw(st.sampled_from(("all", "any")))}
            case "back":
                backs.append((draw(st.sampled_from(names)), draw(st.sampled_from(names)), f"b{len(backs)}x", 3))
            case "unback" if backs:
                backs.pop(draw(st.integers(0, len(backs) - 1)))
            case _:
                pass
    return Sketch(nodes, tuple(ways), tuple(backs))


@dataclass
class Played:
    """A run that stopped somewhere, and what happened in it."""

    scope: Scope
    happenings: list[Happening] = field(default_factory=list[Happening])

    def dump(self) -> dict[str, Any]:
        """Where it stands, what was under way being ready to begin again."""
        dumped = self.scope.dump()
        marking = Marking.restore(dumped["marking"])
        for number, _ in dumped["running"]:
            marking.node[number] = NodeStatus.READY
            marking.visits[number] -= 1
            marking.running -= 1
            marking.steps -= 1
            marking.ready.append(number)
        return {**dumped, "marking": marking.dump(), "running": []}


def play(graph: Graph, data: st.DataObject, *, asked: Graph | None = None) -> Played:
    """Run ``graph`` for a while; the outputs answer what the ways of ``asked`` ask too."""
    scope = Scope(graph, {}, {"run": {}, "context": {}})
    scope.begin()
    steps = data.draw(st.integers(0, MOST_VISITS), label="steps")
    return go_on(scope, data, graph if asked is None else asked, steps)


def go_on(scope: Scope, data: st.DataObject, asked: Graph, steps: int = MOST_VISITS) -> Played:
    """Run a scope that has begun for so many visits; the outputs answer what the ways of ``asked`` ask too."""
    played, graph = Played(scope), scope.graph
    words = _words(graph) | _words(asked)
    for _ in range(steps):
        for number in tuple(scope.marking.ready):
            scope.start(number)
        if not scope.running:
            break
        number = data.draw(st.sampled_from(sorted(scope.running)), label="ends")
        visit = scope.running[number].visit
        answers = {word: data.draw(st.booleans(), label=word) for word in sorted(words)}
        under_way = {other: running.visit for other, running in scope.running.items()}
        output, effects = scope.complete(number, {"data": answers}, {})
        name = scope.graph.nodes[number].plan.id
        played.happenings.append(VisitEnded("", name, visit, "normal", output, {}))
        for other in effects.cancelled:
            if other in under_way:
                cancelled = scope.graph.nodes[other].plan.id
                played.happenings.append(VisitCancelled("", cancelled, under_way[other]))
    return played


def _words(graph: Graph) -> set[str]:
    return {edge.when.text.removeprefix("output.data.") for edge in graph.plan.edges if edge.when is not None}


def played_again(graph: Graph, happenings: list[Happening]) -> tuple[Rehearsal, list[str]]:
    """What happened, played on a graph; and what had no place there."""
    rehearsal = Rehearsal(graph, {}, {"run": {}, "context": {}}, {})
    misfits = [misfit for happening in happenings if (misfit := rehearsal.play(happening)) is not None]
    return rehearsal, [f"{misfit.path}#{misfit.visit}: {misfit.reason}" for misfit in misfits]


def standing(graph: Graph, dumped: Mapping[str, Any]) -> dict[str, Any]:
    """Where a scope stands, by names, whatever the order of the ready ones."""
    marking = Marking.restore(dict(dumped["marking"]))
    nodes = {
        node.plan.id: (
            NodeStatus(marking.node[node.index]).name,
            marking.visits[node.index],
            marking.unresolved[node.index],
            marking.taken[node.index],
        )
        for node in graph.nodes
    }
    ready = sorted(graph.nodes[number].plan.id for number in marking.ready)
    return {
        "nodes": nodes,
        "ready": ready,
        "edges": list(marking.edge),
        "turns": list(marking.turns),
        "wanted": [sorted(wanted) for wanted in marking.wanted],
        "steps": marking.steps,
        "running": marking.running,
    }
