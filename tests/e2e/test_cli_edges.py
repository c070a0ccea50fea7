"""The command line at its edges: large inputs, runs that have ended, a namespace that is not there, interruptions."""

import json
import os
import signal
from collections.abc import Generator
from pathlib import Path

import pytest

from tests.e2e.commands import Shell, developing

ECHO = """
name: echo
inputs: {text: {type: string}}
nodes: [{id: size, type: Format, config: {template: "{{ inputs.text | length }}"}}]
outputs: {size: "{{ nodes.size.text }}"}
"""
ASK = """
name: ask
nodes:
  - {id: sure, type: UserInput, config: {question: "Sure?"}}
  - {id: order, type: UserInput, config: {question: "Which?", answer: {type: [object, "null"]}}}
edges: [{from: sure, to: order}]
"""
HALF_A_MEGABYTE, FIVE_MEGABYTES = 600_000, 5_000_000


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A folder with definitions, and `orchestrator dev` running there."""
    folder = tmp_path_factory.mktemp("edges")
    (folder / "definitions").mkdir()
    for name, text in (("echo", ECHO), ("ask", ASK)):
        (folder / f"definitions/{name}.yaml").write_text(text, encoding="utf-8")
    with developing(folder) as (shell, _):
        yield shell


def large(shell: Shell, size: int) -> str:
    """A file of inputs that takes about this many bytes, as an option names it."""
    (shell.folder / "inputs.json").write_text(json.dumps({"text": "a" * size}), encoding="utf-8")
    return "@inputs.json"


def test_a_large_input_adds_nothing_to_the_json(shell: Shell) -> None:
    done = shell("run", "echo", "--input", large(shell, HALF_A_MEGABYTE), "--json")

    assert done.returncode == 0
    assert json.loads(done.stdout)["outputs"] == {"size": str(HALF_A_MEGABYTE)}
    assert "payload" not in done.stderr


def test_an_input_that_is_too_large_is_one_clear_line(shell: Shell) -> None:
    done = shell("start", "echo", "--input", large(shell, FIVE_MEGABYTES))

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error TOO_LARGE: what is sent is larger than the Temporal server takes")
    assert done.stderr.count("\n") == 1


def test_status_shows_what_to_type_about_a_question(shell: Shell) -> None:
    run_id = json.loads(shell("run", "ask", "--json").stdout)["run_id"]

    assert f"        orchestrator answer {run_id} --node sure TEXT\n" in shell("status", run_id).stdout
    answered = shell("answer", run_id, "--node", "sure", "yes")
    assert f"        orchestrator answer {run_id} --node order --values JSON\n" in answered.stdout


@pytest.mark.parametrize("command", ["cancel", "pause", "resume"])
def test_a_run_that_has_ended_cannot_be_stepped_into(shell: Shell, command: str) -> None:
    run_id = json.loads(shell("run", "echo", "-v", "text=hi", "--json").stdout)["run_id"]

    done = shell(command, run_id)

    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith(f"error NOTHING_AWAITED: the run `{run_id}` has ended")


def test_doctor_asks_nothing_of_a_namespace_that_is_not_there(shell: Shell) -> None:
    done = Shell(shell.folder, {**shell.variables, "TEMPORAL_NAMESPACE": "nope"})("doctor", "--json")
    found = {check["check"]: check for check in json.loads(done.stdout)["checks"]}

    assert done.returncode == 1
    assert found["namespace"]["status"] == "fail"
    assert "temporal operator namespace create -n nope" in found["namespace"]["mend"]
    assert not {"search attributes", "workers", "clock"} & set(found)


def test_a_command_that_is_interrupted_says_no_more_than_that(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "inputs.json")

    command = Shell(tmp_path).started("run", "hello", "--input", "@inputs.json")
    # The file can be opened for writing once the command reads it.
    with command as process, (tmp_path / "inputs.json").open("w", encoding="utf-8"):
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)

    assert (process.returncode, out) == (130, "")
    assert "Traceback" not in err
