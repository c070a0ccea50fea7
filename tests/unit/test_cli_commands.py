"""The commands that need no server, and what holds for all of them."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import get_args

import pytest

from orchestrator import __version__
from orchestrator.cli.app import call
from orchestrator.cli.errors import EXIT_CODES, code_for
from orchestrator.cli.telling import message
from orchestrator.cli.templates import TEMPLATES
from orchestrator.definition.loader import load_file
from orchestrator.errors import OrchestratorError
from orchestrator.node_types import NODE_TYPES
from orchestrator.statuses import ListedStatus

ROOT = Path(__file__).parents[2]
COMMANDS = (
    *("run", "start", "status", "progress", "watch", "stream", "result", "state", "list"),
    *("answer", "send", "approve", "pause", "resume", "resolve", "cancel"),
    *("fork", "check-upgrade", "migrate", "record"),
    *("validate", "graph", "nodes", "new", "test", "dev", "worker", "register", "doctor"),
    *("codec-server", "encryption-key", "demo", "completion", "models", "budgets", "archive", "storage", "estimate"),
)
BAD = "name: bad\nnodes:\n  - {id: a, type: Formt, config: {}}\n  - {id: a, type: Format, config: {tmplate: x}}\n"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs one command in an empty folder: exit code, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def command(*arguments: str) -> tuple[int, str, str]:
        code = call(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return command


def test_the_version_is_shown(run: Run) -> None:
    assert run("--version") == (0, f"orchestrator {__version__}\n", "")


def test_help_and_docs_have_the_same_exit_codes(run: Run) -> None:
    _, shown, _ = run("--help")
    page = (ROOT / "docs/cli.md").read_text(encoding="utf-8")
    in_help = {int(code): text for code, text in re.findall(r"^ +(\d+)  (.+)$", shown, re.MULTILINE)}
    in_docs = {int(code): text for code, text in re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)}

    assert in_help == in_docs == dict(EXIT_CODES)


def test_the_commands_are_these(run: Run) -> None:
    _, shown, _ = run("--help")
    listed = shown.partition("Commands:")[2].partition("Examples:")[0]

    assert set(re.findall(r"^  ([a-z-]+) ", listed, re.MULTILINE)) == set(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_with_an_example_and_a_line_in_the_docs(run: Run, name: str) -> None:
    code, shown, _ = run(name, "--help")

    assert code == 0
    assert f"  orchestrator {name}" in shown
    assert f"| [`{name}" in (ROOT / "docs/cli.md").read_text(encoding="utf-8")


def _codes(error: type[OrchestratorError]) -> set[str]:
    return {error.code}.union(*(_codes(child) for child in error.__subclasses__()))


def test_every_error_has_a_documented_exit_code() -> None:
    assert {code_for(code) for code in _codes(OrchestratorError)} <= set(EXIT_CODES)


@pytest.mark.parametrize(
    "arguments",
    [
        ("nonsense",),
        ("run",),
        ("list", "--limit", "x"),
        ("list", "--no-such-option"),
        ("run", "x", "--max-price", "1"),
        ("run", "x", "--max-cost", "-1"),
    ],
)
def test_a_usage_error_is_two_and_says_what_is_wrong(run: Run, arguments: tuple[str, ...]) -> None:
    code, out, err = run(*arguments)

    assert (code, out) == (2, "")
    assert "Error" in err
    assert "Traceback" not in err


def test_an_unknown_status_is_a_usage_error_that_names_them_all(run: Run) -> None:
    code, out, err = run("list", "--status", "finished")

    assert (code, out) == (2, "")
    assert [status for status in get_args(ListedStatus) if status not in err] == []


def test_a_message_without_an_id_gets_one_of_its_own() -> None:
    first, second = (message("yes", None, None, None).message_id for _ in range(2))

    assert first
    assert first != second
    assert message("yes", None, None, "m-1").message_id == "m-1"


def test_validate_lists_every_problem_of_every_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD, encoding="utf-8")

    code, out, _ = run("validate", "bad.yaml", str(ROOT / "definitions/demo.yaml"))

    assert code == 4
    assert re.search(r"^DEF020\t3:\d+\t", out, re.MULTILINE)
    assert re.search(r"^DEF023\t4:\d+\t", out, re.MULTILINE)
    assert "demo.yaml: valid (demo 1.0.0, 9 nodes)" in out


def test_validate_as_json_is_all_there_is_on_standard_output(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD, encoding="utf-8")

    code, out, err = run("validate", "bad.yaml", "missing.yaml", "--json")
    bad, missing = json.loads(out)

    assert (code, err) == (4, "")
    assert {"DEF020", "DEF023"} <= {issue["code"] for issue in bad["issues"]}
    assert all({"path", "message", "line", "column"} <= issue.keys() for issue in bad["issues"][:1])
    assert (missing["valid"], missing["code"]) == (False, "DEFINITION_NOT_FOUND")


def test_validate_of_a_file_that_is_not_there_is_five(run: Run) -> None:
    code, out, err = run("validate", "missing.yaml")

    assert (code, out) == (5, "")
    assert err.startswith("error DEFINITION_NOT_FOUND: cannot read missing.yaml")


def test_what_a_file_says_cannot_drive_the_terminal(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text('name: "\\e[31mred"\nnodes: []\n', encoding="utf-8")

    _, out, err = run("validate", "bad.yaml")

    assert "\x1b" not in out + err


def test_run_refuses_a_bad_file_before_it_looks_for_a_server(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BAD, encoding="utf-8")

    code, out, err = run("run", "bad.yaml")

    assert (code, out) == (4, "")
    assert err.startswith("error DEFINITION_INVALID: line 3")
    assert "DEF023" in err


@pytest.mark.parametrize("form", ["mermaid", "text"])
def test_graph_draws_every_node(run: Run, form: str) -> None:
    file = ROOT / "definitions/demo.yaml"

    code, out, _ = run("graph", str(file), "--format", form)

    assert code == 0
    assert all(node.id in out for node in load_file(file).nodes)


def test_nodes_lists_every_type_and_shows_one_in_full(run: Run) -> None:
    _, listed, _ = run("nodes")
    code, shown, _ = run("nodes", "HttpRequest")

    assert [line.split("\t")[0] for line in listed.splitlines()] == list(NODE_TYPES)
    assert code == 0
    assert re.search(r'^method\tGET \| HEAD.*\t"GET"\t', shown, re.MULTILINE)
    assert re.search(r"^json\tany\tnull\tSent as JSON\.$", shown, re.MULTILINE)


@pytest.mark.parametrize("name", NODE_TYPES)
def test_every_node_type_is_described_as_json(run: Run, name: str) -> None:
    code, out, _ = run("nodes", name, "--json")

    assert code == 0
    assert json.loads(out)["name"] == name


def test_an_unknown_node_type_is_five_with_the_nearest_name(run: Run) -> None:
    code, _, err = run("nodes", "HtpRequest")

    assert code == 5
    assert "HttpRequest" in err


@pytest.mark.parametrize("template", TEMPLATES)
def test_new_writes_a_definition_that_validates(run: Run, tmp_path: Path, template: str) -> None:
    code, out, _ = run("new", "my-flow", "--template", template)

    assert (code, out) == (0, "definitions/my-flow.yaml\n")
    assert load_file(tmp_path / "definitions/my-flow.yaml").name == "my-flow"


def test_new_overwrites_nothing_unless_told_to(run: Run, tmp_path: Path) -> None:
    run("new", "mine", "--dir", "here")
    (tmp_path / "here/mine.yaml").write_text("precious", encoding="utf-8")

    refused, _, err = run("new", "mine", "--dir", "here")
    assert refused == 2
    assert "--force" in err
    assert (tmp_path / "here/mine.yaml").read_text(encoding="utf-8") == "precious"

    forced, _, _ = run("new", "mine", "--dir", "here", "--force")
    assert forced == 0
    assert load_file(tmp_path / "here/mine.yaml").name == "mine"


@pytest.mark.parametrize("arguments", [("new", "../up"), ("new", "Big"), ("new", "ok", "--template", "helo")])
def test_new_refuses_what_is_no_name_and_no_template(run: Run, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, _, err = run(*arguments)

    assert code == 2
    assert err.startswith("error REQUEST_INVALID")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [("--help",), ("nodes",), ("validate", "definitions/demo.yaml")])
def test_short_commands_import_neither_temporal_nor_a_provider(arguments: tuple[str, ...]) -> None:
    code = (
        "import sys; from orchestrator.cli.app import call; call(sys.argv[1:]);"
        "print([name for name in ('temporalio', 'openai', 'httpx', 'worker') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )

    assert done.stdout.splitlines()[-1] == "[]"
