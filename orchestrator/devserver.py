"""Finds and starts Temporal's development server, tuned for this platform, and stops only what it started."""

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path

from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.child import command_that_ends_with_us
from orchestrator.connect import DEFAULT_ADDRESS, connect, connect_to, connection_config
from orchestrator.contracts import SearchAttribute
from orchestrator.errors import ServerUnavailableError, SettingsError
from orchestrator.filelock import only_user_of
from orchestrator.settings import Settings
from orchestrator.temporal_binary import find_binary

__all__ = ["DevServer", "ensure_server", "register_search_attributes"]

HOST = "127.0.0.1"
DYNAMIC_CONFIG = (
    # A development server has one shard, whose default of 20 polls a second costs 50 ms for each node.
    "history.transferProcessorMaxPollRPS=2000",
    "matching.enableFairness=true",
    "frontend.WorkflowPauseEnabled=true",
)
START_TIMEOUT = 30.0
"""Seconds a new server has until it answers."""
STOP_TIMEOUT = 10.0
"""Seconds a server has to stop before it is killed."""
ANSWER_TIMEOUT = 2.0
"""Seconds a server that may be there already has to answer."""
_BETWEEN_CHECKS = 0.02
_KEPT_LINES = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DevServer:
    """A Temporal server that answers at ``address`` (``host:port``).

    ``started`` says whether it was started here; only then are ``ui_url``, ``binary`` and ``pid`` known, and
    ``db_file`` (none means that runs are kept in memory).
    """

    address: str
    started: bool
    namespace: str = "default"
    ui_url: str | None = None
    binary: Path | None = None
    pid: int | None = None
    db_file: Path | None = None

    async def client(self, settings: Settings | None = None) -> Client:
        """A new client of this server; payloads are encrypted as ``settings`` say, or those of this process.

        Raises:
            ServerUnavailableError: It does not answer any more.
            SettingsError: It was not started here, and the connection settings are wrong.
        """
        if self.started:
            return await connect_to(self.address, namespace=self.namespace, settings=settings)
        return await connect(settings=settings)

    @staticmethod
    @asynccontextmanager
    async def start(
        settings: Settings | None = None,
        *,
        port: int | None = None,
        ui_port: int | None = None,
        db_file: Path | None = None,
        namespace: str = "default",
        log_level: str = "error",
    ) -> AsyncGenerator["DevServer"]:
        """Starts a server on the loopback interface, which is stopped when the context is left.

        Args:
            settings: Where to find the binary; none means the usual places.
            port: Its port; none takes a free one.
            ui_port: Port of its Web UI; none takes a free one.
            db_file: File that keeps its runs; none keeps them in memory.
            namespace: A namespace to make, besides ``default``.
            log_level: Least important message that the server logs; its last words are in the error when it fails.

        Raises:
            SettingsError: The binary is not a program, the folder of ``db_file`` cannot be made, or another server
                that was started like this uses ``db_file``.
            ServerUnavailableError: The server did not start; the message has its own words.
        """
        binary = await find_binary(settings.temporal_binary if settings else None)
        if db_file is not None:
            _make_folder_of(db_file)
        # Two servers on one file lose each other's runs.
        with only_user_of(db_file) if db_file is not None else contextlib.nullcontext():
            address, ui_port = f"{HOST}:{port or _free_port()}", ui_port or _free_port()
            command = _command(binary, address, ui_port, db_file, namespace, log_level)
            output: deque[str] = deque(maxlen=_KEPT_LINES)
            process, reader = await _spawn(command, output)
            try:
                await _wait_until_it_answers(process, reader, address, output)
                yield DevServer(
                    address=address,
                    started=True,
                    namespace=namespace,
                    ui_url=f"http://{HOST}:{ui_port}",
                    binary=binary,
                    pid=process.pid,
                    db_file=db_file,
                )
            finally:
                await _stop(process, reader, orderly=db_file is not None)


@asynccontextmanager
async def ensure_server(
    settings: Settings | None = None,
    *,
    port: int | None = None,
    ui_port: int | None = None,
    db_file: Path | None = None,
    log_level: str = "error",
) -> AsyncGenerator[DevServer]:
    """The server that TEMPORAL_ADDRESS (``localhost:7233`` when unset) names if it answers, else a new one.

    Arguments are those of ``DevServer.start``. A new server listens where TEMPORAL_ADDRESS says, so that other
    programs with the same environment find it, else on ``port``. A server that was there already is left running,
    and may lack our search attributes: see ``register_search_attributes``.

    Raises:
        SettingsError: As ``DevServer.start``, or the connection settings are wrong.
        ServerUnavailableError: As ``DevServer.start``, or TEMPORAL_ADDRESS names another machine and nothing answers.
    """
    config = connection_config()
    address, namespace = config.get("target_host"), config.get("namespace", "default")
    if await _answers(address):
        yield DevServer(address=address or DEFAULT_ADDRESS, started=False, namespace=namespace)
        return
    port = port if address is None else int(address.rpartition(":")[2])
    async with DevServer.start(
        settings, port=port, ui_port=ui_port, db_file=db_file, namespace=namespace, log_level=log_level
    ) as server:
        yield server


async def register_search_attributes(client: Client) -> tuple[str, ...]:
    """Makes the search attributes that ``client``'s namespace lacks, and returns their names.

    Raises:
        SettingsError: One exists with another type, or the server does not let us add any.
        ServerUnavailableError: The server does not answer.
    """
    operator, keyword = client.operator_service, IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
    try:
        listed = await operator.list_search_attributes(ListSearchAttributesRequest(namespace=client.namespace))
        known = dict(listed.custom_attributes)
        wrong = [name for name in SearchAttribute.ALL if known.get(name, keyword) != keyword]
        if wrong:
            raise SettingsError(
                f"Search attributes of another type than Keyword are in the way: {', '.join(wrong)}. "
                f"Remove them from namespace {client.namespace}, or use another namespace."
            )
        missing = tuple(name for name in SearchAttribute.ALL if name not in known)
        if missing:
            await operator.add_search_attributes(
                AddSearchAttributesRequest(
                    namespace=client.namespace, search_attributes=dict.fromkeys(missing, keyword)
                )
            )
    except RPCError as error:
        if error.status in {RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED}:
            raise ServerUnavailableError(f"The Temporal server went away: {error.message}.") from error
        raise SettingsError(
            f"The server does not let us register search attributes ({error.message}). Ask its operator to add "
            f"{', '.join(SearchAttribute.ALL)}, each of type Keyword, to namespace {client.namespace}."
        ) from error
    return missing


async def _answers(address: str | None) -> bool:
    """Whether a server answers at the configured address; an address elsewhere has to."""
    try:
        await connect(timeout=ANSWER_TIMEOUT)
    except ServerUnavailableError:
        if address is not None and not _is_ours_to_serve(address):
            raise
        return False
    return True


def _is_ours_to_serve(address: str) -> bool:
    host, _, port = address.rpartition(":")
    if not port.isdecimal():
        return False
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ip_address(host.strip("[]")) == ip_address(HOST)
    return False


def _command(
    binary: Path, address: str, ui_port: int, db_file: Path | None, namespace: str, log_level: str
) -> list[str]:
    ip, _, port = address.partition(":")
    flags = ["--ip", ip, "--port", port, "--ui-port", str(ui_port), "--ui-disable-news-fetch", "--log-level", log_level]
    flags += [part for value in DYNAMIC_CONFIG for part in ("--dynamic-config-value", value)]
    flags += [part for name in SearchAttribute.ALL for part in ("--search-attribute", f"{name}=Keyword")]
    if namespace != "default":
        flags += ["--namespace", namespace]
    if db_file is not None:
        # WAL halves what a step costs with a file (20 ms to 11 ms), and loses nothing when a process is killed.
        flags += ["--db-filename", str(db_file)]
        flags += ["--sqlite-pragma", "journal_mode=wal", "--sqlite-pragma", "synchronous=1"]
    return command_that_ends_with_us(binary, "server", "start-dev", *flags)


def _make_folder_of(file: Path) -> None:
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(f"The folder of the server's file {file} cannot be made: {error.strerror}.") from error


async def _spawn(command: list[str], output: deque[str]) -> tuple[asyncio.subprocess.Process, asyncio.Task[None]]:
    try:
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            # Ctrl-C at a terminal is for us: the worker drains first, and only then the server stops.
            start_new_session=True,
        )
    except OSError as error:
        raise ServerUnavailableError(f"The Temporal server cannot be run: {error}.") from error
    return process, asyncio.create_task(_keep_last_lines(process, output))


async def _keep_last_lines(process: asyncio.subprocess.Process, output: deque[str]) -> None:
    """Reads what the server says, so that it never blocks on a full pipe."""
    stream, rest = process.stdout, b""
    while stream is not None and (chunk := await stream.read(65_536)):
        *lines, rest = (rest + chunk).split(b"\n")
        rest = rest[-65_536:]
        output.extend(line.decode(errors="replace").strip() for line in lines)
    output.append(rest.decode(errors="replace").strip())


async def _wait_until_it_answers(
    process: asyncio.subprocess.Process, reader: asyncio.Task[None], address: str, output: deque[str]
) -> None:
    answered = asyncio.create_task(_poll(address))
    try:
        # The end of its output is the end of the server, and by then its last words have been read.
        await asyncio.wait({answered, reader}, timeout=START_TIMEOUT, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            answered.result()
            return
        said = "\n  ".join(line for line in output if line) or "(it said nothing)"
        how = f"did not answer within {START_TIMEOUT:g} seconds"
        if reader.done():
            how = f"ended at once with exit code {await process.wait()}"
        raise ServerUnavailableError(f"The Temporal development server for {address} {how}. It said:\n  {said}")
    finally:
        answered.cancel()


async def _poll(address: str) -> None:
    while True:
        with contextlib.suppress(ServerUnavailableError):
            await connect_to(address)
            return
        await asyncio.sleep(_BETWEEN_CHECKS)


async def _stop(process: asyncio.subprocess.Process, reader: asyncio.Task[None], *, orderly: bool) -> None:
    """Stops the server; without a file it has nothing to save, and an orderly stop would only cost a second."""
    try:
        with contextlib.suppress(ProcessLookupError):
            process.terminate() if orderly else process.kill()
        async with asyncio.timeout(STOP_TIMEOUT):
            await process.wait()
    except TimeoutError:
        process.kill()
    except asyncio.CancelledError:
        process.kill()
        raise
    finally:
        await process.wait()
        await reader


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return listener.getsockname()[1]
