"""Stands before the wire server and puts right where it speaks otherwise than the services themselves.

What it mends, by what the services' own documentation and clients say:

- Gemini ends a call of a tool with ``STOP``, not ``FUNCTION_CALL``, and turns texts into vectors by
  ``batchEmbedContents``.
- Anthropic calls what it cuts off a ``refusal``.
- Bedrock refuses in a form of its own, has no ``contentBlockStart`` for text (AWS's client takes none that is empty),
  and other words for why a model stopped; its models turn texts into vectors by ``invoke``.
"""

import json
import socket
from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from activities.providers.base import ChatReply, ChatRequest, EmbedReply, EmbedRequest
from tests.unit.frames import event

__all__ = ["ANTHROPIC", "BEDROCK", "GEMINI", "Mannerly", "Manners", "mannerly"]

_PRELUDE = 12
_PASSED_ON = ("content-type", "retry-after", "location")


def _as_it_is(piece: bytes) -> bytes:
    return piece


def _events(answer: HTTPResponse) -> Iterator[bytes]:
    """Server-sent events, each with the empty line after it; what was cut off has none."""
    lines: list[bytes] = []
    while line := answer.readline():
        lines.append(line)
        if not line.strip():
            yield b"".join(lines)
            lines = []
    if lines:
        yield b"".join(lines)


def _frames(answer: HTTPResponse) -> Iterator[bytes]:
    """Frames of AWS's event stream."""
    while prelude := answer.read(_PRELUDE):
        yield prelude + answer.read(int.from_bytes(prelude[:4], "big") - len(prelude))


@dataclass(frozen=True, kw_only=True)
class Manners:
    """How a service does what the wire server does otherwise.

    ``pieces`` cuts a stream into what ``mended`` is done to, as to a whole answer. ``refusal``: a refusal in its form.
    ``vectors``: the texts of a request for vectors at a path, none if it is no such request, and how they are told.
    """

    pieces: Callable[[HTTPResponse], Iterator[bytes]] = _events
    mended: Callable[[bytes], bytes] = _as_it_is
    refusal: Callable[[bytes], bytes] = _as_it_is
    texts: Callable[[str, bytes], list[str] | None] = lambda _path, _body: None
    vectors: Callable[[list[list[float]]], Any] = lambda vectors: vectors


def _gemini_texts(path: str, body: bytes) -> list[str] | None:
    if not path.endswith(":batchEmbedContents"):
        return None
    return [request["content"]["parts"][0]["text"] for request in json.loads(body)["requests"]]


GEMINI = Manners(
    mended=lambda piece: piece.replace(b'"FUNCTION_CALL"', b'"STOP"'),
    texts=_gemini_texts,
    vectors=lambda vectors: {"embeddings": [{"values": vector} for vector in vectors]},
)

ANTHROPIC = Manners(mended=lambda piece: piece.replace(b'"content_filter"', b'"refusal"'))


def _bedrock_piece(piece: bytes) -> bytes:
    if b"contentBlockStart" in piece and b'"start":{}' in piece:
        return b""
    for word, of_aws in ((b"content_filter", b"content_filtered"), (b"length", b"max_tokens")):
        if b'"stopReason":"%b"' % word in piece:
            # The lengths and checks of a frame are of its content.
            stop = {"stopReason": of_aws.decode()}
            framed = b":event-type" in piece
            return event("messageStop", stop) if framed else piece.replace(b'"%b"' % word, b'"%b"' % of_aws)
    return piece


def _bedrock_refusal(body: bytes) -> bytes:
    return json.dumps({"message": json.loads(body)["error"]["message"]}).encode()


BEDROCK = Manners(
    pieces=_frames,
    mended=_bedrock_piece,
    refusal=_bedrock_refusal,
    texts=lambda path, body: [json.loads(body)["inputText"]] if path.endswith("/invoke") else None,
    vectors=lambda vectors: {"embedding": vectors[0]},
)


@contextmanager
def mannerly(manners: Manners, url: str) -> Generator[str]:
    """The address of the wire server at ``url`` with these manners, while the block lasts."""
    server = _Server(manners, url)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Mannerly:
    """A provider on the wire server, with the manners of its service in between, until it is closed."""

    def __init__(self, manners: Manners, url: str, opened: Callable[[str], Any]) -> None:
        self._between = ExitStack()
        # A server that is away has to be away for the provider as well.
        there = self._between.enter_context(mannerly(manners, url)) if _is_there(url) else url
        self._provider = opened(there)
        self.name: str = self._provider.name

    async def complete(self, request: ChatRequest) -> ChatReply:
        return await self._provider.complete(request)

    def stream(self, request: ChatRequest) -> AsyncIterator[str | ChatReply]:
        return self._provider.stream(request)

    async def embed(self, request: EmbedRequest) -> EmbedReply:
        return await self._provider.embed(request)

    async def close(self) -> None:
        await self._provider.close()
        self._between.close()


def _is_there(url: str) -> bool:
    """Whether a server listens there; nothing is said to it."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((urlsplit(url).hostname, urlsplit(url).port))
        except OSError:
            return True
    return False


class _Server(ThreadingHTTPServer):
    def __init__(self, manners: Manners, url: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.manners = manners
        self.there = urlsplit(url)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - it is ours alone

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        line = HTTPConnection(self.server.there.hostname or "", self.server.there.port)
        self.close_connection = True
        # Whatever breaks off on one side breaks off on the other, as the connection is closed with nothing more.
        with closing(line), suppress(OSError, HTTPException):
            texts = self.server.manners.texts(self.path, body)
            if texts is None:
                self._pass_on(line, body)
            else:
                self._turn(line, texts)

    def _turn(self, line: HTTPConnection, texts: list[str]) -> None:
        line.request("POST", "/v1/embeddings", json.dumps({"model": "m", "input": texts}))
        answer = line.getresponse().read()
        with suppress(ValueError, LookupError):
            vectors = [found["embedding"] for found in json.loads(answer)["data"]]
            answer = json.dumps(self.server.manners.vectors(vectors)).encode()
        self._tell(HTTPStatus.OK, answer, {})

    def _pass_on(self, line: HTTPConnection, body: bytes) -> None:
        manners = self.server.manners
        line.request("POST", self.path, body, {"content-type": "application/json"})
        answer = line.getresponse()
        told = {name: value for name in _PASSED_ON if (value := answer.headers.get(name))}
        if answer.status >= HTTPStatus.BAD_REQUEST:
            self._tell(answer.status, manners.refusal(answer.read()), told)
        elif answer.headers.get("transfer-encoding") == "chunked" and "json" not in told.get("content-type", ""):
            self._pour(answer, told)
        else:
            self._tell(answer.status, manners.mended(answer.read()), told)

    def _begin(self, status: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "connection": "close"}.items():
            self.send_header(name, value)
        self.end_headers()

    def _tell(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self._begin(status, {**headers, "content-length": str(len(body))})
        self.wfile.write(body)

    def _pour(self, answer: HTTPResponse, headers: Mapping[str, str]) -> None:
        self._begin(answer.status, {**headers, "transfer-encoding": "chunked"})
        for piece in map(self.server.manners.mended, self.server.manners.pieces(answer)):
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class has
        """Says nothing: the test's output is not the place."""
