"""A definition of thirty nodes, written from ``docs/authoring.md`` alone, run from start to end."""

import json
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from temporalio.client import Client

from orchestrator.contracts import Message
from orchestrator.settings import Settings
from tests.integration.running import Runs
from worker import build_worker, open_dependencies

GOODS = [
    {"name": "lamp", "price": 9, "score": 0.8, "weight": 2},
    {"name": "sofa", "price": 10, "score": 0.9, "weight": 60},
    {"name": "boat", "price": 99, "score": 0.1, "weight": 900},
]
ANSWERS: dict[str, tuple[int, Any]] = {
    "/catalogue": (200, {"goods": GOODS}),
    "/customer": (200, {"name": "Ada"}),
    "/depots/near": (200, {"depot": "north"}),
    "/depots/far": (200, {"depot": "north"}),
    "/orders": (201, {"number": "OR000001"}),
}


class Shop:
    """A web shop on loopback. ``seen`` are the requests it got: method, address, body."""

    def __init__(self) -> None:
        self.url = ""
        self.seen: list[tuple[str, str, Any]] = []


@pytest.fixture
def shop() -> Generator[Shop]:
    """The shop, open for the test."""
    found = Shop()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            found.seen.append((self.command, self.path, json.loads(body) if body else None))
            status, content = ANSWERS[self.path.partition("?")[0]]
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        do_GET = do_POST = answer  # noqa: N815 - names the server looks for

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name the base class has
            """Says nothing: the test's output is not the place."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    found.url = f"http://127.0.0.1:{server.server_address[1]}"
    yield found
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def definition() -> dict[str, Any]:
    """The definition, as an author would send it."""
    text = Path(__file__).with_name("thirty_nodes.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(text)


async def test_it_has_thirty_nodes_and_runs_from_the_first_question_to_the_order(
    definition: dict[str, Any], shop: Shop, client: Client, task_queue: str, worker_settings: Settings
) -> None:
    assert len(definition["nodes"]) == 30
    runs = Runs(client, task_queue)
    inputs = {"message": "A LAMP please a sofa for the Garden", "shop": shop.url, "urgency": 4, "voucher": "GIFT"}
    async with (
        open_dependencies(worker_settings) as dependencies,
        build_worker(client, worker_settings, dependencies=dependencies),
    ):
        run_id = await runs.start(definition, inputs)
        question = await runs.waits(run_id, "ask_amount")
        await runs.door.answer(run_id, Message(text="3"))
        await runs.waits(run_id, "confirm")
        await runs.door.answer(run_id, Message(values=True))
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    assert question.question == "How many of SOFA or LAMP? One costs 25."
    assert result.outputs["letter"] == {
        "customer": "Ada",
        "order": "OR000001",
        "refused": False,
        "apologised": True,
        "discount": "Voucher GIFT",
        "drafts": 3,
    }
    assert result.outputs["goods"] == ["SOFA", "LAMP"]
    assert result.outputs["found"] == {"goods_found": 200, "customer": "Ada"}
    assert (result.outputs["price"], result.outputs["depot"]) == (25.0, "north")
    assert ("POST", "/orders", {"amount": 3, "goods": ["SOFA", "LAMP"], "depot": "north"}) in shop.seen
    assert {"draft", "draft#2", "draft#3", "enough#3", "order", "letter"} <= set(result.path)


async def test_the_ways_not_taken_are_skipped_and_the_rest_runs_to_its_end(
    definition: dict[str, Any], shop: Shop, client: Client, task_queue: str, worker_settings: Settings
) -> None:
    runs = Runs(client, task_queue)
    async with (
        open_dependencies(worker_settings) as dependencies,
        build_worker(client, worker_settings, dependencies=dependencies),
    ):
        run_id = await runs.start(definition, {"message": "hello", "shop": shop.url, "urgency": 5})
        await runs.waits(run_id, "ask_amount")
        await runs.door.send(run_id, Message(text="1", node="ask_amount"))
        await runs.waits(run_id, "confirm")
        await runs.door.send(run_id, Message(text="false"))
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)

    assert result.status == "completed", result.error
    assert (result.outputs["letter"]["refused"], result.outputs["letter"]["order"]) == (True, None)
    skipped = {name for name, node in state.nodes.items() if node.status == "skipped"}
    assert skipped == {"discount", "nothing_fits", "one_piece", "order"}
