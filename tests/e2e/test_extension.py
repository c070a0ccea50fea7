"""The example package as people use it: installed, seen, tested, run by a worker process, and taken away again."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from orchestrator.devserver import DevServer
from tests.e2e.commands import ROOT, Shell
from tests.unit.loopback import Answer, Web, web

EXAMPLE = ROOT / "examples/orchestrator-writing"
PATIENCE_S = 60
MATCH = {"offset": 2, "length": 3, "message": "Agreement (one-two-three)", "replacements": [{"value": "have"}]}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the example package is installed in."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("needs pip in the environment of the tests")
    folder = tmp_path_factory.mktemp("extension")
    # pip builds in the folder itself, which is not ours to write in.
    copy = shutil.copytree(EXAMPLE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    options = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(folder / "installed"), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return folder / "installed"


@pytest.fixture
def services() -> Generator[tuple[Web, Web]]:
    """A proofreader and a model, as web services of this machine."""
    with web() as proofreader, web() as model:
        proofreader.answers = [Answer(body={"matches": [MATCH]})]
        said = {"model": "small", "message": {"content": "I have"}, "prompt_eval_count": 4, "eval_count": 2}
        model.answers = [Answer(body=said)]
        yield proofreader, model


@pytest.fixture
def shell(tmp_path: Path, server: DevServer, task_queue: str, services: tuple[Web, Web]) -> Shell:
    """A folder with the definition of the example, and the settings of a worker; the package is not installed."""
    shutil.copytree(EXAMPLE / "definitions", tmp_path / "definitions")
    proofreader, model = services
    return Shell(
        tmp_path,
        {
            "TEMPORAL_ADDRESS": server.address,
            "ORCHESTRATOR_TASK_QUEUE": task_queue,
            "ORCHESTRATOR_HTTP_ALLOW_PRIVATE": "127.0.0.1",
            "ORCHESTRATOR_EXTENSION_WRITING_URL": proofreader.url,
            "ORCHESTRATOR_EXTENSION_WRITING_USER": "ada",
            "ORCHESTRATOR_EXTENSION_MODELS_URL": model.url,
            "ORCHESTRATOR_SECRET_WRITING_KEY": "one-two-three",
            "ORCHESTRATOR_STICKY_TIMEOUT": "1",
        },
    )


def with_package(shell: Shell, target: Path) -> Shell:
    return Shell(shell.folder, {**shell.variables, "PYTHONPATH": str(target)})


@contextmanager
def working(shell: Shell) -> Generator[None]:
    """A worker process that polls; it has to end well when told to stop."""
    process = subprocess.Popen(
        [sys.executable, ROOT / "worker.py"],
        cwd=shell.folder,
        env={**shell.environment, "ORCHESTRATOR_LOG_FORMAT": "json"},
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        assert process.stderr is not None
        first = process.stderr.readline()
        try:
            assert "worker polls" in first, first + process.stderr.read()
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            said = first + process.communicate(timeout=PATIENCE_S)[1]
    assert process.returncode == 0
    assert "one-two-three" not in said


def told(done: subprocess.CompletedProcess[str], code: int) -> Any:
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def test_its_node_types_are_listed_with_the_package_they_come_from(shell: Shell, target: Path) -> None:
    found = told(with_package(shell, target)("nodes", "--json"), 0)
    origins = {kind["name"]: kind["origin"] for kind in found}
    shown = with_package(shell, target)("nodes", "TextStats")

    assert origins["TextStats"] == origins["Proofread"] == {"package": "orchestrator-writing", "version": "1.0.0"}
    assert origins["Transform"] is None
    assert "from      orchestrator-writing 1.0.0" in shown.stdout
    assert "What a reader manages in a minute." in shown.stdout


def test_its_definition_is_checked_with_the_package_and_refused_without_it(shell: Shell, target: Path) -> None:
    file = "definitions/review-text.yaml"
    without = shell("validate", file)

    assert with_package(shell, target)("validate", file).returncode == 0
    assert without.returncode == 4
    assert "No node type is named `TextStats`" in without.stderr + without.stdout
    assert "No model is named `local/small`" in without.stderr + without.stdout


def test_its_cases_pass_without_asking_a_model(shell: Shell, target: Path, services: tuple[Web, Web]) -> None:
    done = with_package(shell, target)("test", "definitions/cases")

    assert done.returncode == 0, done.stdout + done.stderr
    assert [service.seen for service in services] == [[], []]


def test_its_own_tests_pass(shell: Shell, target: Path) -> None:
    source = target.parent / "source"
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=source,
        env={**os.environ, "PYTHONPATH": f"{target}{os.pathsep}{ROOT}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
    assert shell.folder.is_dir()


def test_a_run_uses_its_node_types_and_its_model(shell: Shell, target: Path, services: tuple[Web, Web]) -> None:
    equipped = with_package(shell, target)
    with working(equipped):
        run = str(told(equipped("run", "review-text", "-v", "text=I has.", "--json"), 6)["run_id"])
        assert equipped("answer", run, "true").returncode == 0
        result = told(equipped("result", run, "--json"), 0)
        state = told(equipped("state", run), 0)

    finding = {"text": "has", "message": "Agreement (***)", "better": ["have"]}
    assert result["outputs"] == {"words": 2, "findings": [finding]}
    better = state["nodes"]["better"]["output"]
    assert (better["text"], better["provider"]) == ("I have", "local")
    proofreader, model = services
    assert b"apiKey=one-two-three" in proofreader.seen[0].body
    assert json.loads(model.seen[0].body)["model"] == "small"


def test_a_run_whose_package_is_gone_waits_until_it_is_back(shell: Shell, target: Path) -> None:
    equipped = with_package(shell, target)
    with working(equipped):
        run = str(told(equipped("run", "review-text", "-v", "text=I has.", "--json"), 6)["run_id"])

    with working(shell):
        assert shell("answer", run, "true").returncode == 0
        with shell.started("result", run) as waiting:
            assert waiting.stderr is not None
            assert "the run needs attention" in waiting.stderr.readline()
        why = shell("status", run).stdout
        assert "this worker has no node type `TextStats`: install the package that declares it" in why

    with working(equipped):
        assert equipped("resolve", run, "stats", "--retry").returncode == 0
        assert told(equipped("result", run, "--json"), 0)["outputs"]["words"] == 2


def test_a_broken_package_stops_the_worker_with_one_message(shell: Shell, tmp_path: Path) -> None:
    about = tmp_path / "site" / "bad_pack-0.3.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: bad-pack\nVersion: 0.3\n", encoding="utf-8")
    entry = "[orchestrator.node_types]\nBad = bad_pack_is_not_here:BAD\n"
    (about / "entry_points.txt").write_text(entry, encoding="utf-8")
    broken = with_package(shell, tmp_path / "site")
    done = subprocess.run(
        [sys.executable, ROOT / "worker.py"],
        cwd=shell.folder,
        env=broken.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )

    assert done.returncode == 2
    assert "worker: An installed extension cannot be used: package bad-pack 0.3, entry point `Bad = " in done.stderr
    assert "No module named 'bad_pack_is_not_here'" in done.stderr
    assert "Traceback" not in done.stderr
