"""The command line on runs that somebody has to look after: parked, paused, and waiting for an approval."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.e2e.commands import Shell, developing

PARKS = """
name: parks
inputs: {url: {type: string, default: "http://127.0.0.1:1/"}}
nodes:
  - {id: begin, type: Format, config: {template: begin}}
  - {id: beside, type: Format, config: {template: beside}}
  - {id: fetch, type: HttpRequest, config: {url: "{{ inputs.url }}"}, retry: {max_attempts: 1}}
  - {id: say, type: Format, config: {template: "got {{ nodes.fetch.status }}"}}
edges: [{from: begin, to: beside}, {from: begin, to: fetch}, {from: fetch, to: say}]
outputs: {beside: "{{ nodes.beside.text }}"}
"""
ASK = """
name: ask
state: {tone: {type: string, initial: plain}}
nodes:
  - {id: sure, type: UserInput, config: {question: "Sure?"}}
  - {id: say, type: Format, config: {template: "{{ state.tone }}"}}
edges: [{from: sure, to: say}]
outputs: {said: "{{ nodes.say.text }}"}
"""
APPROVE = """
name: approve
nodes:
  - id: review
    type: Approval
    config: {question: "Send it?", proposal: {text: Hi}, assignees: [ada, grace]}
outputs: {decision: "{{ nodes.review.decision }}", value: "{{ nodes.review.value }}", by: "{{ nodes.review.by }}"}
"""
OUTPUT = '{"status": 200, "headers": {}, "body": null}'


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A folder with definitions, and `orchestrator dev` running there."""
    folder = tmp_path_factory.mktemp("attention")
    (folder / "definitions").mkdir()
    for name, text in (("parks", PARKS), ("ask", ASK), ("approve", APPROVE)):
        (folder / f"definitions/{name}.yaml").write_text(text, encoding="utf-8")
    with developing(folder) as (shell, _):
        yield shell


@pytest.fixture
def parked(shell: Shell) -> str:
    """A run with a parked node."""
    done = shell("run", "parks", "--json")
    assert done.returncode == 7, done.stderr
    return str(json.loads(done.stdout)["run_id"])


@pytest.fixture
def waiting(shell: Shell) -> str:
    """A run that waits for an answer."""
    done = shell("run", "ask", "--json")
    assert done.returncode == 6, done.stderr
    return str(json.loads(done.stdout)["run_id"])


def listed(shell: Shell, status: str, run: str, *more: str) -> list[dict[str, Any]]:
    """The list of runs with this status, once ``run`` is in it: the server's index lags."""
    found: list[dict[str, Any]] = []
    for _ in range(20):
        found = json.loads(shell("list", "--status", status, "--json", *more).stdout)
        if run in {row["id"] for row in found}:
            break
    return found


def test_run_says_what_is_parked_and_what_to_type_and_ends_with_seven(shell: Shell) -> None:
    done = shell("run", "parks", "--id", "stuck")

    assert done.returncode == 7
    assert "status  needs_attention" in done.stdout
    assert "parked  fetch" in done.stdout
    assert "orchestrator resolve stuck fetch --retry" in done.stdout
    assert "parked          waits to be resolved" in done.stderr
    assert "beside             completed" in done.stderr


def test_run_as_json_tells_the_parked_nodes(shell: Shell) -> None:
    done = shell("run", "parks", "--json")
    told = json.loads(done.stdout)

    assert (done.returncode, told["status"]) == (7, "needs_attention")
    assert [item["node"] for item in told["parked"]] == ["fetch"]


def test_status_shows_parked_nodes_and_result_is_seven(shell: Shell, parked: str) -> None:
    shown = shell("status", parked)
    told = json.loads(shell("status", parked, "--json").stdout)

    assert f"orchestrator resolve {parked} fetch --retry" in shown.stdout
    assert (told["status"], told["parked"][0]["node"], told["children"], told["continued"]) == (
        "needs_attention",
        "fetch",
        [],
        0,
    )
    assert shell("result", parked, "--no-wait").returncode == 7


def test_a_parked_node_gets_its_output_by_hand_and_only_once(shell: Shell, parked: str) -> None:
    done = shell("resolve", parked, "fetch", "--override", OUTPUT, "--by", "ada", "--comment", "by hand", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["resolved"] == ["fetch"]
    result = shell("result", parked, "--json")
    assert (result.returncode, json.loads(result.stdout)["status"]) == (0, "completed")
    assert "override by ada: by hand" in shell("progress", parked).stdout

    again = shell("resolve", parked, "fetch", "--override", OUTPUT)
    assert (again.returncode, again.stdout) == (5, "")
    assert again.stderr.startswith("error NOT_PARKED: ")


def test_a_parked_node_can_be_given_up(shell: Shell, parked: str) -> None:
    assert shell("resolve", parked, "fetch", "--fail").returncode == 0

    result = shell("result", parked, "--json")

    assert (result.returncode, json.loads(result.stdout)["status"]) == (1, "failed")


def test_list_tells_the_problem_of_each_run_that_needs_attention(shell: Shell, parked: str) -> None:
    [row] = [row for row in listed(shell, "needs_attention", parked, "--name", "parks") if row["id"] == parked]
    shown = shell("list", "--status", "needs_attention").stdout

    assert (row["problem"]["node"], row["status"], row["unknown"]) == ("fetch", "needs_attention", None)
    [line] = [line for line in shown.splitlines() if line.startswith(f"{parked}\t")]
    assert line.split("\t")[1:3] == ["parks", "fetch"]
    assert row["problem"]["error"]["code"] in line


def test_all_runs_are_resolved_once_somebody_said_yes(shell: Shell) -> None:
    definition = PARKS.replace("name: parks", "name: many")
    (shell.folder / "definitions/many.yaml").write_text(definition, encoding="utf-8")
    runs = [str(json.loads(shell("run", "many", "--json").stdout)["run_id"]) for _ in range(2)]
    for run in runs:
        assert run in {row["id"] for row in listed(shell, "needs_attention", run, "--name", "many")}

    refused = shell("resolve", "--all", "--definition", "many", "--skip")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "give --yes" in refused.stderr

    with shell.at_terminal("resolve", "--all", "--definition", "many", "--skip") as terminal:
        terminal.wait_for("skip in 2 runs?")
        terminal.type("n")
        terminal.wait_for("nothing was done")
        assert terminal.end()[0] == 1

    done = shell("resolve", "--all", "--definition", "many", "--skip", "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert {(item["run"], *item["resolved"]) for item in json.loads(done.stdout)} == {(run, "fetch") for run in runs}
    assert {shell("result", run).returncode for run in runs} == {0}


def test_at_a_terminal_a_run_is_followed_until_somebody_has_resolved_it(shell: Shell) -> None:
    with shell.at_terminal("run", "parks", "--id", "watched", "--json") as terminal:
        terminal.wait_for("orchestrator resolve watched fetch --retry")
        assert shell("resolve", "watched", "--skip").returncode == 0
        code, out = terminal.end()

    assert (code, json.loads(out)["status"]) == (0, "completed")


def test_a_paused_run_goes_on_with_changed_state(shell: Shell, waiting: str) -> None:
    paused = shell("pause", waiting)
    assert paused.returncode == 0, paused.stderr
    assert f"{waiting} is paused" in paused.stdout
    assert json.loads(shell("status", waiting, "--json").stdout)["status"] == "paused"
    assert waiting in {row["id"] for row in listed(shell, "paused", waiting)}

    wrong = shell("resume", waiting, "-v", "tune=formal")
    assert (wrong.returncode, wrong.stdout) == (2, "")
    assert wrong.stderr.startswith(f"error MESSAGE_INVALID: `{waiting}` stays paused: ")

    resumed = shell("resume", waiting, "-v", "tone=42", "--json")
    assert resumed.returncode == 0, resumed.stderr
    again = shell("resume", waiting)
    assert (again.returncode, again.stdout) == (2, "")
    assert again.stderr.startswith(f"error MESSAGE_INVALID: `{waiting}` was not resumed; its status is awaiting_input")
    assert shell("answer", waiting, "yes", "--by", "ada").returncode == 0
    assert json.loads(shell("result", waiting, "--json").stdout)["outputs"] == {"said": "42"}


def test_a_resume_that_no_worker_takes_is_kept(shell: Shell) -> None:
    lonely = Shell(shell.folder, {**shell.variables, "ORCHESTRATOR_TASK_QUEUE": "nobody"})
    run = lonely("start", "ask").stdout.strip()

    paused = lonely("pause", run)
    resumed = lonely("resume", run)

    assert (paused.returncode, resumed.returncode) == (0, 0)
    assert "once a worker is there" in paused.stdout
    assert "once a worker is there" in resumed.stdout


def test_an_approval_is_decided_with_one_command(shell: Shell) -> None:
    left = shell("run", "approve", "--id", "approval-1")
    assert left.returncode == 6
    assert "awaits  review: Send it?" in left.stdout
    assert "for       ada, grace" in left.stdout
    assert "orchestrator approve approval-1 review --approve" in left.stdout

    stranger = shell("approve", "approval-1", "--approve", "--by", "eve")
    assert (stranger.returncode, stranger.stdout) == (4, "")

    later = shell("approve", "approval-1", "--defer", "2h", "--by", "ada")
    assert later.returncode == 0, later.stderr
    assert "deferred" in shell("status", "approval-1").stdout

    done = shell("approve", "approval-1", "--modify", '{"text": "Dear Ada"}', "--by", "grace", "--comment", "politer")
    assert done.returncode == 0, done.stderr
    result = json.loads(shell("result", "approval-1", "--json").stdout)
    assert result["outputs"] == {"decision": "modified", "value": {"text": "Dear Ada"}, "by": "grace"}

    late = shell("approve", "approval-1", "--approve", "--by", "ada")
    assert (late.returncode, late.stdout) == (5, "")
    assert late.stderr.startswith("error NOTHING_AWAITED: ")


def test_an_approval_is_decided_at_the_terminal(shell: Shell) -> None:
    with shell.at_terminal("run", "approve", "--by", "ada", "--json") as terminal:
        terminal.wait_for("review asks for a decision: Send it?")
        terminal.wait_for("approve [COMMENT] | reject [COMMENT]")
        terminal.type("perhaps")
        terminal.wait_for("review asks for a decision: Send it?")
        terminal.type("approve looks good")
        code, out = terminal.end()

    assert (code, json.loads(out)["outputs"]["decision"]) == (0, "approved")


def test_a_decision_given_with_the_command_is_used(shell: Shell) -> None:
    done = shell("run", "approve", "--answer", 'review=modify {"text": "Yo"}', "--by", "grace", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"]["value"] == {"text": "Yo"}


@pytest.mark.parametrize(
    "arguments",
    [("pause", "nope"), ("resume", "nope"), ("resolve", "nope", "--retry"), ("approve", "nope", "--approve")],
)
def test_a_run_that_does_not_exist_is_five(shell: Shell, arguments: tuple[str, ...]) -> None:
    done = shell(*arguments)

    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error RUN_NOT_FOUND: no run has the id `nope`")


def test_cancel_says_that_undoing_and_cleaning_up_come_first(shell: Shell, waiting: str) -> None:
    done = shell("cancel", waiting)

    assert done.returncode == 0
    assert "`compensate`" in done.stdout
    assert "`finally`" in done.stdout
