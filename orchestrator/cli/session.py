"""The server a command talks to: the one that answers, or, where allowed, an embedded one with its own worker."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

from temporalio.client import Client

from orchestrator.cli.calls import logged
from orchestrator.cli.native import take_over_logs
from orchestrator.client import Orchestrator
from orchestrator.connect import DEFAULT_ADDRESS, connect, connection_config
from orchestrator.devserver import DevServer
from orchestrator.errors import ServerUnavailableError
from orchestrator.hosts import PRIVATE
from orchestrator.settings import Settings, load_settings
from orchestrator.summaries import RunSummary

__all__ = ["Session", "any_session", "at_home", "embedded", "existing", "is_loopback", "on_server", "web_ui", "working"]

Result = TypeVar("Result")

_UI_OFFSET = 1000
"""Temporal's development server puts its Web UI on its own port plus this."""
_UI_PATIENCE_S = 0.3
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A connection. ``embedded``: the server lives only as long as this command. ``ui_url``: none if not known."""

    orchestrator: Orchestrator
    client: Client
    address: str
    ui_url: str | None = None
    embedded: bool = False

    def link(self, run: RunSummary) -> str | None:
        """Address of a run's page in Temporal's Web UI."""
        if self.ui_url is None:
            return None
        path = f"namespaces/{quote(self.client.namespace)}/workflows/{quote(run.id, safe='')}/{run.run_id}/history"
        return f"{self.ui_url}/{path}"


async def existing(settings: Settings) -> Session:
    """A session with the server that the environment names.

    Raises:
        ServerUnavailableError: It does not answer.
    """
    take_over_logs()
    client = logged(await connect())
    address = client.service_client.config.target_host
    _log.debug("connected to %s, namespace %s, task queue %s", address, client.namespace, settings.task_queue)
    return Session(
        orchestrator=Orchestrator(client, settings.task_queue),
        client=client,
        address=address,
        ui_url=await web_ui(address),
    )


def on_server(work: Callable[[Session], Coroutine[Any, Any, Result]]) -> Result:
    """What ``work`` returns, done with the server that the environment names.

    Raises:
        ServerUnavailableError: It does not answer.
    """

    async def main() -> Result:
        return await work(await existing(load_settings()))

    return asyncio.run(main())


@asynccontextmanager
async def any_session(settings: Settings, *, may_embed: bool) -> AsyncGenerator[Session]:
    """The server that answers; where none does, none is configured and ``may_embed``, an embedded one.

    Raises:
        ServerUnavailableError: No server answers, and none may be started.
    """
    try:
        found = await existing(settings)
    except ServerUnavailableError:
        if not may_embed or connection_config().get("target_host") is not None:
            raise
    else:
        yield found
        return
    async with embedded(at_home(settings)) as session:
        yield session


def at_home(settings: Settings) -> Settings:
    """``settings`` for a worker on somebody's own machine: without a list of theirs, the private network is allowed."""
    if settings.http_allow_private:
        return settings
    return settings.model_copy(update={"http_allow_private": PRIVATE})


@asynccontextmanager
async def embedded(settings: Settings) -> AsyncGenerator[Session]:
    """A server of our own on free ports, which keeps runs in memory, and a worker in this process."""
    take_over_logs()
    async with DevServer.start(settings) as server:
        client = await server.client()
        async with working(client, settings):
            yield Session(
                orchestrator=Orchestrator(client, settings.task_queue),
                client=client,
                address=server.address,
                ui_url=server.ui_url,
                embedded=True,
            )


@asynccontextmanager
async def working(client: Client, settings: Settings) -> AsyncGenerator[None]:
    """A worker in this process, as long as the context lasts. What fails shows in the progress, not in a log."""
    from orchestrator.logs import without_temporal
    from worker import build_worker, open_dependencies

    brief = settings.model_copy(update={"graceful_shutdown_timeout": 1.0})
    with without_temporal():
        async with open_dependencies(brief) as dependencies, build_worker(client, brief, dependencies=dependencies):
            yield


def is_loopback(address: str | None) -> bool:
    """Whether an address (``host:port``) is this machine's own; none stands for the default one."""
    host = (address or DEFAULT_ADDRESS).rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


async def web_ui(address: str) -> str | None:
    """The Web UI of a development server on this machine, if one answers where it usually is."""
    host, _, port = address.rpartition(":")
    if not is_loopback(address) or not port.isdecimal():
        return None
    ui_port = int(port) + _UI_OFFSET
    with contextlib.suppress(OSError, OverflowError, TimeoutError):
        async with asyncio.timeout(_UI_PATIENCE_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), ui_port)
            writer.close()
            await writer.wait_closed()
            return f"http://{host}:{ui_port}"
    return None
