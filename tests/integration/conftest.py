"""The production worker, for tests that run graphs on a real server."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from threading import Event
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client
from temporalio.worker import Worker

from activities import Dependencies
from activities.databases import Databases
from activities.secrets import DATABASE_PREFIX, NamedSecrets
from orchestrator.settings import Settings
from tests.integration.paying import completion
from tests.integration.running import Runs
from tests.integration.shop import Server, shop
from tests.unit.loopback import Answer, Web, web
from worker import build_worker, open_dependencies

RunningWorker = Callable[..., AbstractAsyncContextManager[Worker]]


@pytest.fixture
def running_worker(client: Client, worker_settings: Settings) -> RunningWorker:
    """The production worker on the test's own task queue; entered, it runs.

    Keyword arguments: ``dependencies`` (else those the settings give), and any setting to change.
    """

    @asynccontextmanager
    async def run(dependencies: Dependencies | None = None, **changes: object) -> AsyncGenerator[Worker]:
        settings = worker_settings.model_copy(update=changes)
        parts = open_dependencies(settings) if dependencies is None else nullcontext(dependencies)
        async with parts as given, build_worker(client, settings, dependencies=given) as worker:
            yield worker

    return run


@pytest.fixture
def runs(client: Client, task_queue: str) -> Runs:
    """Runs on the test's own task queue."""
    return Runs(client, task_queue)


@pytest.fixture
def slow() -> Generator[Web]:
    """A web server that does not answer before the test is over."""
    hold = Event()
    with web() as server:
        server.answers = [Answer(hold=hold)]
        try:
            yield server
        finally:
            hold.set()


@pytest.fixture
async def postgresql(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Server]:
    """A schema of PostgreSQL for one test."""
    async with shop(monkeypatch) as found:
        yield found


@pytest.fixture
async def databases(postgresql: Server) -> AsyncIterator[Databases]:
    """The named databases, that one among them."""
    assert postgresql.schema
    found = Databases(NamedSecrets(DATABASE_PREFIX))
    yield found
    await found.close()


@pytest.fixture
def site() -> Generator[Web]:
    """A provider that answers every call alike."""
    with web() as found:
        found.answers = [Answer(body=completion())]
        yield found


@pytest.fixture
def paid(site: Web) -> dict[str, Any]:
    """Settings of a worker that asks ``site``."""
    return {"openai_api_key": SecretStr("sk-test"), "openai_base_url": f"{site.url}/v1"}
