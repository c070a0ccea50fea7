"""The demo is the first thing people run: it has to work, fast, with nothing set up."""

import json
import time
from pathlib import Path

import httpx

from orchestrator.cli.demonstration import shop
from orchestrator.definition.loader import load_file
from tests.e2e.commands import ROOT, Shell

MOST_SECONDS = 30
"""Half of it on an idle machine; tests share theirs."""
AWAY = {"TEMPORAL_ADDRESS": "192.0.2.1:7233"}
"""Not this machine: the demo never touches such a server."""


def test_the_demo_shows_everything_and_ends_well(tmp_path: Path) -> None:
    begun = time.monotonic()

    done = Shell(tmp_path, AWAY)("demo")

    assert time.monotonic() - begun < MOST_SECONDS
    assert done.returncode == 0, done.stderr
    assert "awaiting input" in done.stderr
    assert "answering 'yes'" in done.stderr
    assert '"outcome": "sent as reply-' in done.stdout
    assert "path    " in done.stdout
    assert "web ui  http://127.0.0.1:" in done.stdout
    assert "make dev" in done.stderr


def test_the_demo_takes_an_answer_and_prints_json(tmp_path: Path) -> None:
    done = Shell(tmp_path, AWAY)("demo", "--answer", "no", "--json")
    result = json.loads(done.stdout)

    assert (done.returncode, result["status"]) == (0, "completed")
    assert result["outputs"]["outcome"] == "kept as a draft"
    assert result["outputs"]["journey"] == ["packed", "on its way", "delivered"]
    assert {"track#3", "voucher", "draft", "approve", "shelve"} <= set(result["path"])
    assert result["usage"]["calls"] == 1


def test_the_demo_asks_who_sits_there(tmp_path: Path) -> None:
    with Shell(tmp_path, AWAY).at_terminal("demo") as terminal:
        terminal.wait_for("approve asks: Send this reply to Ada?")
        terminal.type("no")
        code, out = terminal.end()

    assert code == 0
    assert "kept as a draft" in out


def test_the_definition_shows_what_it_promises() -> None:
    definition = load_file(ROOT / "definitions/demo.yaml")

    assert {node.type for node in definition.nodes} >= {"HttpRequest", "ModelInvoke", "Router", "UserInput"}
    assert any(edge.when for edge in definition.edges)


def test_the_shop_refuses_what_it_does_not_have() -> None:
    with shop() as address, httpx.Client(base_url=address, trust_env=False) as web:
        answers = [web.get("/"), web.get("/customers/eve"), web.post("/elsewhere", json={}), web.get("/parcels/")]

    assert [answer.status_code for answer in answers] == [404] * 4
