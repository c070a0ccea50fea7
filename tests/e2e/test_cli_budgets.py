"""The command line on money: what was spent, by whom, and what a dead worker left behind."""

import asyncio
import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from orchestrator.cli.errors import WAITING
from storage import Cap, EntryKey, Ledger, Standing, open_storage
from storage.tables import ENTRIES
from tests.e2e.commands import Shell, developing
from tests.unit.loopback import Answer, web

COMPLETION: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}}],
    "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "total_tokens": 1500},
}
ASK = """
name: ask
nodes:
  - {id: ask, type: ModelInvoke, config: {model: gpt-4o-mini, prompt: Hi, max_tokens: 500}}
outputs: {text: "{{ nodes.ask.text }}"}
"""
HELD = """
name: held
nodes:
  - {id: ask, type: ModelInvoke, config: {model: gpt-4o-mini, prompt: Hi, max_tokens: 500}}
  - {id: sure, type: UserInput, config: {question: "Sure?"}}
edges: [{from: ask, to: sure}]
outputs: {text: "{{ nodes.ask.text }}"}
"""
FAMILY = """
name: family
nodes:
  - {id: ask, type: ModelInvoke, config: {model: gpt-4o-mini, prompt: Hi, max_tokens: 500}}
  - {id: child, type: Subworkflow, config: {definition: ask, mode: child}}
outputs: {}
"""
DEAD = EntryKey(first_run_id="gone", node="ask", visit=1, run_id="gone", attempt=1)
BESIDE = EntryKey(first_run_id="gone", node="ask", visit=1, run_id="gone", attempt=2)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A folder whose worker asks a model that costs something, and two calls whose worker has died."""
    folder = tmp_path_factory.mktemp("budgets")
    (folder / "definitions").mkdir()
    for name, text in (("ask", ASK), ("held", HELD), ("family", FAMILY)):
        (folder / "definitions" / f"{name}.yaml").write_text(text, encoding="utf-8")
    asyncio.run(leave_behind(ledger_of(folder)))
    with web() as site, pytest.MonkeyPatch.context() as patch:
        site.answers = [Answer(body=COMPLETION)]
        patch.setenv("ORCHESTRATOR_STORAGE_URL", ledger_of(folder))
        patch.setenv("OPENAI_API_KEY", "sk-test")
        patch.setenv("OPENAI_BASE_URL", f"{site.url}/v1")
        with developing(folder) as (shell, _):
            yield shell


def ledger_of(folder: Path) -> str:
    return f"sqlite:///{folder / 'storage.db'}"


async def leave_behind(url: str) -> None:
    async with open_storage(url) as storage:
        for key in (DEAD, BESIDE):
            await Ledger(storage).reserve(
                key, 1_000_000, [Cap("user:acme/ada")], provider="openai", model="gpt-4o-mini"
            )


async def age(url: str, how_long: timedelta) -> None:
    """Make every call of the ledger so old."""
    then = datetime.now(UTC) - how_long
    async with open_storage(url) as storage, storage.writing() as connection:
        await connection.execute(update(ENTRIES).values(at=then))
        await connection.execute(update(ENTRIES).where(ENTRIES.c.state != "reserved").values(ended_at=then))


async def standing(url: str) -> Standing:
    async with open_storage(url) as storage:
        return await Ledger(storage).standing("user:acme/ada")


def test_money_is_shown_by_scope_and_call_and_what_the_dead_left_is_reconciled(shell: Shell) -> None:
    url = ledger_of(shell.folder)
    assert shell("run", "ask", "--id", "ask-1").returncode == 0

    assert "user:acme/ada\t$0.000000\t$0.002000" in shell("budgets").stdout.splitlines()
    [run] = json.loads(shell("budgets", "--scope", "run:", "--json").stdout)
    assert (run["spent_usd"], run["reserved_usd"]) == (0.00045, 0.0)

    calls = shell("budgets", "run", "ask-1")
    assert "$0.000450" in calls.stdout
    [call] = json.loads(shell("budgets", "run", "ask-1", "--json").stdout)
    assert (call["node"], call["attempt"], call["state"], call["input_tokens"]) == ("ask", 1, "settled", 1000)

    left = json.loads(shell("budgets", "open", "--json").stdout)
    assert [entry["attempt"] for entry in left] == [1, 2]
    assert json.loads(shell("budgets", "open", "--older-than", "1h", "--json").stdout) == []

    asyncio.run(age(url, timedelta(hours=2)))
    nobody = shell("budgets", "reconcile", "--book")
    assert (nobody.returncode, "nobody is here to confirm it" in nobody.stderr) == (2, True)
    left = shell("budgets", "reconcile", "--book", "--yes")
    assert left.stdout == "booked: 0 calls, $0.000000\n"
    assert "asked namespace default at 127.0.0.1:" in left.stderr
    assert "it does not have their runs: 2 calls" in left.stderr
    booked = shell("budgets", "reconcile", "--book", "--missing", "--yes")
    assert booked.stdout == "booked: 2 calls, $0.002000\n"
    assert asyncio.run(standing(url)) == Standing(spent=2_000_000, reserved=0)
    assert shell("budgets", "open").stderr.strip().endswith("no call is open")


def test_what_ended_long_ago_is_pruned_except_the_calls_of_open_runs(shell: Shell) -> None:
    url = ledger_of(shell.folder)
    assert shell("run", "ask", "--id", "ask-2").returncode == 0
    assert shell("run", "held", "--id", "held-1").returncode == WAITING
    [spent] = json.loads(shell("budgets", "run", "held-1", "--json").stdout)

    asyncio.run(age(url, timedelta(days=40)))
    nothing = json.loads(shell("budgets", "prune", "--json").stdout)
    assert (nothing["entries"], nothing["entries_of_open_runs"], nothing["deleted"]) == (0, 0, False)
    counted = shell("budgets", "prune", "--older-than", "30d")
    assert counted.stdout.startswith("would be deleted: ")
    assert "--yes deletes them" in counted.stderr
    assert len(json.loads(shell("budgets", "run", "ask-2", "--json").stdout)) == 1

    pruned = shell("budgets", "prune", "--older-than", "30d", "--yes")
    assert pruned.stdout == counted.stdout.replace("would be deleted", "deleted")
    assert "kept, since their runs are open: 1 call" in pruned.stderr
    assert json.loads(shell("budgets", "run", "ask-2", "--json").stdout) == []
    [still] = json.loads(shell("budgets", "run", "held-1", "--json").stdout)
    assert still["spent_usd"] == spent["spent_usd"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["reconcile"], "one of --book and --release"),
        (["reconcile", "--book", "--release"], "one of --book and --release"),
        (["open", "--older-than", "soon"], "--older-than"),
        (["reconcile", "--book", "--yes", "--older-than", "59s"], "give 1m or more"),
        (["prune", "--older-than", "23h"], "give 1d or more"),
        (["run", "nobody-1"], "no run has the id `nobody-1`"),
    ],
)
def test_what_makes_no_sense_is_refused(shell: Shell, arguments: list[str], reason: str) -> None:
    refused = shell("budgets", *arguments)

    assert refused.returncode != 0
    assert reason in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_child_runs_have_spent_is_said_beside_the_calls_of_a_run(shell: Shell) -> None:
    assert shell("run", "family", "--id", "family-1").returncode == 0

    found = shell("budgets", "run", "family-1")
    assert "1 call, $0.000450 spent" in found.stdout
    assert "its child runs have spent $0.000450 more, $0.000900 together" in found.stderr
    assert len(json.loads(shell("budgets", "run", "family-1", "--json").stdout)) == 1
