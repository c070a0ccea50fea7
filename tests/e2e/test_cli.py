"""The command line against a real server and worker, as people use it: `orchestrator dev` and everything else."""

import json
import signal
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import Shell, developing

HELLO = """
name: hello
inputs: {name: {type: string}, times: {type: integer, default: 1}}
nodes: [{id: greet, type: Format, config: {template: "Hello {{ inputs.name }} x{{ inputs.times }}"}}]
outputs: {greeting: "{{ nodes.greet.text }}"}
"""
ASK = """
name: ask
nodes:
  - {id: sure, type: UserInput, config: {question: "Sure?", answer: {type: string, enum: ["yes", "no"]}}}
  - {id: order, type: UserInput, config: {question: "Which?", answer: {type: object, required: [id]}}}
edges: [{from: sure, to: order}]
outputs: {sure: "{{ nodes.sure.value }}", id: "{{ nodes.order.value.id }}"}
"""
FAILS = """
name: fails
on_failure: fail
nodes: [{id: parse, type: Transform, config: {operation: json_parse, input: "{"}}]
"""
AWAY = {"TEMPORAL_ADDRESS": "127.0.0.1:1"}


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A folder with definitions, and `orchestrator dev` running there; it has to end well when told to stop."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "definitions").mkdir()
    for name, text in (("hello", HELLO), ("ask", ASK), ("fails", FAILS)):
        (folder / f"definitions/{name}.yaml").write_text(text, encoding="utf-8")
    with developing(folder) as (shell, introduction):
        address = shell.variables["TEMPORAL_ADDRESS"]
        assert f"server       {address}" in introduction
        assert "web ui       http://127.0.0.1:" in introduction
        assert f"definitions  {folder}/definitions" in introduction
        yield shell
    assert (folder / "runs.db").is_file()


@pytest.fixture
def waiting(shell: Shell) -> str:
    """A run that waits for an answer."""
    done = shell("run", "ask", "--json")
    assert done.returncode == 6, done.stderr
    return str(json.loads(done.stdout)["run_id"])


def test_run_shows_progress_and_prints_the_result(shell: Shell) -> None:
    done = shell("run", "hello", "-v", "name=42", "-v", "times=3", "--id", "hello-1")

    assert done.returncode == 0, done.stderr
    assert '"greeting": "Hello 42 x3"' in done.stdout
    assert "path    greet" in done.stdout
    assert "run     hello-1" in done.stdout
    assert "greet              completed" in done.stderr


def test_run_as_json_is_all_there_is_on_standard_output(shell: Shell) -> None:
    done = shell("run", "definitions/hello.yaml", "--input", "@-", "--json", stdin='{"name": "Ada"}')
    result = json.loads(done.stdout)

    assert done.returncode == 0
    assert (result["status"], result["outputs"], result["path"]) == (
        "completed",
        {"greeting": "Hello Ada x1"},
        ["greet"],
    )


def test_answers_on_the_command_line_reach_their_questions(shell: Shell) -> None:
    done = shell("run", "ask", "--answer", 'order={"id": "AB1"}', "--answer", "yes", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"sure": "yes", "id": "AB1"}


def test_a_run_without_an_answer_goes_on_waiting_and_says_how_to_answer(shell: Shell) -> None:
    done = shell("run", "ask", "--id", "left-open")

    assert done.returncode == 6
    assert "awaits  sure: Sure?" in done.stdout
    assert "orchestrator answer left-open TEXT" in done.stderr


def test_an_answer_that_does_not_fit_is_four_and_the_run_waits_on(shell: Shell) -> None:
    done = shell("run", "ask", "--answer", "maybe", "--id", "unfit")

    assert done.returncode == 4
    assert "error ANSWER_INVALID: `sure`" in done.stderr
    assert json.loads(shell("status", "unfit", "--json").stdout)["status"] == "awaiting_input"


def test_a_run_is_driven_with_one_command_at_a_time(shell: Shell) -> None:
    run = shell("start", "ask").stdout.strip()

    first = json.loads(shell("answer", run, "yes", "--json").stdout)
    assert first["awaiting"][0]["node"] == "order"
    assert first["message_id"]

    status = json.loads(shell("status", run, "--json").stdout)
    assert (status["id"], status["status"], status["awaiting"][0]["question"]) == (run, "awaiting_input", "Which?")
    assert json.loads(shell("state", run).stdout)["nodes"]["order"]["status"] == "running"

    assert shell("result", run, "--no-wait").returncode == 6
    assert shell("send", run, "--values", '{"id": "Z9"}', "--message-id", "m1").returncode == 0

    result = shell("result", run, "--json")
    assert (result.returncode, json.loads(result.stdout)["outputs"]) == (0, {"sure": "yes", "id": "Z9"})

    late = shell("answer", run, "yes")
    assert (late.returncode, late.stdout) == (5, "")
    assert late.stderr.startswith("error NOTHING_AWAITED")


def test_progress_gives_all_events_or_those_after_a_number(shell: Shell) -> None:
    run = shell("start", "hello", "-v", "name=Ada").stdout.strip()

    followed = [json.loads(line) for line in shell("progress", run, "--follow", "--json").stdout.splitlines()]
    page = json.loads(shell("progress", run, "--after", "2", "--json").stdout)

    assert [event["seq"] for event in followed] == list(range(1, len(followed) + 1))
    assert (followed[0]["type"], followed[-1]["type"]) == ("RUN_STARTED", "RUN_COMPLETED")
    assert page["events"] == followed[2:]


def test_a_cancelled_run_is_one(shell: Shell, waiting: str) -> None:
    assert shell("cancel", waiting).returncode == 0

    result = shell("result", waiting, "--json")

    assert (result.returncode, json.loads(result.stdout)["status"]) == (1, "cancelled")


def test_a_failed_run_is_one_and_says_where(shell: Shell) -> None:
    done = shell("run", "fails")

    assert done.returncode == 1
    assert "status  failed" in done.stdout
    assert " at parse: " in done.stdout
    assert "Traceback" not in done.stderr


def test_list_chooses_by_status_and_name(shell: Shell, waiting: str) -> None:
    found: list[dict[str, Any]] = []
    for _ in range(20):  # the server's index lags
        found = json.loads(shell("list", "--status", "awaiting_input", "--name", "ask", "--json").stdout)
        if waiting in {row["id"] for row in found}:
            break

    assert waiting in {row["id"] for row in found}
    assert {(row["status"], row["definition"]) for row in found} == {("awaiting_input", "ask")}


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "nope"),
        ("progress", "nope"),
        ("progress", "nope", "--follow"),
        ("result", "nope"),
        ("state", "nope"),
        ("send", "nope", "x"),
        ("answer", "nope", "x"),
        ("cancel", "nope"),
    ],
)
def test_a_run_that_does_not_exist_is_five(shell: Shell, arguments: tuple[str, ...]) -> None:
    done = shell(*arguments)

    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error RUN_NOT_FOUND: no run has the id `nope`")
    assert done.stderr.count("\n") == 1


def test_a_name_means_what_the_worker_knows_by_it(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions/hello.yaml").write_text(HELLO.replace("times:", "often:"), encoding="utf-8")

    done = Shell(tmp_path, shell.variables)("run", "hello", "-v", "name=Ada", "-v", "times=2", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"greeting": "Hello Ada x2"}


def test_inputs_that_do_not_fit_a_name_are_four_in_the_workers_words(shell: Shell) -> None:
    done = shell("run", "hello", "-v", "nmae=x")

    assert done.returncode == 4
    assert "error INPUT_INVALID: " in done.stderr


def test_a_definition_that_nobody_knows_is_five(shell: Shell) -> None:
    done = shell("run", "helo", "-v", "name=x")

    assert done.returncode == 5
    assert "DEFINITION_NOT_FOUND" in done.stderr
    assert "hello" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "error"),
    [
        (("run", "definitions/hello.yaml", "-v", "nmae=x"), 4, "INPUT_INVALID"),
        (("run", "hello", "--input", "{"), 2, "REQUEST_INVALID"),
        (("start", "hello", "--input", "[1]"), 2, "REQUEST_INVALID"),
        (("run", "hello", "-v", "name"), 2, "REQUEST_INVALID"),
        (("answer", "hello-1"), 2, "REQUEST_INVALID"),
        (("answer", "hello-1", "--values", "{"), 2, "REQUEST_INVALID"),
        (("list", "--name", "a' OR '1"), 2, "REQUEST_INVALID"),
    ],
)
def test_bad_input_is_one_clear_line(shell: Shell, arguments: tuple[str, ...], code: int, error: str) -> None:
    done = shell(*arguments)

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(f"error {error}: ")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "arguments", [("list",), ("run", "hello", "-v", "name=x"), ("start", "hello", "-v", "name=x"), ("answer", "r", "x")]
)
def test_a_server_that_is_away_is_three_and_says_what_where_and_how(shell: Shell, arguments: tuple[str, ...]) -> None:
    done = Shell(shell.folder, AWAY)(*arguments)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error SERVER_UNAVAILABLE: No Temporal server answers at 127.0.0.1:1")
    assert "TEMPORAL_ADDRESS" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_worker_that_is_away_is_three_and_the_run_is_kept(shell: Shell) -> None:
    lonely = Shell(shell.folder, {**shell.variables, "ORCHESTRATOR_TASK_QUEUE": "nobody"})

    done = lonely("run", "hello", "-v", "name=x", "--id", "lonely")

    assert done.returncode == 3
    assert "error WORKER_MISSING: no worker answers on the task queue `nobody`" in done.stderr
    assert "`lonely`" in done.stderr


def test_a_question_is_asked_at_the_terminal_until_the_answer_fits(shell: Shell) -> None:
    with shell.at_terminal("run", "ask", "--json") as terminal:
        terminal.wait_for("sure asks: Sure?")
        terminal.type("maybe")
        terminal.wait_for("sure asks: Sure?")
        terminal.type("no")
        terminal.wait_for("order asks: Which?")
        terminal.type('{"id": 7}')
        code, out = terminal.end()

    assert (code, json.loads(out)["outputs"]) == (0, {"sure": "no", "id": 7})


def test_an_interrupted_command_leaves_the_run_going(shell: Shell) -> None:
    with shell.at_terminal("run", "ask", "--id", "interrupted") as terminal:
        terminal.wait_for("sure asks: Sure?")
        terminal.process.send_signal(signal.SIGINT)
        terminal.wait_for("orchestrator progress interrupted --follow")
        code, _ = terminal.end()

    assert code == 130
    assert json.loads(shell("status", "interrupted", "--json").stdout)["status"] == "awaiting_input"


def test_exit_codes_are_right_every_time(shell: Shell, waiting: str) -> None:
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(shell, ["status"] * 20, [waiting] * 20))

    assert [(done.returncode, done.stderr) for done in found] == [(0, "")] * 20


def test_output_may_be_cut_short(shell: Shell, waiting: str) -> None:
    with shell.started("progress", waiting, "--follow") as process:
        assert process.stdout is not None
        assert "run started" in process.stdout.readline()
        process.stdout.close()
        shell("cancel", waiting)
        _, err = process.communicate(timeout=30)

    assert "Traceback" not in err


def test_with_a_server_of_its_own_inputs_for_a_name_are_checked_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "definitions").mkdir()
    (tmp_path / "definitions/hello.yaml").write_text(HELLO, encoding="utf-8")

    done = Shell(tmp_path)("run", "hello", "-v", "nmae=Ada")

    assert (done.returncode, done.stdout) == (4, "")
    assert "run started" not in done.stderr


def test_run_starts_a_server_of_its_own_where_none_is_configured(tmp_path: Path) -> None:
    (tmp_path / "hello.yaml").write_text(HELLO, encoding="utf-8")

    done = Shell(tmp_path)("run", "hello.yaml", "-v", "name=Ada", "--json")

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"greeting": "Hello Ada x1"}
