"""The benchmarks compare like with like: both sides ask the same activities for the same."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from pydantic_core import from_json
from temporalio.api.history.v1 import ActivityTaskScheduledEventAttributes
from temporalio.client import WorkflowHandle

from benchmarks import __main__ as command
from benchmarks import items, recovery, soak_run, waiting
from benchmarks import upgrade as upgrading
from benchmarks.effects import Room
from benchmarks.figures import Figure
from benchmarks.fleet import open_fleet
from benchmarks.graphs import flow, for_each, parallel, quick_chain, work_chain, work_loop
from benchmarks.handwritten import (
    HandwrittenChain,
    HandwrittenEach,
    HandwrittenFlow,
    HandwrittenLoop,
    HandwrittenParallel,
    HandwrittenQuickChain,
    HandwrittenQuickLoop,
)
from benchmarks.lab import Lab, open_lab
from benchmarks.latency import latency
from benchmarks.machine import describe_machine
from benchmarks.measures import Measure
from benchmarks.mortal import MortalServer
from benchmarks.peers import measure as peers
from benchmarks.peers.database import DatabaseMissingError, own_database
from benchmarks.rollover import Long, definitions, fanned, looped, measure, talked
from benchmarks.soak_kills import Killer
from benchmarks.soak_load import KINDS
from benchmarks.soak_run import SoakPlan, soak
from benchmarks.upgrade import upgrade
from orchestrator.devserver import DevServer

LONG = (looped("quick", 20), looped("work", 20), fanned(20, 4), talked(20))
DEFINITIONS = {
    "work": work_chain("work", 3),
    "parallel": parallel("parallel", 3),
    "quick": quick_chain("quick", 3),
    "three-items": for_each("three-items", 3, 1),
    "three-visits": work_loop("three-visits", 3),
    "flow": flow("flow", 2, 10),
    "work-3": work_chain("work-3", 3),
    "work-5": work_chain("work-5", 5),
    "quick-5": quick_chain("quick-5", 5),
    **{f"{part.name}-{size}": part.definition(size) for part in items.REPEATED for size in (4, 8)},
    **definitions(LONG),
}


@pytest.fixture(scope="module")
async def lab(server: DevServer) -> AsyncGenerator[Lab]:
    """A laboratory with a worker process of its own."""
    async with open_lab(DEFINITIONS, pairs=1, told=lambda _: None, server=server) as opened:
        yield opened


async def asked(handle: WorkflowHandle[Any, Any]) -> list[dict[str, Any]]:
    """What a run asked of activities: all that the server was told, but for ids and summaries."""
    history = await handle.fetch_history()
    scheduled = [
        event.activity_task_scheduled_event_attributes
        for event in history.events
        if event.HasField("activity_task_scheduled_event_attributes")
    ]
    return [_shown(attributes) for attributes in scheduled]


def _shown(attributes: ActivityTaskScheduledEventAttributes) -> dict[str, Any]:
    (payload,) = attributes.input.payloads
    call = from_json(payload.data)
    assert call.pop("first_run_id")
    # Who pays differs with the run, and so does the name of the definition.
    account = sorted(call.pop("account", {}))
    return {
        "account": account,
        "activity": attributes.activity_type.name,
        "call": call,
        "start_to_close": attributes.start_to_close_timeout.ToTimedelta(),
        "schedule_to_close": attributes.schedule_to_close_timeout.ToTimedelta(),
        "heartbeat": attributes.heartbeat_timeout.ToTimedelta(),
        "retry": str(attributes.retry_policy),
    }


async def test_a_chain_by_hand_asks_the_same_of_the_same_activities(lab: Lab) -> None:
    ours = await asked(await lab.ours("work"))

    assert len(ours) == 3
    assert await asked(await lab.by_hand(HandwrittenChain, 3)) == ours


async def test_parallel_nodes_by_hand_ask_the_same_of_the_same_activities(lab: Lab) -> None:
    ours = await asked(await lab.ours("parallel"))

    assert len(ours) == 3
    assert await asked(await lab.by_hand(HandwrittenParallel, 3)) == ours


async def test_items_by_hand_ask_the_same_of_the_same_activities(lab: Lab) -> None:
    ours = await asked(await lab.ours("three-items", {"items": [0, 1, 2]}))

    assert len(ours) == 3
    assert await asked(await lab.by_hand(HandwrittenEach, 3, 1)) == ours


async def test_visits_by_hand_ask_the_same_of_the_same_activities(lab: Lab) -> None:
    ours = await asked(await lab.ours("three-visits"))

    assert len(ours) == 3
    assert await asked(await lab.by_hand(HandwrittenLoop, 3)) == ours


async def test_a_flow_by_hand_asks_the_same_of_the_same_activities_and_both_compute(lab: Lab) -> None:
    ours, by_hand = await lab.ours("flow"), await lab.by_hand(HandwrittenFlow, 2, 10)

    assert await asked(ours) == await asked(by_hand)
    assert (await ours.result())["outputs"] == {"last": "55"}
    assert await by_hand.result() == "55"


async def test_a_quick_loop_by_hand_counts_as_far(lab: Lab) -> None:
    assert await (await lab.by_hand(HandwrittenQuickLoop, 3)).result() == 3


async def test_the_latency_is_told_in_milliseconds_for_each_run(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.latency._TRIES", 2)

    (figure,) = await latency(lab)

    assert len(figure.samples) == 2
    assert all(0 < sample < 60_000 for sample in figure.samples)


async def test_items_are_measured_in_time_events_and_bytes(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(items, "_FEW", 4)
    monkeypatch.setattr(items, "_MANY", 8)

    figures = await items.items(lab)

    assert [figure.unit for figure in figures] == ["ms", "events", "bytes"] * 3
    assert figures[4].samples == (6.0,)
    assert figures[7].samples == (1.0,)
    assert all(figure.by_hand is not None and figure.by_hand > 0 for figure in figures)


async def test_the_memory_of_waiting_runs_is_measured_on_a_worker_of_its_own_for_each_side(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_RUNS", 8), ("_TIMES", 2), ("_AT_ONCE", 4)):
        monkeypatch.setattr(waiting, name, value)

    (figure,) = await waiting.waiting(lab)

    assert (len(figure.samples), figure.target) == (2, 100.0)
    assert figure.by_hand is not None
    assert "an idle worker takes" in figure.note


async def test_recovery_is_timed_for_runs_that_wait_and_for_nodes_in_flight(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_RUNS", 1)
    monkeypatch.setattr(recovery, "PATIENCES", recovery.PATIENCES[1:])

    waited, in_flight = await recovery.recovery(lab)

    assert 0 < waited.median < 30
    assert 0 < in_flight.median < 30


@pytest.fixture
async def postgres(monkeypatch: pytest.MonkeyPatch) -> str:
    """Where other engines keep their state."""
    try:
        async with own_database(peers.DEFAULT_POSTGRES):
            pass
    except DatabaseMissingError as error:
        pytest.skip(f"needs PostgreSQL: {error}")
    monkeypatch.setenv(peers.POSTGRES_VARIABLE, peers.DEFAULT_POSTGRES)
    return peers.DEFAULT_POSTGRES


async def test_other_engines_run_the_same_chain_in_turn_and_leave_no_database_behind(
    lab: Lab, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "NODES", 5)

    figures = await peers.peers(lab)

    assert [figure.absent for figure in figures] == [""] * 6
    assert [len(figure.samples) for figure in figures] == [1] * 6
    assert "LangGraph 1." in figures[4].note
    assert "DBOS 3." in figures[5].note
    async with await psycopg.AsyncConnection[Any].connect(postgres) as connection:
        found = await connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'orchestrator_bench%'")
        assert await found.fetchall() == []


async def test_without_postgresql_the_rows_of_other_engines_say_so(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "NODES", 5)
    monkeypatch.setenv(peers.POSTGRES_VARIABLE, "postgresql://nobody@127.0.0.1:1/none")

    figures = await peers.peers(lab)

    assert [bool(figure.absent) for figure in figures] == [False] * 4 + [True] * 2
    assert "no PostgreSQL answers at 127.0.0.1:1" in figures[5].absent


def plan(**changed: Any) -> SoakPlan:
    asked_for: dict[str, Any] = {
        "minutes": 9 / 60,
        "kill_every": 3,
        "restart_server_every": 0,
        "rate": 2,
        "workers": 2,
        "most_open": 20,
        "settle": 60,
        "seed": 1,
        "in_memory": False,
        "command": "soak",
    }
    return SoakPlan(**{**asked_for, **changed})


@pytest.mark.timeout(300)  # a worker that dies within a workflow task is missed for ten seconds
async def test_a_short_soak_accounts_for_every_run_of_every_kind(tmp_path: Path) -> None:
    report = await soak(plan(), tmp_path, lambda _: None)

    assert report.problems == ()
    assert report.accounted
    assert report.worker_kills >= 2
    assert {kind.kind for kind in report.kinds} == set(KINDS)
    assert report.workflow_runs > report.accepted


async def test_a_soak_tells_of_effects_that_are_missing_or_were_had_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = replace(KINDS["chain"], effects=(*KINDS["chain"].effects, "never#1"))
    take = Room.take

    async def twice(room: Room, path: str, key: str) -> bool:
        await take(room, path, key)
        return await take(room, path, key)

    monkeypatch.setattr(soak_run, "KINDS", {"chain": chain})
    monkeypatch.setattr(Room, "take", twice)

    report = await soak(plan(minutes=0.02, kill_every=0, workers=1, in_memory=True), tmp_path, lambda _: None)

    assert not report.accounted
    told = " ".join(report.problems)
    assert "never#1 had no effect" in told
    assert "a#1 was done 2 times, and nothing was killed in between" in told


async def test_a_soak_ends_and_tells_what_is_stuck_when_there_is_no_room_for_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(soak_run, "KINDS", {"question": replace(KINDS["question"], people=None)})
    wanted = plan(minutes=0.02, kill_every=0, workers=1, most_open=1, settle=1, in_memory=True)

    report = await soak(wanted, tmp_path, lambda _: None)

    assert (report.accepted, report.right, report.accounted) == (1, 0, False)
    assert "(question) is stuck: last events " in " ".join(report.problems)


async def test_who_was_being_killed_at_the_end_is_replaced_all_the_same(server: DevServer, tmp_path: Path) -> None:
    async with (
        MortalServer.open(None) as immortal,
        open_fleet(await server.client(), f"kills-{uuid.uuid4().hex}", tmp_path, {}, {}) as fleet,
    ):
        first = await fleet.start()
        killer = Killer(fleet, immortal, seed=1)
        async with killer.at_work(workers_every=0.01, server_every=0):
            while fleet.hands == [first]:  # noqa: ASYNC110 - it is gone for a moment only
                await asyncio.sleep(0)

        assert killer.workers >= 1
        assert len(fleet.hands) == 1
        assert first not in fleet.hands


async def test_an_upgrade_ends_and_tells_of_runs_that_take_too_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upgrading, "_PATIENCE_S", 0.0)

    report = await upgrade(2, "upgrade", tmp_path, lambda _: None)

    assert not report.accounted
    assert "upgrade-0: not waiting within 0 s of the step's beginning" in report.problems


async def test_a_measure_that_breaks_says_so_in_its_row_and_the_others_are_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def breaks(_: Lab) -> list[Figure]:
        raise RuntimeError("the worker process ended")

    async def works(_: Lab) -> list[Figure]:
        return [Figure(measure="runs", what="runs", unit="ms", samples=(1.0,))]

    monkeypatch.setattr(command, "MEASURES", {"chain": Measure("a chain", breaks), "runs": Measure("runs", works)})

    taken = await command.take(["chain", "runs"], 1, 1.0)

    assert [(figure.what, figure.broken) for figure in taken.report.figures] == [("a chain", True), ("runs", False)]
    assert taken.report.figures[0].absent == "it broke: RuntimeError: the worker process ended"
    assert taken.report.broken


async def test_waiting_runs_move_to_a_new_build_of_the_worker(tmp_path: Path) -> None:
    report = await upgrade(5, "upgrade", tmp_path, lambda _: None)

    assert report.problems == ()
    assert (report.waiting, report.right, report.moved) == (5, 5, 5)
    assert report.accounted


async def test_a_pair_times_both_sides_and_the_cpu_of_the_worker_process(lab: Lab) -> None:
    (pair,) = await lab.compare("quick", lambda: lab.ours("quick"), lambda: lab.by_hand(HandwrittenQuickChain, 3))

    assert min(pair.ours.wall, pair.ours.cpu, pair.by_hand.wall, pair.by_hand.cpu) > 0


async def test_the_machine_and_the_versions_are_told(lab: Lab) -> None:
    machine = await describe_machine(lab.client)

    assert machine.cores > 0
    assert machine.server.count(".") == 2


@pytest.mark.parametrize(("long", "events"), list(zip(LONG, (1, 6, 2, 5), strict=True)), ids=definitions(LONG))
async def test_a_long_run_is_measured_tenth_by_tenth(lab: Lab, long: Long, events: int) -> None:
    measured = await measure(lab, long)

    assert (measured.items, len(measured.parts), measured.workflow_runs) == (20, 10, 1)
    # Items that run beside each other share workflow tasks, so a single part says little.
    assert sum(part.events for part in measured.parts) / len(measured.parts) >= events
    assert sum(part.bytes for part in measured.parts) > 0
    assert sum(part.cpu for part in measured.parts) > 0
    assert min(measured.memory) > 0


async def test_a_long_run_that_comes_to_another_end_is_an_error(lab: Lab) -> None:
    wrong = replace(looped("work", 20), expected=fanned(20, 4).expected)

    with pytest.raises(RuntimeError, match="came to another end: completed"):
        await measure(lab, wrong)
