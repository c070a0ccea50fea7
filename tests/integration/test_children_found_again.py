"""A parent that no longer holds its child by Temporal's own means waits on for as long as the child runs."""

from typing import Any

import pytest
import yaml
from temporalio.api.enums.v1 import EventType

from orchestrator.contracts import Message
from orchestrator.settings import Settings
from orchestrator.workflow import children
from tests.integration.conftest import RunningWorker
from tests.integration.running import Runs
from tests.integration.test_resetting import reset
from tests.scenarios import ask, data, edge, graph, model

CHILD: dict[str, Any] = {"id": "child", "type": "Subworkflow", "config": {"definition": "inner", "mode": "child"}}
SAID = {"outputs": {"said": "{{ nodes.child.said }}"}}


@pytest.fixture(autouse=True)
def inner(worker_settings: Settings) -> None:
    definition = graph([ask("q", "?")], [], outputs={"said": "{{ nodes.q.text }}"})
    (worker_settings.definitions_dir / "inner.yaml").write_text(yaml.safe_dump({**definition, "name": "inner"}))


async def child_of(runs: Runs, run_id: str) -> str:
    """The child run, once its question waits."""
    found: list[str] = []

    async def there() -> bool:
        found[:] = [child.run for child in (await runs.door.state(run_id)).children]
        return bool(found)

    await runs.until(there)
    await runs.waits(found[0])
    return found[0]


async def looked(runs: Runs, run_id: str, times: int) -> None:
    """Wait until the parent has looked at its child so often."""

    async def seen() -> bool:
        events = (await runs.handle(run_id).fetch_history()).events
        asked = [it for it in events if it.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED]
        looks = [it for it in asked if it.activity_task_scheduled_event_attributes.activity_type.name == "look_at_run"]
        done = {
            it.activity_task_completed_event_attributes.scheduled_event_id
            for it in events
            if it.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED
        }
        return len([it for it in looks if it.event_id in done]) >= times

    await runs.until(seen)


async def test_after_a_reset_the_child_that_runs_is_waited_for(runs: Runs, running_worker: RunningWorker) -> None:
    async with running_worker():
        run_id = await runs.start(graph([data("before"), CHILD], [edge("before", "child")], **SAID))
        child = await child_of(runs, run_id)
        history = await runs.handle(run_id).fetch_history()
        tasks = [it.event_id for it in history.events if it.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED]
        await reset(runs.client, run_id, history.run_id, tasks[0])
        await looked(runs, run_id, 1)
        await runs.door.answer(child, Message(text="hello"))
        result = await runs.result(run_id)

    assert (result.status, result.outputs) == ("completed", {"said": "hello"})


async def test_after_going_on_in_a_new_workflow_run_the_child_is_looked_at_and_waited_for(
    runs: Runs, running_worker: RunningWorker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "_FIRST_LOOK_S", 0.05)
    nodes = [CHILD, model("tick", "tick"), data("end")]
    edges = [edge("tick", "tick", when="true", max_visits=30), edge("tick", "end"), edge("child", "end")]
    async with running_worker(rollover_events=50):
        run_id = await runs.start(graph(nodes, edges, **SAID))
        child = await child_of(runs, run_id)

        async def ticked() -> bool:
            state = await runs.door.state(run_id)
            return state.continued > 0 and len(state.result.path) >= 30

        await runs.until(ticked)
        await looked(runs, run_id, 2)
        await runs.door.answer(child, Message(text="hello"))
        result = await runs.result(run_id)

    assert (result.status, result.outputs) == ("completed", {"said": "hello"})
