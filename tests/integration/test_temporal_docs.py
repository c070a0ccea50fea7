"""Everything that docs/temporal.md shows is run, in order, and must say what the page shows."""

import asyncio
import os
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from orchestrator import errors
from orchestrator.contracts import TASK_QUEUE, EventType, RunStatus, SearchAttribute
from orchestrator.devserver import DevServer
from orchestrator.temporal_binary import find_binary
from orchestrator.workflow.interpreter import GraphWorkflow
from tests.integration.conftest import RunningWorker

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/temporal.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PATIENCE_S = 100
PATIENCE_WITH_A_BLOCK_S = 20
PAUSE_S = 0.1


@dataclass(frozen=True)
class Shown:
    """A block that can be run, and the lines that the page says it gives."""

    language: str
    text: str
    gives: tuple[str, ...]

    @property
    def repeatable(self) -> bool:
        """What only asks may be asked again until it says what is shown; what starts a run may not."""
        return self.language == "bash" and re.search(r" workflow (start|execute) ", self.text) is None

    @property
    def refused(self) -> bool:
        """The page shows an error."""
        return bool(self.gives) and self.gives[0].startswith("Error: ")

    def missing(self, said: str) -> list[str]:
        """The shown lines that are not in ``said``."""
        return [line for line in self.gives if not _pattern(line).search(said)]


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(r"[^\n]*".join(re.escape(part) for part in line.split("…")))


def shown() -> list[Shown]:
    blocks = BLOCK.findall(PAGE)
    assert {language for language, _ in blocks} == {"bash", "python", "text"}
    following = [*blocks[1:], ("", "")]
    return [
        Shown(language, text, tuple(after.splitlines()) if kind == "text" else ())
        for (language, text), (kind, after) in zip(blocks, following, strict=True)
        if language != "text"
    ]


async def run(block: Shown, folder: Path, environment: dict[str, str]) -> tuple[int | None, str]:
    command = ["bash", "-e", "-c", block.text] if block.language == "bash" else [sys.executable, "-c", block.text]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_every_block_of_the_page_runs_and_says_what_is_shown(
    server: DevServer, running_worker: RunningWorker, tmp_path: Path
) -> None:
    blocks = shown()
    folders = [str((await find_binary()).parent), sysconfig.get_path("scripts"), os.environ["PATH"]]
    environment = {**os.environ, "TEMPORAL_ADDRESS": server.address, "PATH": os.pathsep.join(folders)}

    async with (
        asyncio.timeout(PATIENCE_S),
        running_worker(task_queue=TASK_QUEUE, definitions_dir=ROOT / "definitions"),
    ):
        for block in blocks:
            code, said = await run(block, tmp_path, environment)
            give_up = asyncio.get_running_loop().time() + PATIENCE_WITH_A_BLOCK_S
            while block.repeatable and block.missing(said) and asyncio.get_running_loop().time() < give_up:
                await asyncio.sleep(PAUSE_S)
                code, said = await run(block, tmp_path, environment)
            assert block.missing(said) == [], f"{block.text}\nsaid:\n{said}"
            assert (code != 0) == block.refused, f"{block.text}\nended with {code}:\n{said}"


def test_the_page_shows_every_way_to_drive_a_run() -> None:
    bash = "".join(block.text for block in shown() if block.language == "bash")
    python = "".join(block.text for block in shown() if block.language == "python")

    for verb in ("start", "query", "signal", "update execute", "cancel", "list", "reset"):
        assert f"temporal workflow {verb} " in bash
    for call in ("start_workflow(", ".query(", ".signal(", ".execute_update(", ".cancel(", "list_workflows("):
        assert call in python
    assert all("import" not in line or "orchestrator" not in line for line in python.splitlines())


def test_every_error_code_is_listed_and_no_other() -> None:
    listed = re.findall(r"^\| `([A-Z]+(?:_[A-Z]+)*)` \|", PAGE, re.MULTILINE)
    classes = [value for name in errors.__all__ if isinstance(value := getattr(errors, name), type)]
    codes = {kind.code for kind in classes if issubclass(kind, errors.OrchestratorError)}

    assert sorted(listed) == sorted(codes)


def test_every_handler_of_the_workflow_is_named() -> None:
    definition = getattr(GraphWorkflow, "__temporal_workflow_definition")
    names = [*definition.signals, *definition.updates, *definition.queries]

    assert {"message", "submit", "progress"} <= set(names)
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_every_search_attribute_is_named() -> None:
    assert [name for name in SearchAttribute.ALL if f"`{name}`" not in PAGE] == []


def test_every_event_and_every_status_is_named() -> None:
    assert [name for name in (*get_args(EventType), *get_args(RunStatus)) if f"`{name}`" not in PAGE] == []
