"""Records the histories of new scenarios: ``python -m tests.histories.record NAME …``.

A history in ``bound.sha256`` is bound: from the tag 0.1.0 on it is never recorded again, and a change that does not
replay it needs ``workflow.patched``. Before that tag its line may be taken out, with the reason in the commit.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

from temporalio.client import WorkflowHistory

from orchestrator.contracts import Message, ResolveRequest
from orchestrator.devserver import DevServer
from orchestrator.graph.plan import NodeId
from orchestrator.leave import leave
from orchestrator.settings import load_settings
from tests.histories import replay
from tests.integration.running import Runs
from tests.scenarios import SCENARIOS, ask, compute, data, edge, graph, model
from worker import build_worker, open_dependencies

TASK_QUEUE = "recording"


async def cancelled(runs: Runs) -> str:
    """A run that is cancelled while a question waits."""
    run_id = await runs.start(graph([model("a", "hi"), ask("q", "?")], [edge("a", "q")]))
    await runs.waits(run_id)
    await runs.door.cancel(run_id)
    await runs.result(run_id)
    return run_id


async def timed_out(runs: Runs) -> str:
    """A run that reaches its timeout while a question waits."""
    run_id = await runs.start(graph([ask("q", "?")]), timeout=0.2)
    await runs.result(run_id)
    return run_id


async def failed_node(runs: Runs) -> str:
    """A run that ends with a node that fails after being tried twice."""
    nothing_listens = {"url": "http://127.0.0.1:9/"}
    node = {"id": "get", "type": "HttpRequest", "config": nothing_listens}
    retry = {"max_attempts": 2, "initial_delay": "10ms"}
    run_id = await runs.start(graph([data("a"), {**node, "retry": retry}], [edge("a", "get")], on_failure="fail"))
    await runs.result(run_id)
    return run_id


async def refused_definition(runs: Runs) -> str:
    """A run whose definition breaks rules."""
    run_id = await runs.start(graph([data("a")], [edge("a", "nowhere")]))
    await runs.result(run_id)
    return run_id


async def undone(runs: Runs) -> str:
    """A run that is undone, and cleaned up, after a node has failed."""
    nodes = [
        model("book", "a room", compensate="unbook"),
        compute("pay", "1 / 0", {}),
        data("unbook", "{{ output.text }}"),
        data("bye", "{{ run.status }}"),
    ]
    run_id = await runs.start(graph(nodes, [edge("book", "pay")], on_failure="fail", **{"finally": ["bye"]}))
    await runs.result(run_id)
    return run_id


async def parked(runs: Runs) -> str:
    """A run whose node parks, is tried again in vain, and is given a value."""
    run_id = await runs.start(graph([compute("broken", "1 / 0", {}), data("end")], [edge("broken", "end")]))
    await runs.parks(run_id)
    await runs.door.resolve(run_id, ResolveRequest(action="retry", config={"expression": "2 / 0"}))
    await runs.parks(run_id)
    await runs.door.resolve(run_id, ResolveRequest(action="override", output={"result": 1}))
    await runs.result(run_id)
    return run_id


async def paused(runs: Runs) -> str:
    """A run that is paused while a question waits, answered, and resumed."""
    run_id = await runs.start(graph([ask("q", "?"), data("end")], [edge("q", "end")]))
    await runs.waits(run_id)
    await runs.door.pause(run_id)
    await runs.door.answer(run_id, Message(text="hi"))
    await runs.door.resume(run_id, {})
    await runs.result(run_id)
    return run_id


async def continued(runs: Runs) -> str:
    """The last workflow run of a run that goes on in new ones, with a question that waits all the time."""
    nodes = [data("start"), ask("q", "?"), model("tick", "tick"), data("end")]
    edges = [edge("start", "q"), edge("start", "tick"), edge("tick", "tick", when="true", max_visits=30)]
    definition = graph(nodes, [*edges, edge("q", "end"), edge("tick", "end")])
    run_id = await runs.start(definition)
    await runs.waits(run_id)

    async def ticked() -> bool:
        return (await runs.door.state(run_id)).nodes[NodeId("tick")].visits == 30

    await runs.until(ticked)
    await runs.door.answer(run_id, Message(text="done"))
    await runs.result(run_id)
    return run_id


async def paid_in_vain(runs: Runs) -> str:
    """A run whose model never answers: what it took is looked up, and it goes on where the error leads."""
    retry = {"max_attempts": 2, "initial_delay": "10ms"}
    silent = {"id": "ask", "type": "ModelInvoke", "config": {"model": "gpt-4o-mini", "prompt": "Hi", "max_tokens": 5}}
    node = {**silent, "timeout": "1s", "retry": retry, "on_error": "end"}
    run_id = await runs.start(graph([node, data("end")], []))
    await runs.result(run_id)
    return run_id


ENDINGS: dict[str, Callable[[Runs], Awaitable[str]]] = {
    "cancelled": cancelled,
    "timed_out": timed_out,
    "failed_node": failed_node,
    "refused_definition": refused_definition,
    "undone": undone,
    "parked": parked,
    "paused": paused,
    "paid_in_vain": paid_in_vain,
    "continued": continued,
}


@asynccontextmanager
async def _silent_provider() -> AsyncGenerator[str]:
    """The address of one that takes questions and never answers."""
    over = asyncio.Event()

    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    async with await asyncio.start_server(listen, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        over.set()


def _scrubbed(history: WorkflowHistory) -> str:
    """The history as JSON without stack traces, which tell where the recorder's files lie and decide nothing."""

    def without(value: Any) -> Any:
        if isinstance(value, dict):
            items = cast("dict[str, Any]", value).items()
            return {key: without(item) for key, item in items if key not in ("stackTrace", "identity")}
        return [without(item) for item in cast("list[Any]", value)] if isinstance(value, list) else value

    return json.dumps(without(history.to_json_dict()), indent=1)


async def record(names: list[str]) -> None:
    """Run the named scenarios (all that are not bound, when none is named) and write down their histories."""
    bound = replay.bound()
    if again := [name for name in names if name in bound]:
        sys.exit(
            f"{', '.join(again)}: in a release already, so never recorded again; guard the change that needs it "
            "with workflow.patched"
        )
    with tempfile.TemporaryDirectory() as empty:
        async with _silent_provider() as silent:
            await _record(names or [name for name in (*SCENARIOS, *ENDINGS) if name not in bound], Path(empty), silent)


async def _record(names: list[str], empty: Path, silent: str) -> None:
    settings = load_settings(
        _env_file=None,
        task_queue=TASK_QUEUE,
        definitions_dir=empty,
        rollover_events=100,
        openai_api_key="none",
        openai_base_url=silent,
        storage_url=f"sqlite:///{empty}/storage.db",
    )
    async with DevServer.start() as server:
        client = await server.client()
        runs = Runs(client, TASK_QUEUE)
        async with open_dependencies(settings) as parts, build_worker(client, settings, dependencies=parts):
            for name in names:
                ending = ENDINGS.get(name)
                run_id = await (ending(runs) if ending else runs.play(SCENARIOS[name]))
                history = await client.get_workflow_handle(run_id).fetch_history()
                replay.file_of(name).write_text(_scrubbed(history) + "\n", encoding="utf-8")
                sys.stdout.write(f"{name}: {len(history.events)} events\n")


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1:]))
    leave(0)
