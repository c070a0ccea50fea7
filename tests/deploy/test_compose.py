"""docker-compose.yml: taken by docker-compose, and true to what server, worker and command line want."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.devserver import DYNAMIC_CONFIG
from tests.deploy.dockerfile import ROOT
from tests.deploy.facts import COMMANDS, SETTINGS

FILE = ROOT / "docker-compose.yml"
ENV_FILES = ("deploy/temporal.env", "deploy/worker.env")
ONCE = {"temporal-schema", "temporal-namespace", "register", "cli"}
"""Services that do one thing and end."""

Service = dict[str, Any]


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Service]:
    """Every service as docker-compose understands it, with the env files of somebody who just copied the examples."""
    if (program := shutil.which("docker-compose")) is None:
        pytest.skip("needs docker-compose")
    folder = tmp_path_factory.mktemp("compose")
    (folder / "deploy").mkdir()
    shutil.copy(FILE, folder)
    for name in ENV_FILES:
        shutil.copy(ROOT / f"{name}.example", folder / name)
    done = subprocess.run(
        [program, "--profile", "cli", "--profile", "codec", "config"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return yaml.safe_load(done.stdout)["services"]


def seconds(duration: str) -> float:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(float(number) * units[unit] for number, unit in re.findall(r"([0-9.]+)([hms])", duration))


def test_docker_compose_takes_it(services: dict[str, Service]) -> None:
    wanted = {"postgresql", "temporal", "temporal-ui", "register", "worker", "redis", "qdrant"}

    assert wanted <= set(services)


def test_every_image_is_ours_or_pinned(services: dict[str, Service]) -> None:
    tags = {name: service["image"].rpartition(":")[2] for name, service in services.items() if "build" not in service}

    assert {name: tag for name, tag in tags.items() if not re.fullmatch(r"v?\d+\.\d+(\.\d+)?(-bookworm)?", tag)} == {}


def test_the_server_is_of_the_version_that_we_test_with(services: dict[str, Service]) -> None:
    images = {services[name]["image"] for name in ("temporal", "temporal-schema", "temporal-namespace")}

    assert {image.rpartition(":")[2] for image in images} == {"1.32.0"}


def test_what_runs_on_tells_whether_it_is_healthy(services: dict[str, Service]) -> None:
    lasting = {name for name in services if name not in ONCE}
    # The worker's is in the image.
    without = {name for name in lasting if "test" not in services[name].get("healthcheck", {})}

    assert without == {"worker"}


def test_nothing_starts_before_what_it_needs(services: dict[str, Service]) -> None:
    for service in services.values():
        for name, needed in service.get("depends_on", {}).items():
            ends = needed["condition"] == "service_completed_successfully"
            assert ends == (name in ONCE)
    assert set(services["worker"]["depends_on"]) == {"register", "redis", "qdrant"}


def test_the_worker_has_longer_to_stop_than_it_takes_to_drain(services: dict[str, Service]) -> None:
    worker = services["worker"]

    drain = float(worker["environment"]["ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT"])

    assert seconds(worker["stop_grace_period"]) >= drain + 10


def test_every_setting_exists(services: dict[str, Service]) -> None:
    for service in services.values():
        named = {name for name in service.get("environment", {}) if name.startswith(("ORCHESTRATOR_", "OPENAI_"))}
        assert named <= SETTINGS


def test_our_services_run_commands_that_exist_on_a_read_only_root(services: dict[str, Service]) -> None:
    ours = {name: service for name, service in services.items() if "build" in service}

    assert {service["command"][0] for service in ours.values()} <= {*COMMANDS, "--help"}
    assert all(service["read_only"] and service["cap_drop"] == ["ALL"] for service in ours.values())


def test_only_this_machine_reaches_the_ports(services: dict[str, Service]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]

    assert ports
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


def test_files_that_are_mounted_are_in_the_repository() -> None:
    lines = re.findall(r"^ +- \./([^:\s]+):", FILE.read_text("utf-8"), re.MULTILINE)
    scripts = re.findall(r'"/deploy/([^"]+)"|: /deploy/(\S+)', FILE.read_text("utf-8"))

    assert set(lines) == {"definitions", "deploy/temporal"}
    assert [name for pair in scripts for name in pair if name and not (ROOT / "deploy/temporal" / name).exists()] == []


@pytest.mark.parametrize("script", sorted((ROOT / "deploy" / "temporal").glob("*.sh")), ids=lambda path: path.name)
def test_the_scripts_are_well_formed(script: Path) -> None:
    assert subprocess.run(["sh", "-n", str(script)], check=False, timeout=10).returncode == 0


def test_the_servers_settings_are_those_that_we_develop_with() -> None:
    text = (ROOT / "deploy" / "temporal" / "dynamic-config.yaml").read_text("utf-8")
    config: dict[str, list[dict[str, Any]]] = yaml.safe_load(text)

    ours: dict[str, str] = {name: value for name, _, value in (item.partition("=") for item in DYNAMIC_CONFIG)}

    assert {name: str(config[name][0]["value"]).lower() for name in ours} == ours


def test_no_env_file_with_secrets_can_be_committed() -> None:
    ignored = (ROOT / ".gitignore").read_text("utf-8").split()

    assert "deploy/*.env" in ignored
