"""Does what ``demo`` asks for: a server, a worker, a small web service of its own, and a run that uses them all."""

import asyncio
import json
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any, Final
from uuid import uuid4

from orchestrator.cli.answers import Answers
from orchestrator.cli.errors import INTERRUPTED
from orchestrator.cli.output import at_terminal, say
from orchestrator.cli.running import finish
from orchestrator.cli.session import Session, embedded, existing, is_loopback, working
from orchestrator.connect import connection_config
from orchestrator.contracts import RunRequest
from orchestrator.definition.loader import load_file
from orchestrator.devserver import HOST, register_search_attributes
from orchestrator.errors import DefinitionNotFoundError, ServerUnavailableError
from orchestrator.settings import Settings, load_settings

__all__ = ["demo", "shop"]

DEFAULT_ANSWER: Final = "yes"
_FILE: Final = Path(__file__).parents[2] / "definitions" / "demo.yaml"
_STATES: Final = ("packed", "on its way", "delivered")
_CUSTOMERS: Final[dict[str, dict[str, Any]]] = {"ada": {"name": "Ada", "orders": 7}}
_MOST_BYTES: Final = 100_000


def demo(given: Sequence[str], *, as_json: bool) -> int:
    """Run the demo and print how it went. Returns the exit code."""
    # The shop is on this machine, where requests may not go otherwise.
    settings = load_settings(http_allow_private=[HOST])
    run_id = f"demo-{uuid4().hex[:8]}"
    try:
        return asyncio.run(_demo(settings, run_id, given, as_json=as_json))
    except KeyboardInterrupt:
        say("\ninterrupted")
        return INTERRUPTED


async def _demo(settings: Settings, run_id: str, given: Sequence[str], *, as_json: bool) -> int:
    file = _FILE if _FILE.is_file() else settings.definitions_dir / "demo.yaml"
    if not file.is_file():
        raise DefinitionNotFoundError(f"the demo runs {file}, which is not there; run it in a copy of the repository")
    definition = load_file(file)
    answers = Answers(
        given,
        nodes=frozenset(node.id for node in definition.nodes),
        interactive=not given and at_terminal(),
        otherwise=DEFAULT_ANSWER,
    )
    with shop() as service:
        async with _session(settings) as session:
            kind = "started for this demo" if session.embedded else "was there already"
            say(f"server  {session.address} ({kind})")
            if session.ui_url:
                say(f"web ui  {session.ui_url}")
            say(f"shop    {service} (the web service that the run asks)")
            request = RunRequest(definition=definition.source.data, inputs={"service": service})
            await session.orchestrator.start(request, run_id)
            code = await finish(session, run_id, answers, as_json=as_json)
    if session.embedded:
        say("\nThe server has ended with the demo. To look at the run at leisure: `make dev` in one terminal, and")
        say("`make demo` again in another; it then uses that server, and the run stays there.")
    return code


@asynccontextmanager
async def _session(settings: Settings) -> AsyncGenerator[Session]:
    """The development server of this machine if there is one, else one of our own; with a worker either way."""
    if is_loopback(connection_config().get("target_host")):
        try:
            session = await existing(settings)
        except ServerUnavailableError:
            pass
        else:
            await register_search_attributes(session.client)
            async with working(session.client, settings):
                yield session
            return
    async with embedded(settings) as session:
        yield session


@contextmanager
def shop() -> Generator[str]:
    """A small web service on loopback, as long as the context lasts. Gives its address.

    A parcel moves on by one state each time somebody looks at it.
    """
    looks: dict[str, int] = {}
    lock = Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _, kind, name = (*self.path.split("/", 2), "", "")[:3]
            if kind == "customers" and name in _CUSTOMERS:
                self.reply(200, _CUSTOMERS[name])
            elif kind == "parcels" and name:
                with lock:
                    seen = looks[name] = looks.get(name, 0) + 1
                self.reply(200, {"id": name, "state": _STATES[min(seen, len(_STATES)) - 1]})
            else:
                self.reply(404, {"error": "there is no such thing"})

        def do_POST(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            if self.path != "/replies" or length > _MOST_BYTES:
                self.reply(404, {"error": "there is no such thing"})
                return
            self.rfile.read(length)
            # The same key names the same reply: sent twice, it counts once.
            key = self.headers.get("idempotency-key", "")
            self.reply(201, {"id": f"reply-{sum(key.encode()) % 9000 + 1000}"})

        def reply(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class has
            """Says nothing: the run's progress is what people look at."""

    server = ThreadingHTTPServer((HOST, 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
