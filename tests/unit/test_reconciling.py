"""Calls that nobody has ended: which of them may be under way, on a real database file, whatever a server says."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import update
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.cli import reconciling
from orchestrator.errors import RequestError, ServerUnavailableError
from storage import Cap, EntryKey, Ledger, Standing, open_storage
from storage.tables import ENTRIES

KEY = EntryKey(first_run_id="first", node="items[3].ask", visit=2, run_id="run", attempt=2)
LONG_AGO = datetime.now(UTC) - timedelta(days=2)


class Run:
    """A run as a server describes it."""

    def __init__(self, *pending: str, closed_s: float | None = None) -> None:
        self._closed_s = closed_s
        self.raw_description = SimpleNamespace(pending_activities=[SimpleNamespace(activity_id=it) for it in pending])

    @property
    def close_time(self) -> datetime | None:
        """So long before it is asked for: the runs of parameters are made long before their tests."""
        return None if self._closed_s is None else datetime.now(UTC) - timedelta(seconds=self._closed_s)


class Server:
    """A Temporal client of a namespace that has these runs, or fails to tell of them."""

    namespace = "front"

    def __init__(self, runs: Mapping[str, Run | RPCStatusCode]) -> None:
        self.runs = runs
        self.asked = 0

    async def list_workflows(self, query: str) -> AsyncIterator[Any]:
        for run_id in self.runs:
            if query == f"RunId = '{run_id}'":
                yield SimpleNamespace(id="ask-1")

    def get_workflow_handle(self, _id: str, *, run_id: str) -> Any:
        async def describe() -> Run:
            self.asked += 1
            found = self.runs[run_id]
            if isinstance(found, RPCStatusCode):
                raise RPCError("no answer", found, b"")
            return found

        return SimpleNamespace(describe=describe)


@pytest.fixture
def url(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    found = f"sqlite:///{tmp_path / 'storage.db'}"
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", found)
    return found


def serving(monkeypatch: pytest.MonkeyPatch, **runs: Run | RPCStatusCode) -> Server:
    server = Server(runs)

    def on_server(work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        return asyncio.run(work(SimpleNamespace(client=server, address="far:7233")))

    monkeypatch.setattr(reconciling, "on_server", on_server)
    return server


def set_aside(url: str, *keys: EntryKey) -> None:
    async def work() -> None:
        async with open_storage(url) as storage:
            for key in keys:
                await Ledger(storage).reserve(key, 300, [Cap("run:first")], provider="openai", model="gpt-4o-mini")
            async with storage.writing() as connection:
                await connection.execute(update(ENTRIES).values(at=LONG_AGO))

    asyncio.run(work())


def standing(url: str) -> Standing:
    async def work() -> Standing:
        async with open_storage(url) as storage:
            return await Ledger(storage).standing("run:first")

    return asyncio.run(work())


def release(*, missing: bool = False, older_than: str = "1h") -> int:
    return reconciling.reconcile("release", older_than, missing=missing, yes=True, as_json=True)


@pytest.mark.parametrize("status", [RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED])
def test_what_may_be_under_way_is_not_ended_where_the_server_does_not_say(
    status: RPCStatusCode, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_aside(url, KEY)
    serving(monkeypatch, run=status)

    with pytest.raises(ServerUnavailableError, match=r"does not say whether items\[3\].ask#2 is under way"):
        release()
    assert standing(url) == Standing(spent=0, reserved=300)


@pytest.mark.parametrize(
    ("run", "ended"),
    [
        (Run("items[3].ask#2"), False),
        (Run("items[3].ask#2~2"), True),
        (Run("items[3].ask", "ask#2"), True),
        (Run(closed_s=5), False),
        (Run(closed_s=600), True),
        (RPCStatusCode.NOT_FOUND, True),
    ],
)
def test_a_call_is_ended_when_its_node_is_tried_no_more(
    run: Run | RPCStatusCode,
    ended: bool,  # noqa: FBT001 - a parameter
    url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Temporal may count the first attempt dead and be at the second while the worker of the first is still asking.
    set_aside(url, KEY, replace(KEY, attempt=1))
    server = serving(monkeypatch, run=run)

    assert release() == 0
    assert standing(url) == (Standing() if ended else Standing(spent=0, reserved=600))
    assert server.asked == 1


def test_a_call_of_a_run_that_the_namespace_does_not_have_is_left_unless_it_is_meant(
    url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    set_aside(url, KEY, replace(KEY, run_id="elsewhere"))
    serving(monkeypatch, run=Run())

    assert release() == 0
    told = capsys.readouterr()
    assert [entry["run_id"] for entry in json.loads(told.out)] == ["run"]
    assert "asked namespace front at far:7233" in told.err
    assert "it does not have their runs: 1 call." in told.err
    assert standing(url) == Standing(spent=0, reserved=300)

    assert release(missing=True) == 0
    assert standing(url) == Standing()


def test_a_call_that_began_just_now_cannot_be_ended(url: str) -> None:
    set_aside(url, KEY)

    with pytest.raises(RequestError, match="--older-than: give 1m or more, not 59s"):
        release(older_than="59s")
    assert standing(url) == Standing(spent=0, reserved=300)


def test_more_calls_than_a_page_has_are_ended(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    set_aside(url, *(replace(KEY, node=f"n{number}") for number in range(8)))
    monkeypatch.setattr(reconciling, "_PAGE", 3)
    server = serving(monkeypatch, run=Run())

    assert reconciling.reconcile("book", "1h", missing=False, yes=True, as_json=False) == 0
    assert standing(url) == Standing(spent=2_400, reserved=0)
    assert server.asked == 1
