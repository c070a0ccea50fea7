"""What the validator calls certain is so in every run: random graphs, run by the real scheduler."""

import random
from typing import Any

import pytest

from orchestrator.compiler import compile_definition
from orchestrator.definition.draft import Draft
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.model import Definition
from orchestrator.errors import DefinitionError
from orchestrator.graph.index import Edge, Graph
from orchestrator.graph.marking import Marking, NodeStatus
from orchestrator.graph.plan import EdgeKind
from orchestrator.graph.scheduler import Scheduler


def edges_from(number: int, names: list[str], chance: random.Random) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for target in names[number + 1 :]:
        if chance.random() < 0.35:
            condition = {"when": "true"} if chance.random() < 0.4 else {}
            found.append({"from": names[number], "to": target, **condition})
    if chance.random() < 0.15:
        found.append({"from": names[number], "to": chance.choice(names[: number + 1]), "max_visits": 2, "when": "true"})
    return found


def router(number: int, names: list[str], chance: random.Random) -> dict[str, Any]:
    routes: list[dict[str, Any]] = [{"when": "true", "to": chance.choice(names[number + 1 :])}]
    if chance.random() < 0.4:
        routes.insert(0, {"when": "true", "to": chance.choice(names[: number + 1]), "max_visits": 2})
    return {"routes": routes, "otherwise": chance.choice(names[number + 1 :])}


def approval(number: int, names: list[str], chance: random.Random) -> dict[str, Any]:
    later = names[number + 1 :]
    config: dict[str, Any] = {"question": "?"}
    if chance.random() < 0.7:
        config["on_reject"] = chance.choice(later)
    if chance.random() < 0.5:
        config.update(expires="1h", on_expiry=chance.choice(later))
    return config


def random_definition(chance: random.Random) -> Definition | None:
    names = [f"n{number}" for number in range(chance.randint(3, 9))]
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for number, name in enumerate(names):
        if 0 < number < len(names) - 2 and chance.random() < 0.25:
            nodes.append({"id": name, "type": "Router", "config": router(number, names, chance)})
        elif number < len(names) - 1 and chance.random() < 0.2:
            nodes.append({"id": name, "type": "Approval", "config": approval(number, names, chance)})
            edges.extend(edges_from(number, names, chance))
        else:
            nodes.append({"id": name, "type": "Format", "config": {"template": "x"}})
            edges.extend(edges_from(number, names, chance))
        if number < len(names) - 1 and chance.random() < 0.2:
            nodes[-1]["on_error"] = chance.choice(names[number + 1 :])
        if chance.random() < 0.3:
            nodes[-1].update(join="any", cancel_others=chance.random() < 0.5)
    aside: dict[str, Any] = {}
    if chance.random() < 0.2:
        nodes.insert(0, {"id": "end", "type": "Format", "config": {"template": "x"}})
        aside["finally"] = ["end"]
    try:
        return load_mapping({"name": "random", "nodes": nodes, "edges": edges, **aside})
    except DefinitionError:
        return None


def check_run(definition: Definition, chance: random.Random) -> None:
    draft, plan = Draft.of(definition), compile_definition(definition)
    graph, finished = Graph(plan), 0
    numbers = [draft.flow.numbers[node.id] for node in plan.nodes]

    def holds(edge: Edge) -> bool:
        return plan.edges[edge.index].when is None or chance.random() < 0.5

    marking = Marking.initial(graph)
    scheduler = Scheduler(graph, marking, holds)
    scheduler.begin()
    while not scheduler.over:
        for number in list(marking.ready):
            scheduler.start(number)
            assert draft.certainty.before[numbers[number]] & ~finished == 0, plan.nodes[number].id
        running = [number for number, status in enumerate(marking.node) if status == NodeStatus.RUNNING]
        done = chance.choice(running)
        ends: list[EdgeKind] = ["normal", *sorted(graph.nodes[done].kinds - {"normal"})]
        kind = chance.choice(ends)
        scheduler.complete(done, kind)
        finished |= draft.outcomes.ended(plan.nodes[done].id, kind)
    assert draft.certainty.at_the_end & ~finished == 0


@pytest.mark.parametrize("seed", range(200))
def test_what_is_certain_has_finished_whatever_the_order_and_the_conditions(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same graphs every time
    definition = random_definition(chance)
    while definition is None:
        definition = random_definition(chance)

    for _ in range(5):
        check_run(definition, chance)
