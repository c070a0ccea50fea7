"""Does what ``dev`` asks for: a server and a worker until told to stop."""

import asyncio
import logging
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

from orchestrator.cli.native import take_over_logs
from orchestrator.cli.output import say
from orchestrator.cli.session import at_home, web_ui
from orchestrator.connect import DEFAULT_ADDRESS, connect_to, connection_config
from orchestrator.devserver import DevServer, ensure_server, register_search_attributes
from orchestrator.errors import ServerUnavailableError
from orchestrator.settings import Settings, load_settings
from worker import build_worker, open_dependencies, run_until, start_logs, warn_of_simulation

__all__ = ["serve"]

_LOOK_S = 1.0
_log = logging.getLogger("orchestrator.dev")


def serve(port: int | None, ui_port: int | None, db: Path | None) -> None:
    """Serve until SIGINT or SIGTERM; nodes in flight may finish, then the server stops if it was started here."""
    settings = load_settings()
    start_logs(settings)
    take_over_logs()
    if not settings.http_allow_private:
        _log.info(
            "HttpRequest may reach this machine and its private network: this is `dev`. Other workers refuse that, but "
            "for what ORCHESTRATOR_HTTP_ALLOW_PRIVATE allows"
        )
    settings = at_home(settings)
    asyncio.run(_serve(settings, port, ui_port, (db or settings.dev_db_file).absolute()))


async def _serve(settings: Settings, port: int | None, ui_port: int | None, db: Path) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with _server(settings, port, ui_port, db) as server:
        client = await (server.client() if server.started or port is None else connect_to(server.address))
        if not server.started:
            added = await register_search_attributes(client)
            if added:
                say(f"registered the search attributes {', '.join(added)}")
        async with open_dependencies(settings) as dependencies:
            worker = build_worker(client, settings, dependencies=dependencies)
            warn_of_simulation(settings)
            await _introduce(server, settings)
            await run_until(stop, worker)
            say("stopping")


@asynccontextmanager
async def _server(settings: Settings, port: int | None, ui_port: int | None, db: Path) -> AsyncGenerator[DevServer]:
    """The server at ``port`` if one was asked for, else the one the environment names; a new one where none answers."""
    if port is None:
        configured = connection_config().get("target_host") or DEFAULT_ADDRESS
        number = configured.rpartition(":")[2]
        ui = ui_port or (int(number) + 1000 if number.isdecimal() else None)
        usual = int(DEFAULT_ADDRESS.rpartition(":")[2])
        async with ensure_server(settings, port=usual, ui_port=ui, db_file=db) as server:
            yield server
        return
    address = f"127.0.0.1:{port}"
    try:
        await connect_to(address, timeout=_LOOK_S)
    except ServerUnavailableError:
        async with DevServer.start(settings, port=port, ui_port=ui_port or port + 1000, db_file=db) as server:
            yield server
    else:
        yield DevServer(address=address, started=False)


async def _introduce(server: DevServer, settings: Settings) -> None:
    url = server.ui_url or await web_ui(server.address)
    folder = settings.definitions_dir.absolute()
    say(f"server       {server.address}{'' if server.started else ' (was there already)'}")
    say(f"web ui       {url or '(not known)'}")
    if server.started:
        say(f"runs kept in {server.db_file}")
    say(f"definitions  {folder}{'' if folder.is_dir() else ' (not there yet: `orchestrator new hello` makes it)'}")
    if server.address not in {DEFAULT_ADDRESS, DEFAULT_ADDRESS.replace("localhost", "127.0.0.1")}:
        say(f"elsewhere, set TEMPORAL_ADDRESS={server.address}")
    say("worker is ready; Ctrl-C stops")
