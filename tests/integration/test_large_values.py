"""Values too large for a run's history go through a graph by way of blob storage."""

import json
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from orchestrator.graph.blobs import blob_of, is_blob
from orchestrator.graph.plan import NodeId
from tests.integration.conftest import RunningWorker
from tests.integration.graphs import for_each
from tests.integration.running import Runs
from tests.scenarios import data, edge, graph
from tests.unit.loopback import Answer, Web, web

PATIENCE: dict[str, Any] = {"timeout": "60s"}
PAD = "x" * 100_000
RESULTS = "{{ nodes.each.results }}"


@pytest.fixture
def site() -> Iterator[Web]:
    """A web server on loopback."""
    with web() as state:
        yield state


def http(name: str, **config: Any) -> dict[str, Any]:
    """A node that sends a request."""
    return {"id": name, "type": "HttpRequest", "config": config, **PATIENCE}


def transform(name: str, **config: Any) -> dict[str, Any]:
    """A node that transforms."""
    return {"id": name, "type": "Transform", "config": config, **PATIENCE}


async def history_bytes(runs: Runs, run_id: str) -> int:
    """What the history of a run takes."""
    history = await runs.handle(run_id).fetch_history()
    return sum(event.ByteSize() for event in history.events)


async def test_fifty_megabytes_go_through_a_chain_of_five_nodes_beside_the_history(
    runs: Runs, running_worker: RunningWorker, site: Web, tmp_path: Path
) -> None:
    text = "a line of text, and another: é\n" * 1_500
    rows = [{"id": index, "text": text} for index in range(1_020)]
    body = json.dumps(rows, separators=(",", ":"), ensure_ascii=False).encode()
    assert 50_000_000 < len(body) < 52_428_800
    site.answers = [Answer(body=body, headers={"content-type": "application/json"}), Answer(body={"ok": True})]
    nodes = [
        http("get", url=f"{site.url}/get"),
        data("wrap", {"rows": "{{ nodes.get.body }}", "note": "as it came"}, **PATIENCE),
        transform("sort", operation="sort", by="id", descending=True, input="{{ nodes.wrap.data.rows }}"),
        transform("back", operation="sort", by="id", input="{{ nodes.sort.result }}"),
        http("post", url=f"{site.url}/post", method="POST", json="{{ nodes.back.result }}"),
    ]
    chain = [edge(one["id"], other["id"]) for one, other in pairwise(nodes)]
    outputs = {
        "note": "{{ nodes.wrap.data.note }}",
        "first": "{{ nodes.sort.result[0].id }}",
        "ok": "{{ nodes.post.body.ok }}",
    }

    async with running_worker(blob_dir=tmp_path / "blobs", heartbeat_timeout=20):
        run_id = await runs.start(graph(nodes, chain, outputs=outputs))
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    assert result.outputs == {"note": "as it came", "first": 1_019, "ok": True}
    sent = site.seen[-1].body
    assert sha256(sent).hexdigest() == sha256(body).hexdigest()
    assert await history_bytes(runs, run_id) < 200_000


async def test_a_stored_value_is_passed_on_looked_into_and_never_read_by_a_condition(
    runs: Runs, running_worker: RunningWorker, tmp_path: Path
) -> None:
    nodes = [
        data("big", {"text": "x" * 1_000, "list": "{{ inputs.list }}"}),
        data("same", "{{ nodes.big.data.list }}", write={"kept": "{{ output.data }}"}),
        {"id": "text", "type": "Format", "config": {"template": "last: {{ nodes.same.data[29999] }}"}},
        data("end"),
    ]
    chain = [edge("big", "same"), edge("same", "text"), edge("text", "end", when="nodes.same.data != null")]
    definition = graph(
        nodes,
        chain,
        inputs={"list": {"type": "array"}},
        state={"kept": {"type": "any", "initial": None}},
        outputs={"text": "{{ nodes.text.text }}", "list": "{{ state.kept }}", "one": "{{ nodes.big.data.list[7] }}"},
    )
    async with running_worker(blob_dir=tmp_path / "blobs"):
        result = await runs.run(definition, {"list": list(range(30_000))})

    assert result.status == "completed", result.error
    assert (result.outputs["text"], result.outputs["one"]) == ("last: 29999", 7)
    blob = blob_of(result.outputs["list"])
    assert blob is not None
    assert blob.type == "array"


async def test_a_condition_that_has_to_look_into_a_stored_value_fails_at_its_node(
    runs: Runs, running_worker: RunningWorker, tmp_path: Path
) -> None:
    definition = graph(
        [data("big", "{{ inputs.list }}"), data("end")],
        [edge("big", "end", when="size(nodes.big.data) > 3")],
        inputs={"list": {"type": "array"}},
        on_failure="fail",
    )
    async with running_worker(blob_dir=tmp_path / "blobs"):
        result = await runs.run(definition, {"list": list(range(30_000))})

    assert result.error is not None
    assert (result.error.code, result.error.node) == ("EXPRESSION_FAILED", "big")
    assert "`nodes.big.data` is a list of" in result.error.message


async def test_a_value_of_another_worker_s_storage_is_asked_for_again_until_it_is_there(
    runs: Runs, running_worker: RunningWorker, tmp_path: Path
) -> None:
    blobs = tmp_path / "blobs"
    ask = {"id": "wait", "type": "UserInput", "config": {"question": "Go on?"}}
    use = transform("use", operation="sort", input="{{ nodes.big.data }}")
    use["retry"] = {"max_attempts": 20, "initial_delay": "50ms", "strategy": "fixed"}
    definition = graph(
        [data("big", "{{ inputs.list }}"), ask, use],
        [edge("big", "wait"), edge("wait", "use")],
        inputs={"list": {"type": "array"}},
        outputs={"list": "{{ nodes.use.result }}"},
    )
    async with running_worker(blob_dir=blobs):
        run_id = await runs.start(definition, {"list": list(range(30_000))})
        await runs.waits(run_id)
        blobs.rename(tmp_path / "away")
        await runs.handle(run_id).signal("message", {"text": "yes"})
        await runs.until(lambda: tried_in_vain(runs, run_id))
        (tmp_path / "away").rename(blobs)
        result = await runs.result(run_id)

    assert result.status == "completed", result.error
    assert is_blob(result.outputs["list"])


async def tried_in_vain(runs: Runs, run_id: str) -> bool:
    """Whether an activity of the run has failed because of a blob that is not there."""
    pending = (await runs.handle(run_id).describe()).raw_description.pending_activities
    return any("is not in blob storage" in activity.last_failure.message for activity in pending)


async def test_results_of_a_for_each_too_many_to_carry_are_one_stored_value(
    runs: Runs, running_worker: RunningWorker
) -> None:
    long = "a line of the answer to this item. " * 60
    nodes = [
        for_each(
            "each",
            "inputs.numbers",
            [data("say", {"number": "{{ item }}", "text": long})],
            {"said": "{{ nodes.say.data }}"},
            concurrency=50,
        ),
        transform("numbers", operation="map", expression="item.said.number", input="{{ nodes.each.results }}"),
        transform("size", operation="expression", expression="size(input)", input="{{ nodes.each.results }}"),
    ]
    definition = graph(
        nodes,
        edges=[edge("each", "numbers"), edge("each", "size")],
        inputs={"numbers": {"type": "array"}},
        outputs={"numbers": "{{ nodes.numbers.result }}", "size": "{{ nodes.size.result }}"},
    )
    async with running_worker():
        run_id = await runs.start(definition, {"numbers": list(range(600))})
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)

    assert result.outputs == {"numbers": list(range(600)), "size": 600}
    output = state.nodes[NodeId("each")].output
    assert output is not None
    reference = blob_of(output["results"])
    assert reference is not None
    assert (reference.type, output["count"], output["errors"]) == ("array", 600, [])
    assert reference.size > 1_000_000


async def test_stored_results_of_a_for_each_are_whole_though_some_of_them_were_stored_before(
    runs: Runs, running_worker: RunningWorker
) -> None:
    nodes = [
        for_each(
            "each",
            "['x', 'y', 'z', 'x', 'y', 'z']",
            [transform("make", operation="expression", expression="[1, 2, 3, 4].map(n, input)", input=PAD)],
            {"made": "{{ nodes.make.result }}", "few": PAD[:90_000], "as": "{{ item }}"},
        ),
        transform("tell", operation="map", expression="item['as'] + string(size(item.made))", input=RESULTS),
    ]
    definition = graph(nodes, edges=[edge("each", "tell")], outputs={"told": "{{ nodes.tell.result }}"})
    async with running_worker():
        run_id = await runs.start(definition)
        result = await runs.result(run_id)
        state = await runs.door.state(run_id)

    assert result.outputs == {"told": ["x4", "y4", "z4", "x4", "y4", "z4"]}
    output = state.nodes[NodeId("each")].output
    assert output is not None
    assert is_blob(output["results"])
