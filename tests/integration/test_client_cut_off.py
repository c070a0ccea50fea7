"""What the client says when nobody takes an update, and when the server goes away within a call."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client

from orchestrator.client import Orchestrator
from orchestrator.client.calls import Calls
from orchestrator.connect import connect_to
from orchestrator.contracts import Message, RunRequest, SubmitReply
from orchestrator.devserver import DevServer
from orchestrator.errors import ServerUnavailableError, TooLargeError, WorkerMissingError

ASK: dict[str, Any] = {"name": "ask", "nodes": [{"id": "sure", "type": "UserInput", "config": {"question": "Sure?"}}]}
ANSWER = Message(text="yes", message_id="m-1")
_CHUNK = 65_536


class Line:
    """A way to the server that can be cut: what it says from then on is lost, and whoever waits for it cut off."""

    def __init__(self) -> None:
        self.address = ""
        self.asked = asyncio.Event()
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()

    def expect(self) -> None:
        """From now on ``asked`` is about what is sent next."""
        self.asked.clear()

    def cut(self) -> None:
        """Cut it."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    async def carry(self, host: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        far_reader, far_writer = await asyncio.open_connection(host, port)
        self._writers.add(writer)

        async def back() -> None:
            while answer := await far_reader.read(_CHUNK):
                if self._cut:
                    writer.transport.abort()
                    return
                writer.write(answer)

        answers = asyncio.create_task(back())
        try:
            while sent := await reader.read(_CHUNK):
                far_writer.write(sent)
                self.asked.set()
        except ConnectionError:
            pass
        finally:
            far_writer.close()
            await answers


@asynccontextmanager
async def line_to(address: str) -> AsyncGenerator[Line]:
    """A line to a server."""
    line, (host, _, port) = Line(), address.rpartition(":")

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await line.carry(host, int(port), reader, writer)

    server = await asyncio.start_server(carry, "127.0.0.1", 0)
    line.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    async with server:
        yield line
        line.cut()


def new_id() -> str:
    return f"run-{uuid.uuid4()}"


ASKING: dict[str, Callable[[Orchestrator, str], Coroutine[Any, Any, object]]] = {
    "result": lambda door, run_id: door.result(run_id),
    "progress": lambda door, run_id: door.progress(run_id),
    "answer": lambda door, run_id: door.answer(run_id, ANSWER),
}


@pytest.mark.parametrize("call", ASKING)
async def test_a_server_that_goes_away_within_a_call_is_away(server: DevServer, task_queue: str, call: str) -> None:
    async with line_to(server.address) as line:
        door = Orchestrator(await connect_to(line.address), task_queue)
        run_id = await door.start(RunRequest(definition=ASK), new_id())
        line.expect()
        asking = asyncio.create_task(ASKING[call](door, run_id))
        await line.asked.wait()
        line.cut()

        with pytest.raises(ServerUnavailableError, match="went away during the request"):
            await asking


async def test_an_update_that_no_worker_takes_says_so(client: Client, task_queue: str) -> None:
    run_id = await Orchestrator(client, task_queue).start(RunRequest(definition=ASK), new_id())

    with pytest.raises(WorkerMissingError, match=f"task queue `{task_queue}`"):
        await Calls(client, task_queue, patience_s=0.5).update(run_id, "submit", ANSWER, SubmitReply)


async def test_an_update_can_be_cancelled(client: Client, task_queue: str) -> None:
    run_id = await Orchestrator(client, task_queue).start(RunRequest(definition=ASK), new_id())

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await Calls(client, task_queue).update(run_id, "submit", ANSWER, SubmitReply)


@pytest.mark.parametrize("size", [2_500_000, 5_000_000], ids=["one value", "the request"])
async def test_what_the_server_does_not_take_for_its_size_is_too_large(
    client: Client, task_queue: str, size: int
) -> None:
    request = RunRequest(definition=ASK, inputs={"text": "a" * size})

    with pytest.raises(TooLargeError, match="larger than the Temporal server takes"):
        await Orchestrator(client, task_queue).start(request, new_id())
