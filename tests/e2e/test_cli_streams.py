"""What the command line shows of what models write, as they write it."""

import asyncio
import json
import os
import pty
import subprocess
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from benchmarks.slow_model import slow_model
from tests.e2e.commands import PROGRAM, Shell, Terminal
from tests.e2e.kills.driver import Stage

WORDS = 80
TELL: dict[str, Any] = {
    "name": "tell",
    "nodes": [
        {"id": "tell", "type": "ModelInvoke", "config": {"model": "gpt-4o-mini", "prompt": "Go on.", "stream": True}}
    ],
    "outputs": {"text": "{{ nodes.tell.text }}"},
}
STARTS: dict[str, Any] = {
    "name": "starts",
    "nodes": [{"id": "sub", "type": "Subworkflow", "config": {"definition": "tell", "mode": "child"}}],
}
TEXT = "".join(f"word{number} " for number in range(WORDS))
NOWHERE = "postgresql://somebody:hidden@127.0.0.1:1/nothing"


def word(_answer: int, number: int) -> str | None:
    return f"word{number} " if number < WORDS else None


@dataclass(frozen=True)
class Desk:
    """A shell, and the definition it may run."""

    shell: Shell
    definition: str
    starts_another: str
    """A definition that starts a run of that one."""
    on: asyncio.Event
    """Set, unless a test wants the model to wait in the middle of its text."""

    @contextmanager
    def on_a_screen(self, *arguments: str) -> Generator[Terminal]:
        """A command all of whose streams are a terminal."""
        ours, theirs = pty.openpty()
        with subprocess.Popen(
            [*PROGRAM, *arguments],
            cwd=self.shell.folder,
            env=self.shell.environment,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
        ) as process:
            os.close(theirs)
            try:
                yield Terminal(process, ours)  # pyright: ignore[reportArgumentType]  # only its screen is looked at
            finally:
                process.kill()
                os.close(ours)


@pytest.fixture
async def desk(stage: Stage, client: Client, tmp_path: Path, task_queue: str) -> AsyncGenerator[Desk]:
    definition, starts_another = tmp_path / "tell.yaml", tmp_path / "starts.json"
    definition.write_text(json.dumps(TELL), encoding="utf-8")
    starts_another.write_text(json.dumps(STARTS), encoding="utf-8")
    storage = {"ORCHESTRATOR_STORAGE_URL": f"sqlite:///{tmp_path / 'storage.db'}"}
    on = asyncio.Event()
    on.set()
    async with slow_model(word, 0.01) as model:
        model.pauses[WORDS // 2] = on
        here = {"ORCHESTRATOR_DEFINITIONS_DIR": str(tmp_path), **storage}
        worker = await stage.worker(task_queue, {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": model.url, **here})
        address = client.service_client.config.target_host
        here = {"TEMPORAL_ADDRESS": address, "ORCHESTRATOR_TASK_QUEUE": task_queue, "TERM": "xterm", **storage}
        yield Desk(Shell(tmp_path, here), str(definition), str(starts_another), on)
        await worker.kill()


async def started(desk: Desk, run_id: str) -> None:
    done = await told(desk.shell, "start", desk.definition, "--id", run_id)
    assert done.returncode == 0, done.stderr


async def told(shell: Shell, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command, while the model here goes on writing."""
    return await asyncio.to_thread(shell, *arguments)


async def test_a_stream_is_the_text_and_nothing_else(desk: Desk) -> None:
    await started(desk, "told-1")
    done = await told(desk.shell, "stream", "told-1")

    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{TEXT}\n"
    assert done.stderr.splitlines() == ["tell:"]


async def test_a_stream_as_json_has_a_record_a_line_and_goes_on_after_any_id(desk: Desk) -> None:
    await started(desk, "told-2")
    done = await told(desk.shell, "stream", "told-2", "--json")
    lines = done.stdout.splitlines()
    records = [json.loads(line) for line in lines]

    assert {record["type"] for record in records[:-1]} == {"DELTA"}
    assert "".join(record["text"] for record in records[:-1]) == TEXT
    assert (records[-1]["type"], records[-1]["reason"]) == ("FINISHED", "stop")
    middle = len(lines) // 2
    rest = await told(desk.shell, "stream", "told-2", "--json", "--after", str(records[middle]["id"]))
    assert rest.stdout.splitlines() == lines[middle + 1 :]


async def test_run_at_a_terminal_shows_the_text_while_it_is_written(desk: Desk) -> None:
    desk.on.clear()
    with desk.shell.at_terminal("run", desk.definition) as terminal:
        await asyncio.to_thread(terminal.wait_for, "word20 ")
        desk.on.set()
        await asyncio.to_thread(terminal.wait_for, "completed")
        code, out = await asyncio.to_thread(terminal.end)
    assert (code, TEXT.strip() in out) == (0, True)


async def test_progress_followed_at_a_terminal_shows_the_text_below_the_events(desk: Desk) -> None:
    desk.on.clear()
    await started(desk, "told-3")
    with desk.on_a_screen("progress", "told-3", "--follow") as terminal:
        await asyncio.to_thread(terminal.wait_for, "word20 ")
        assert "started" in terminal.seen
        desk.on.set()
        await asyncio.to_thread(terminal.wait_for, "run completed")


async def test_the_text_of_a_child_run_shows_with_its_place_wherever_that_of_the_run_does(desk: Desk) -> None:
    desk.on.clear()
    with desk.shell.at_terminal("run", desk.starts_another, "--id", "told-7") as terminal:
        await asyncio.to_thread(terminal.wait_for, "sub.tell:")
        await asyncio.to_thread(terminal.wait_for, "word20 ")
        with desk.on_a_screen("progress", "told-7", "--follow") as other:
            await asyncio.to_thread(other.wait_for, "word20 ")
        desk.on.set()
        await asyncio.to_thread(terminal.wait_for, "completed")
        code, _ = await asyncio.to_thread(terminal.end)
    assert code == 0
    # It can be read when all is over, too.
    done = await told(desk.shell, "stream", "told-7")
    assert (done.stdout, done.stderr.splitlines()) == (f"{TEXT}\n", ["sub.tell:"])
    done = await told(desk.shell, "stream", "told-7", "--json")
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert {record["node"] for record in records} == {"sub.tell"}
    (child,) = {record["run"] for record in records}
    assert child.startswith("told-7/sub/")
    # Its ids are its own: it is read on from one of them as the run that it is.
    rest = await told(desk.shell, "stream", child, "--json", "--after", str(records[-2]["id"]))
    assert [json.loads(line)["type"] for line in rest.stdout.splitlines()] == ["FINISHED"]


async def test_progress_elsewhere_has_just_the_events(desk: Desk) -> None:
    await started(desk, "told-4")
    done = await told(desk.shell, "progress", "told-4", "--follow")

    assert (done.returncode, done.stderr) == (0, "")
    assert "word" not in done.stdout


async def test_where_the_log_cannot_be_reached_a_run_works_and_one_line_says_why(desk: Desk) -> None:
    elsewhere = Shell(desk.shell.folder, {**desk.shell.variables, "ORCHESTRATOR_STORAGE_URL": NOWHERE})

    def look() -> tuple[str, int, str]:
        with elsewhere.at_terminal("run", desk.definition) as terminal:
            terminal.wait_for("completed")
            return terminal.seen, *terminal.end()

    seen, code, out = await asyncio.to_thread(look)
    assert seen.count("what models write cannot be shown: the storage cannot be reached") == 1
    assert (code, TEXT.strip() in out, "hidden" in seen) == (0, True, False)

    await started(desk, "told-5")
    done = await told(elsewhere, "stream", "told-5")
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.startswith("error STORAGE_UNAVAILABLE: the storage cannot be reached")
    assert "hidden" not in done.stderr


async def test_a_run_that_streams_nothing_here_says_what_to_look_at(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    variables = {name: value for name, value in desk.shell.variables.items() if name != "ORCHESTRATOR_STORAGE_URL"}
    await started(desk, "told-6")
    done = await told(Shell(other, variables), "stream", "told-6")

    assert (done.returncode, done.stdout) == (0, "")
    first, last = done.stderr.splitlines()
    assert first.startswith("nobody has written to .orchestrator/storage.db yet; ORCHESTRATOR_REDIS_URL and")
    assert last.startswith("nothing of this run is in .orchestrator/storage.db")
    assert not (other / ".orchestrator").exists()


async def test_a_stream_of_a_run_that_is_not_there_is_said(desk: Desk) -> None:
    done = await told(desk.shell, "stream", "nobody")

    assert (done.returncode, done.stdout) == (5, "")
    assert "nobody" in done.stderr
