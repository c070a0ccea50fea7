"""A case written from a real run, and played: it passes."""

import asyncio
import threading
from collections.abc import Generator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from activities.blobs import FolderBlobs
from activities.blobs.moving import bring_in
from orchestrator.contracts import ForkRequest, Message, ResolveRequest
from orchestrator.errors import RequestError
from orchestrator.fork import request_for
from orchestrator.settings import Settings, load_settings
from orchestrator.testkit.reading import load_cases
from orchestrator.testkit.recording import recorded_run
from orchestrator.testkit.running import run_suites
from orchestrator.testkit.writing import case_of
from orchestrator.trace import trace_of
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import Node, broken, call, child, for_each
from tests.integration.running import Runs
from tests.scenarios import ask, data, edge, graph, model

LARGE = 200_000


class _Web(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        if self.path == "/broken" and not getattr(self.server, "mended", False):
            self.send_error(400)
            return
        size = LARGE if self.path == "/large" else 2
        body = b'"' + b"x" * size + b'"'
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


@pytest.fixture
def web() -> Generator[ThreadingHTTPServer]:
    """A web server, one of whose pages is broken until it is ``mended``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Web) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


class Recorder:
    """Writes cases and plays them."""

    def __init__(self, runs: Runs, settings: Settings) -> None:
        self.runs = runs
        self.folder = settings.definitions_dir
        self.blobs = FolderBlobs(settings.blob_dir)

    def keep(self, definition: Node) -> str:
        """Put a definition into the library; returns its name."""
        file = self.folder / f"{definition['name']}.yaml"
        file.write_text(yaml.safe_dump(definition), encoding="utf-8")
        return str(definition["name"])

    async def record(self, run_id: str) -> Path:
        """Write a case from a run."""
        open_ = (await self.runs.door.summary(run_id)).closed is None
        result = (await self.runs.door.state(run_id)).result if open_ else await self.runs.result(run_id)

        async def fill(values: dict[str, Any]) -> dict[str, Any]:
            return await bring_in(values, self.blobs, "the case")

        found = await recorded_run(self.runs.client, run_id, result, fill, None)
        file = self.folder / "recorded.yaml"
        await asyncio.to_thread(file.write_text, case_of(found), encoding="utf-8")
        return file

    async def passes(self, file: Path) -> None:
        """Play a file of cases."""
        settings = load_settings(_env_file=None, definitions_dir=self.folder)
        report = await run_suites([load_cases(file, self.folder)], settings)
        assert [item.as_dict() for case in report.cases for item in case.differences] == []
        assert report.cases


@pytest.fixture
def recorder(runs: Runs, worker_settings: Settings) -> Recorder:
    return Recorder(runs, worker_settings)


def written(file: Path) -> dict[str, Any]:
    """The one case of a file."""
    [case] = yaml.safe_load(file.read_text(encoding="utf-8"))["cases"]
    return case


async def test_a_loop_a_question_and_a_foreach_play_as_they_went(
    runs: Runs, running_worker: RunningWorker, recorder: Recorder, web: ThreadingHTTPServer
) -> None:
    url = f"http://127.0.0.1:{web.server_port}/"
    each = for_each(
        "each",
        "inputs.names",
        [call("look", url + "{{ item }}"), ask("sure", "Sure of {{ item }}?")],
        {"said": "{{ nodes.sure.text }}", "status": "{{ nodes.look.status }}"},
        edges=[edge("look", "sure")],
    )
    name = recorder.keep(
        graph(
            [model("turn", "again"), each, ask("last", "All well?"), data("end")],
            [
                edge("turn", "turn", when="nodes.turn.visits.size() < 3", max_visits=3),
                edge("turn", "each"),
                edge("each", "last"),
                edge("last", "end"),
            ],
            inputs={"names": {"type": "array"}},
            outputs={"all": "{{ nodes.each.results }}", "last": "{{ nodes.last.text }}"},
        )
    )
    async with running_worker(rollover_events=60):
        run_id = await runs.start(name, {"names": ["u", "v"]})
        for index in (1, 0):
            await runs.waits(run_id, f"each[{index}].sure")
            await runs.door.answer(run_id, Message(text=f"yes {index}", node=f"each[{index}].sure"))
        await runs.waits(run_id, "last")
        waiting = await recorder.record(run_id)
        assert written(waiting)["expect"]["status"] == "awaiting_input"
        await recorder.passes(waiting)
        await runs.door.send(run_id, Message(text="fine", by="ada"))
        await runs.result(run_id)
        ended = await recorder.record(run_id)

    case = written(ended)
    assert set(case["mocks"]) == {"turn", "turn#2", "turn#3", "each[0].look", "each[1].look"}
    assert [step.get("node") for step in case["messages"]] == ["each[1].sure", "each[0].sure", None]
    assert case["expect"]["outputs"]["last"] == "fine"
    await recorder.passes(ended)


async def test_what_was_parked_paused_and_too_large_for_history_plays_too(
    runs: Runs, running_worker: RunningWorker, recorder: Recorder, web: ThreadingHTTPServer
) -> None:
    url = f"http://127.0.0.1:{web.server_port}"
    name = recorder.keep(
        graph(
            [
                call("large", f"{url}/large"),
                call("sick", f"{url}/broken", retry={"max_attempts": 1}),
                broken("quick"),
                ask("ask", "?"),
                data("end", "{{ state.x }}"),
            ],
            [edge("large", "sick"), edge("sick", "quick"), edge("quick", "ask"), edge("ask", "end")],
            state={"x": {"type": "integer", "initial": 1}},
            outputs={"x": "{{ nodes.end.data }}", "status": "{{ nodes.sick.status }}"},
        )
    )
    async with running_worker():
        run_id = await runs.start(name)
        await runs.parks(run_id)
        web.mended = True  # pyright: ignore[reportAttributeAccessIssue] - what the handler looks at
        await runs.door.resolve(run_id, ResolveRequest(action="retry", by="ada"))
        await runs.until(lambda: _parked_at(runs, run_id, "quick"))
        await runs.door.resolve(run_id, ResolveRequest(action="override", node="quick", output={"result": 1}))
        await runs.waits(run_id)
        await runs.door.pause(run_id)
        await runs.door.resume(run_id, {"x": 7})
        await runs.door.answer(run_id, Message(text="hi"))
        result = await runs.result(run_id)
        file = await recorder.record(run_id)

    case = written(file)
    assert result.outputs == {"x": 7, "status": 200}
    assert len(case["mocks"]["large"]["output"]["body"]) == LARGE
    assert [next(key for key in ("resolve", "signal", "text") if key in step) for step in case["messages"]] == [
        *("resolve", "resolve", "signal", "signal", "text")
    ]
    assert case["messages"][0]["resolve"]["action"] == "override"
    await recorder.passes(file)


async def _parked_at(runs: Runs, run_id: str, node: str) -> bool:
    return any(parked.node == node for parked in (await runs.door.progress(run_id)).parked)


async def test_a_cancelled_run_undoes_and_a_child_run_is_part_of_the_case(
    runs: Runs, running_worker: RunningWorker, recorder: Recorder, web: ThreadingHTTPServer
) -> None:
    url = f"http://127.0.0.1:{web.server_port}/"
    recorder.keep({**graph([call("h", url), ask("really", "?")], [edge("h", "really")]), "name": "helper"})
    book = {**call("book", url), "compensate": "cancel"}
    definition = graph(
        [book, child("kid", "helper"), ask("wait", "?"), call("cancel", url), call("bye", url)],
        [edge("book", "kid"), edge("kid", "wait")],
        **{"finally": ["bye"]},
    )
    name = recorder.keep({**definition, "name": "parent"})
    async with running_worker():
        run_id = await runs.start(name)
        await runs.until(lambda: _has_child(runs, run_id))
        kid = (await runs.door.progress(run_id)).children[0].run
        await runs.waits(kid)
        await runs.door.answer(kid, Message(text="yes"))
        await runs.waits(run_id)
        await runs.door.cancel(run_id)
        result = await runs.result(run_id)
        file = await recorder.record(run_id)

    case = written(file)
    assert (result.status, result.undone) == ("cancelled", ("book",))
    assert set(case["mocks"]) == {"book", "kid.h", "cancel:book", "bye"}
    assert [step.get("node", "cancel") for step in case["messages"]] == ["kid.really", "cancel"]
    await recorder.passes(file)


async def _has_child(runs: Runs, run_id: str) -> bool:
    return bool((await runs.door.progress(run_id)).children)


async def test_what_no_case_can_say_is_refused(runs: Runs, running_worker: RunningWorker, recorder: Recorder) -> None:
    name = recorder.keep(graph([model("a", "a"), data("b")], [edge("a", "b")]))
    async with running_worker():
        run_id = await runs.start(name)
        await runs.result(run_id)
        trace = await trace_of(runs.client, run_id)
        await runs.door.fork(request_for(trace, ForkRequest(run=run_id, at="b")), f"{run_id}-fork")
        await runs.result(f"{run_id}-fork")
        with pytest.raises(RequestError, match=f"took over what `{run_id}` had done; record that one"):
            await recorder.record(f"{run_id}-fork")
