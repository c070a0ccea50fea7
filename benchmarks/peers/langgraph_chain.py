"""A chain of nodes in LangGraph with its PostgreSQL checkpointer: ``python -m benchmarks.peers.langgraph_chain``."""

import asyncio
import sys
import uuid
from importlib.metadata import version
from typing import Any, TypedDict

from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.graph import END, START, StateGraph  # pyright: ignore[reportMissingTypeStubs]

from benchmarks.peers.protocol import answers, serve, step

__all__ = ["main"]


class _State(TypedDict):
    value: dict[str, int]


async def _node(state: _State) -> _State:
    return {"value": step(state["value"])}


def _chain(nodes: int, saver: AsyncPostgresSaver) -> Any:
    graph: Any = StateGraph(_State)
    names = [f"n{number:03}" for number in range(nodes)]
    for name in names:
        graph.add_node(name, _node)
    for source, target in zip([START, *names], [*names, END], strict=True):
        graph.add_edge(source, target)
    return graph.compile(checkpointer=saver)


async def main(url: str, nodes: int) -> None:
    """Run chains on the database at ``url``, each in a thread of its own."""
    told = answers()
    async with AsyncPostgresSaver.from_conn_string(url) as saver:
        await saver.setup()
        graph = _chain(nodes, saver)

        async def run() -> dict[str, int]:
            config = {"configurable": {"thread_id": uuid.uuid4().hex}, "recursion_limit": nodes + 10}
            # Each step is in the database before the next one begins: what is written later could be lost.
            state = await graph.ainvoke({"value": {"n": 1}}, config, durability="sync")
            return state["value"]

        await serve(told, run, f"LangGraph {version('langgraph')}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
