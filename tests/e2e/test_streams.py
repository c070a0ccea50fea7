"""Workers that are killed while their models write: whoever reads along ends with the text that the run has kept."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from benchmarks.slow_model import slow_model
from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest
from storage.streams import Delta, Record, Superseded, TokenLog, Transcript
from tests.e2e.kills.driver import Stage
from tests.integration.streaming import KINDS, Place, a_place, all_of, texts

WORDS = 60
TELLS: dict[str, Any] = {
    "name": "tells",
    "nodes": [
        {"id": name, "type": "ModelInvoke", "config": {"model": "gpt-4o-mini", "prompt": name, "stream": True}}
        for name in ("first", "second")
    ],
    "outputs": {"first": "{{ nodes.first.text }}", "second": "{{ nodes.second.text }}"},
}
KILLS_AFTER = (5, 20, 70)
"""After so many words a worker is killed."""


@pytest.fixture(params=KINDS)
async def place(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Place]:
    async with a_place(request.param, tmp_path) as found:
        yield found


def word(answer: int, number: int) -> str | None:
    """No two answers have a word in common, so that none can pass for another."""
    return f"{answer}.{number} " if number < WORDS else None


@dataclass
class Reader:
    """Reads along, and is cut off after every ``patience`` records."""

    log: TokenLog
    run: str
    over: asyncio.Event
    patience: int
    seen: list[Record] = field(default_factory=list[Record])
    cuts: int = 0

    async def read(self) -> None:
        while not self.over.is_set():
            last, before = self.seen[-1].id if self.seen else 0, len(self.seen)
            async with aclosing(self.log.read(self.run, after=last, until=self.over)) as records:
                async for record in records:
                    self.seen.append(record)
                    if len(self.seen) - before == self.patience:
                        self.cuts += 1
                        break
        # What came between its last cut and the end.
        self.seen += await all_of(self.log, self.run, after=self.seen[-1].id)


async def words(log: TokenLog, run: str, number: int) -> None:
    """Wait until so many words of a run can be read."""
    found = 0
    async with aclosing(log.read(run)) as records:
        async for record in records:
            # Not records: on a busy machine each has more words.
            found += len(record.text.split()) if isinstance(record, Delta) else 0
            if found >= number:
                return


@pytest.mark.timeout(180)
async def test_readers_of_workers_that_are_killed_end_with_the_text_that_is_kept(
    stage: Stage, client: Client, place: Place
) -> None:
    queue = f"streams-{place.redis is None}-{place.storage.partition(':')[0]}"
    async with slow_model(word, 0.02) as model, place.log() as log:
        settings = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": model.url, **place.settings()}
        worker = await stage.worker(queue, settings)
        door = Orchestrator(client, queue)
        run_id = await door.start(RunRequest(definition=TELLS), queue)
        run = (await client.get_workflow_handle(run_id).describe()).run_id
        over = asyncio.Event()
        readers = [Reader(log, run, over, patience) for patience in (1, 2, 3, 7, 1_000)]
        reading = [asyncio.create_task(reader.read()) for reader in readers]
        for number in KILLS_AFTER:
            await asyncio.wait_for(words(log, run, number), 60)
            await worker.kill()
            worker = await stage.worker(queue, settings)
        result = await door.result(run_id)
        over.set()
        await asyncio.gather(*reading)
        await worker.kill()
        whole = await all_of(log, run)

        assert result.status == "completed", result.error
        kept = {(name, 1): result.outputs[name] for name in ("first", "second")}
        assert texts(whole) == kept
        assert model.asked > len(kept), "no worker was killed in the middle of a text"
        assert sum(isinstance(record, Superseded) for record in whole) >= len(KILLS_AFTER)
        # Nobody, wherever they were cut off and while it was written, has missed or repeated anything.
        assert [reader.seen == whole for reader in readers] == [True] * len(readers)
        assert [reader.cuts > 0 for reader in readers] == [True] * 4 + [False]
        for number, record in enumerate(whole):
            transcript = Transcript()
            texts(whole[: number + 1], transcript)
            rest = await all_of(log, run, after=record.id)
            assert texts(rest, transcript) == kept
        # What a reader sees at any moment is the beginning of one attempt's text, never of two.
        transcript = Transcript()
        for record in whole:
            transcript.apply(record)
            for _, text in transcript:
                answers = {part.partition(".")[0] for part in str(text).split()}
                assert len(answers) <= 1


async def test_a_streamed_run_has_no_more_history_than_another(stage: Stage, client: Client, tmp_path: Path) -> None:
    async with a_place("sqlite", tmp_path) as place, slow_model(word, 0.001) as model:
        settings = {"OPENAI_API_KEY": "sk-test", "OPENAI_BASE_URL": model.url, **place.settings()}
        worker = await stage.worker("streams-history", settings)
        door, events = Orchestrator(client, "streams-history"), list[list[int]]()
        for streams in (True, False):
            node = {**TELLS["nodes"][0], "config": {**TELLS["nodes"][0]["config"], "stream": streams}}
            run_id = f"history-{streams}"
            await door.start(RunRequest(definition={"name": "tell", "nodes": [node]}), run_id)
            assert (await door.result(run_id)).status == "completed"
            history = await client.get_workflow_handle(run_id).fetch_history()
            events.append([event.event_type for event in history.events])
        await worker.kill()

    assert [body.get("stream", False) for body in model.bodies] == [True, False]
    assert events[0] == events[1]
