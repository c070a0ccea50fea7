"""Many runs at a time: in order, a bounded number at once, and one that fails stops no other."""

import asyncio

from orchestrator.client.attention import AT_ONCE, resolutions, troubles
from orchestrator.contracts import ChildRun, ErrorInfo, Parked, ProgressPage, ResolveReply
from orchestrator.errors import NotParkedError, RequestError, WorkerMissingError

PARKED = Parked(
    node="search",
    visit=1,
    error=ErrorInfo(code="NODE_FAILED", message="no"),
    since="2026-01-01T00:00:00+00:00",
)


def page(*children: ChildRun) -> ProgressPage:
    return ProgressPage(status="needs_attention", events=(), cursor=0, oldest=1, parked=(PARKED,), children=children)


async def test_what_is_wrong_with_each_run_comes_in_order_and_few_are_asked_at_once() -> None:
    under_way: set[str] = set()
    most = 0

    async def progress(run_id: str) -> ProgressPage:
        nonlocal most
        under_way.add(run_id)
        most = max(most, len(under_way))
        for _ in range(int(run_id) % 5):
            await asyncio.sleep(0)
        under_way.remove(run_id)
        return page()

    run_ids = [str(number) for number in range(100)]
    found = [trouble async for trouble in troubles(run_ids, progress)]

    assert [trouble.run for trouble in found] == run_ids
    assert all(trouble.parked == (PARKED,) for trouble in found)
    assert 1 < most <= AT_ONCE


async def test_once_no_worker_answers_no_further_run_is_asked() -> None:
    asked: list[str] = []

    async def progress(run_id: str) -> ProgressPage:
        asked.append(run_id)
        raise WorkerMissingError("nobody is here")

    found = [trouble async for trouble in troubles([str(number) for number in range(100)], progress)]

    assert {trouble.unknown.code for trouble in found if trouble.unknown} == {"WORKER_MISSING"}
    assert all(trouble.unknown for trouble in found)
    assert len(asked) <= AT_ONCE


async def test_a_run_that_refuses_is_told_and_the_others_are_asked() -> None:
    async def progress(run_id: str) -> ProgressPage:
        if run_id == "odd":
            raise RequestError("the run refused the query")
        return page()

    first, odd, last = [trouble async for trouble in troubles(["a", "odd", "b"], progress)]

    assert odd.unknown == ErrorInfo(code="REQUEST_INVALID", message="the run refused the query")
    assert first.parked == last.parked == (PARKED,)


async def test_of_the_child_runs_only_those_with_a_parked_node_are_told() -> None:
    well = ChildRun(node="a", visit=1, run="a")
    stuck = ChildRun(node="b", visit=1, run="b", parked=(PARKED,))

    async def progress(_run_id: str) -> ProgressPage:
        return page(well, stuck)

    [found] = [trouble async for trouble in troubles(["run"], progress)]

    assert found.children == (stuck,)


async def test_that_one_run_cannot_be_resolved_stops_no_other() -> None:
    async def resolve(run_id: str) -> ResolveReply:
        if run_id == "late":
            raise NotParkedError("nothing is parked")
        return ResolveReply(resolved=("search",))

    found = [resolution async for resolution in resolutions(["a", "late", "b"], resolve)]

    assert [(item.run, item.resolved, item.error.code if item.error else None) for item in found] == [
        ("a", ("search",), None),
        ("late", (), "NOT_PARKED"),
        ("b", ("search",), None),
    ]


async def test_whoever_stops_looking_leaves_nothing_under_way() -> None:
    cancelled: list[str] = []

    async def resolve(run_id: str) -> ResolveReply:
        if run_id == "first":
            return ResolveReply(resolved=())
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(run_id)
            raise
        return ResolveReply(resolved=())

    found = resolutions(["first", "second", "third"], resolve)
    assert (await anext(found)).run == "first"
    await found.aclose()

    assert cancelled == ["second", "third"]
