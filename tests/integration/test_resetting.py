"""A run that is reset to any point of its history comes to the same end, with the same keys of its side effects."""

import uuid
from collections import Counter
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client

from orchestrator.contracts import Message
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph
from tests.unit.loopback import Answer, web

Node = dict[str, Any]


def post(name: str, url: str, **rest: Any) -> Node:
    config = {"url": f"{url}/{name}", "method": "POST", "json": {"from": name}}
    return {"id": name, "type": "HttpRequest", "config": config, **rest}


def worked(url: str) -> Node:
    """A loop, a question, a ForEach with an effect in each item, and parallel branches."""
    each: Node = {
        "id": "each",
        "type": "ForEach",
        "config": {
            "items": ["a", "b", "c"],
            "do": {"nodes": [post("item", url)], "outputs": {"ok": "{{ nodes.item.status }}"}},
        },
    }
    return graph(
        [post("turn", url), ask("q", "?"), post("left", url), each, data("end")],
        [
            edge("turn", "turn", when="true", max_visits=2),
            edge("turn", "q"),
            *[edge("q", name) for name in ("left", "each")],
            *[edge(name, "end") for name in ("left", "each")],
        ],
        outputs={"said": "{{ nodes.q.text }}", "all": "{{ nodes.each.results }}"},
    )


async def reset(client: Client, run_id: str, life: str, event: int) -> None:
    """Reset a workflow run to the end of the workflow task ``event``."""
    await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run_id, run_id=life),
            workflow_task_finish_event_id=event,
            request_id=str(uuid.uuid4()),
            reason="a test",
        )
    )


async def test_a_reset_run_comes_to_the_same_end_with_the_same_keys(runs: Runs, running_worker: RunningWorker) -> None:
    with web() as server:
        server.answers = [Answer(body={"ok": True})]
        async with running_worker():
            run_id = await runs.start(worked(server.url))
            await runs.waits(run_id)
            # Temporal hands signals to a reset run again; an answer given by an update has to be given again.
            await runs.door.send(run_id, Message(text="hi", message_id="m1"))
            first = await runs.result(run_id)
            history = await runs.handle(run_id).fetch_history()
            keys = Counter(seen.headers["idempotency-key"] for seen in server.seen)
            ends = [
                event.event_id
                for event in history.events
                if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
            ]
            for event in ends:
                server.seen.clear()
                await reset(runs.client, run_id, history.run_id, event)
                again = await runs.result(run_id)
                assert (again.status, again.outputs) == (first.status, first.outputs), event
                assert sorted(again.path) == sorted(first.path), event
                assert {seen.headers["idempotency-key"] for seen in server.seen} <= keys.keys(), event
    assert set(keys.values()) == {1}
    assert len(keys) == 6
    assert len(ends) > 5
