"""A real web server on loopback that answers piece by piece, and breaks off where a test wants it to."""

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from threading import Event
from typing import Any, Literal

from tests.unit.loopback import Seen, listening


@dataclass(frozen=True)
class Pour:
    """An answer of ``pieces``, ``delay`` seconds apart.

    ``end``: ``whole`` ends it properly, ``cut`` drops the connection, ``hang`` says no more until the reader goes.
    """

    pieces: Sequence[bytes]
    delay: float = 0.0
    end: Literal["whole", "cut", "hang"] = "whole"
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    status: int = 200


class Pouring:
    """Pours ``answer`` for every request; keeps what it has ``seen``. ``left``: a reader went before the end."""

    def __init__(self) -> None:
        self.answer = Pour([])
        self.seen: list[Seen] = []
        self.left = Event()
        self.url = ""


def _pour(handler: BaseHTTPRequestHandler, state: Pouring) -> None:
    answer = state.answer
    handler.close_connection = True
    try:
        for piece in answer.pieces:
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
            time.sleep(answer.delay)
        if answer.end == "whole":
            handler.wfile.write(b"0\r\n\r\n")
    except OSError:
        state.left.set()
    if answer.end == "hang":
        handler.connection.settimeout(10)
        if not handler.connection.recv(1):
            state.left.set()


@contextmanager
def pouring(*pieces: bytes, kind: str = "text/event-stream", **more: Any) -> Generator[Pouring]:
    """The server, until the block ends."""
    state = Pouring()
    state.answer = Pour(pieces, **more)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            names = {name.lower(): value for name, value in self.headers.items()}
            state.seen.append(Seen(self.command, self.path, names, self.rfile.read(length)))
            self.send_response(state.answer.status)
            for name, value in {"content-type": kind, **state.answer.headers, "transfer-encoding": "chunked"}.items():
                self.send_header(name, value)
            self.end_headers()
            _pour(self, state)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class has
            """Says nothing: the test's output is not the place."""

    with listening(Handler) as state.url:
        yield state
