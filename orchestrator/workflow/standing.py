"""Everything about a run at once, in a reply that the server can carry."""

from typing import Any

from pydantic_core import to_json

from orchestrator.contracts import NodeState, RunResult, RunState
from orchestrator.graph.marking import NodeStatus
from orchestrator.graph.plan import NodeId
from orchestrator.workflow.engine import Engine

__all__ = ["state_of"]

_MOST_BYTES = 1_900_000


def state_of(engine: Engine, result: RunResult) -> RunState:
    """Where each node stands, inputs and shared state; ``omitted`` names what had no room, the largest values."""
    plan, data = engine.graph.plan, engine.data
    outputs = dict(data.nodes)
    room = _MOST_BYTES - len(to_json(result))
    kept: dict[str, Any] = {}
    omitted: list[str] = []
    values = {"inputs": dict(data.inputs), "state": dict(data.channels.values)}
    values |= {f"nodes.{name}": output for name, output in outputs.items()}
    for size, name in sorted((len(to_json(value)), name) for name, value in values.items()):
        room -= size
        if room >= 0:
            kept[name] = values[name]
        else:
            omitted.append(name)
    nodes = {
        NodeId(node.plan.id): NodeState(
            status=NodeStatus(engine.marking.node[node.index]).name.lower(),
            visits=engine.marking.visits[node.index],
            output=kept.get(f"nodes.{node.plan.id}"),
        )
        for node in engine.graph.nodes
    }
    return RunState(
        status=result.status,
        definition=f"{plan.name}@{plan.version}",
        inputs=kept.get("inputs", {}),
        nodes=nodes,
        state=kept.get("state", {}),
        omitted=tuple(omitted),
        result=result,
    )
