"""The commands for definitions that change while runs go on."""

import json
from collections.abc import Generator
from typing import Any

import pytest

from tests.e2e.commands import Shell, developing

FLOW = """
name: flow
version: 1.0.0
inputs: {{n: {{type: integer, default: 1}}}}
nodes:
  - {{id: draft, type: ModelInvoke, config: {{model: simulated, prompt: draft}}}}
  - {{id: sure, type: UserInput, config: {{question: "Sure?"}}}}
  - {{id: say, type: Format, config: {{template: "{said} {{{{ inputs.n }}}} {{{{ nodes.sure.text }}}}"}}}}
edges: [{{from: draft, to: sure}}, {{from: sure, to: say}}]
outputs: {{said: "{{{{ nodes.say.text }}}}"}}
"""
OLD = FLOW.format(said="old")
NEW = FLOW.format(said="new").replace("version: 1.0.0", "version: 2.0.0")
CHECKED = NEW.replace("nodes:\n", "nodes:\n  - {id: check, type: DataInput, config: {data: 1}}\n").replace(
    "edges: [", "edges: [{from: check, to: draft}, "
)
OTHER = NEW.replace("id: draft", "id: sketch").replace("from: draft", "from: sketch")


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Generator[Shell]:
    """A folder with definitions, and `orchestrator dev` running there."""
    folder = tmp_path_factory.mktemp("forking")
    (folder / "definitions").mkdir()
    (folder / "definitions/flow@1.0.0.yaml").write_text(OLD, encoding="utf-8")
    (folder / "definitions/flow.yaml").write_text(NEW, encoding="utf-8")
    (folder / "checked.yaml").write_text(CHECKED, encoding="utf-8")
    (folder / "other.yaml").write_text(OTHER, encoding="utf-8")
    with developing(folder) as (shell, _):
        yield shell


@pytest.fixture
def waiting(shell: Shell) -> str:
    """A run of the old version that waits for an answer."""
    done = shell("run", "flow@1.0.0", "--json")
    assert done.returncode == 6, done.stderr
    return str(json.loads(done.stdout)["run_id"])


def told(text: str) -> dict[str, Any]:
    """What a command printed as JSON."""
    return json.loads(text)


def test_a_fork_is_started_and_answered_by_itself(shell: Shell, waiting: str) -> None:
    done = shell("fork", waiting, "--at", "sure", "--set", "inputs.n=7", "--id", "again", "--json")
    assert done.returncode == 0, done.stderr
    begun = told(done.stdout)
    assert (begun["run_id"], begun["taken"], begun["definition"]) == ("again", 1, "flow@1.0.0")

    assert shell("answer", "again", "yes").returncode == 0
    result = told(shell("result", "again", "--json").stdout)
    assert result["outputs"] == {"said": "old 7 yes"}
    assert result["usage"]["calls"] == 0
    assert result["forked_from"] == {"run": waiting, "at": "sure", "taken": 1}
    assert told(shell("status", waiting, "--json").stdout)["status"] == "awaiting_input"


def test_a_fork_is_followed_like_a_run_and_can_go_on_with_another_definition(shell: Shell, waiting: str) -> None:
    by_name = shell(
        "fork", waiting, "--at", "sure", "--definition", "flow@2.0.0", "--follow", "--answer", "a", "--json"
    )
    by_file = shell(
        "fork", waiting, "--at", "draft", "--definition", "checked.yaml", "--follow", "--answer", "b", "--json"
    )

    assert (by_name.returncode, told(by_name.stdout)["outputs"]) == (0, {"said": "new 1 a"}), by_name.stderr
    assert (by_file.returncode, told(by_file.stdout)["outputs"]) == (0, {"said": "new 1 b"}), by_file.stderr
    assert told(by_file.stdout)["path"] == ["check", "draft", "sure", "say"]


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--at", "nope"), 2, "error REQUEST_INVALID: `nope` never ran"),
        (("--at", "no!"), 2, "error REQUEST_INVALID: `no!` names no visit"),
        (("--at", "sure", "--set", "inputs.n=many"), 2, "error REQUEST_INVALID: `inputs.n` cannot be set"),
        (("--at", "sure", "--definition", "other.yaml"), 4, "error DOES_NOT_FIT: `draft` was done in"),
        (("--at", "sure", "--definition", "missing.yaml"), 5, "error DEFINITION_NOT_FOUND"),
    ],
)
def test_a_fork_that_cannot_be_is_refused_before_anything_starts(
    shell: Shell, waiting: str, arguments: tuple[str, ...], code: int, says: str
) -> None:
    done = shell("fork", waiting, *arguments, "--id", "never")

    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.startswith(says)
    assert shell("status", "never").returncode == 5


def listed(shell: Shell, run: str, *arguments: str) -> tuple[int, dict[str, dict[str, Any]]]:
    """What the gate says of each run, once ``run`` is among them: the server's index lags."""
    code, found = 0, dict[str, dict[str, Any]]()
    for _ in range(20):
        done = shell("check-upgrade", *arguments, "--json")
        code, found = done.returncode, {row["run"]: row for row in told(done.stdout)["runs"]}
        if run in found:
            break
    return code, found


def test_the_gate_tells_of_each_run_and_fails_when_one_is_blocked(shell: Shell, waiting: str) -> None:
    code, same = listed(shell, waiting, "flow@2.0.0")
    assert (code, same[waiting]["verdict"], same[waiting]["migrates"]) == (0, "same path", True)

    code, fits = listed(shell, waiting, "checked.yaml")
    assert (code, fits[waiting]["verdict"], fits[waiting]["nodes"]) == (0, "fits from", ["check"])

    code, blocked = listed(shell, waiting, "other.yaml", "--against", "last 100")
    assert (code, blocked[waiting]["verdict"], blocked[waiting]["where"]) == (1, "blocked", "draft")

    shown = shell("check-upgrade", "checked.yaml")
    assert f"{waiting}\tflow@1.0.0\tfits from\tcheck\t" in shown.stdout
    assert "fit from a node on" in shown.stderr
    assert shell("check-upgrade", "checked.yaml", "--against", "some").returncode == 2


def test_a_waiting_run_moves_and_finishes_on_the_new_version(shell: Shell, waiting: str) -> None:
    refused = shell("migrate", waiting, "--to", "other.yaml")
    assert (refused.returncode, refused.stdout) == (4, "")
    assert refused.stderr.startswith("error DOES_NOT_FIT: `draft` has run")

    done = shell("migrate", waiting, "--to", "flow@2.0.0")
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{waiting} goes on with flow@2.0.0 (was flow@1.0.0)\n"
    assert shell("answer", waiting, "yes").returncode == 0
    assert told(shell("result", waiting, "--json").stdout)["outputs"] == {"said": "new 1 yes"}

    late = shell("migrate", waiting, "--to", "flow@2.0.0")
    assert (late.returncode, late.stdout) == (4, "")
    assert "has ended" in late.stderr


def test_a_recorded_run_is_a_case_that_passes(shell: Shell, waiting: str) -> None:
    assert shell("answer", waiting, "yes").returncode == 0
    assert shell("result", waiting).returncode == 0
    file = f"{waiting}.yaml"

    written = shell("record", waiting, "-o", file)
    again = shell("record", waiting, "-o", file)
    shown = shell("record", waiting, "--name", "mine")
    played = shell("test", file)

    assert (written.returncode, written.stdout) == (0, f"{file}\n"), written.stderr
    assert (again.returncode, again.stderr.startswith("error REQUEST_INVALID")) == (2, True)
    assert "name: mine" in shown.stdout
    assert played.returncode == 0, played.stdout
    assert "1 of 1 cases passed" in played.stdout or "1 of 1 case passed" in played.stdout
