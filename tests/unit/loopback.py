"""A real web server on loopback that answers as a test tells it to."""

import json
import tempfile
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Dependencies, all_activities
from activities.blobs import BlobStore, FolderBlobs
from activities.providers.simulated import Simulated
from activities.web import web_client
from orchestrator.contracts import NodeCall, NodeOutput


@dataclass(frozen=True)
class Answer:
    """What the server says. ``hold`` keeps it silent until the event is set."""

    status: int = 200
    body: bytes | str | dict[str, Any] = ""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hold: Event | None = None


@dataclass(frozen=True)
class Seen:
    """A request that arrived. Header names in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Web:
    """Answers with ``answers`` in turn, the last one for ever; keeps what it ``seen``."""

    def __init__(self) -> None:
        self.answers: list[Answer] = [Answer()]
        self.seen: list[Seen] = []
        self.url = ""


@contextmanager
def listening(handler: type[BaseHTTPRequestHandler]) -> Generator[str]:
    """The address of a server on loopback, until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def web() -> Generator[Web]:
    """The server, until the block ends."""
    state = Web()

    class Handler(BaseHTTPRequestHandler):
        def handle_any(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            state.seen.append(Seen(self.command, self.path, headers, self.rfile.read(length)))
            answer = state.answers.pop(0) if len(state.answers) > 1 else state.answers[0]
            if answer.hold is not None:
                answer.hold.wait(10)
                return
            kind = {} if isinstance(answer.body, (bytes, str)) else {"content-type": "application/json"}
            body = answer.body if isinstance(answer.body, (bytes, str)) else json.dumps(answer.body)
            content = body.encode() if isinstance(body, str) else body
            self.send_response(answer.status)
            for name, value in {**kind, **answer.headers, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

        do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - names the server looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class has
            """Says nothing: the test's output is not the place."""

    with listening(Handler) as state.url:
        yield state


def call(type_: str, config: Any, values: dict[str, Any] | None = None, **more: Any) -> NodeCall:
    """A call of a node of this type, called ``node``, in run ``run-1``."""
    return NodeCall(node="node", type=type_, config=config, values=values or {}, first_run_id="run-1", **more)


async def perform(
    node_call: NodeCall,
    *,
    allowed: Sequence[str] = ("127.0.0.1",),
    blobs: BlobStore | None = None,
    environment: ActivityEnvironment | None = None,
    **parts: Any,
) -> NodeOutput:
    """Runs the activity of the node's type, as a worker would, with real parts; ``blobs`` if they are to be kept.

    ``parts`` are fields of ``Dependencies``, in place of the usual ones.
    """
    with tempfile.TemporaryDirectory() as folder:
        async with web_client(allowed) as client:
            usual: dict[str, Any] = {"chat": {"simulated": Simulated()}, "http_max_bytes": 800_000}
            given = {name: part for name, part in parts.items() if part is not None}
            deps = Dependencies(http=client, blobs=blobs or FolderBlobs(Path(folder)), **{**usual, **given})
            named = {getattr(a, "__temporal_activity_definition").name: a for a in all_activities(deps)}
            return await (environment or ActivityEnvironment()).run(named[node_call.type], node_call)


async def fetch(url: str, *, max_bytes: int = 800_000, **config: Any) -> dict[str, Any]:
    """The output of an HttpRequest."""
    output = await perform(call("HttpRequest", {"url": url, **config}), http_max_bytes=max_bytes)
    return output.output


async def refused(url: str, **config: Any) -> ApplicationError:
    """The error of an HttpRequest that has to fail."""
    with pytest.raises(ApplicationError) as caught:
        await fetch(url, **config)
    return caught.value
