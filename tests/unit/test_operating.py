"""What a worker is told about its operation: addresses, its version, its probes, and settings that contradict."""

import asyncio
import socket
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from temporalio.client import Client
from temporalio.common import VersioningBehavior
from temporalio.worker import Worker

from orchestrator.addresses import listen_address, split
from orchestrator.errors import SettingsError
from orchestrator.operating.health import Health, health_app
from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from orchestrator.operating.traces import client_traces, worker_traces
from orchestrator.operating.versioning import deployment
from orchestrator.settings import load_settings
from tests.addresses import free_address

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("127.0.0.1:9464", "127.0.0.1:9464"),
        (":9464", "0.0.0.0:9464"),
        ("localhost:1", "127.0.0.1:1"),
        ("[::1]:80", "[::1]:80"),
    ],
)
def test_an_address_is_written_as_an_ip_and_a_port(text: str, written: str) -> None:
    assert listen_address(text) == written


@pytest.mark.parametrize(
    "text", ["", "9464", "host:80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:0", "1.2.3.4:65536", "::1:80", "1.2.3.4:٣"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match=r"0\.0\.0\.0:9464"):
        split(text)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"activity_pollers_minimum": 30}, ("ACTIVITY_POLLERS_MINIMUM", "ACTIVITY_POLLERS_MAXIMUM")),
        ({"workflow_pollers_minimum": 30}, ("WORKFLOW_POLLERS_MINIMUM", "WORKFLOW_POLLERS_MAXIMUM")),
        (
            {"activity_pollers_minimum": 3, "max_concurrent_activities": 2},
            ("ACTIVITY_POLLERS_MINIMUM", "MAX_CONCURRENT_ACTIVITIES"),
        ),
        (
            {"workflow_pollers_minimum": 3, "max_concurrent_workflow_tasks": 2},
            ("WORKFLOW_POLLERS_MINIMUM", "MAX_CONCURRENT_WORKFLOW_TASKS"),
        ),
        ({"metrics_address": ":80", "health_address": "0.0.0.0:80"}, ("METRICS_ADDRESS", "HEALTH_ADDRESS")),
        ({"encryption_keys": "k:x", "encryption_keys_file": "f"}, ("ENCRYPTION_KEYS", "ENCRYPTION_KEYS_FILE")),
    ],
)
def test_settings_that_contradict_each_other_are_both_named(changes: dict[str, Any], named: tuple[str, str]) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings(_env_file=None, **changes)

    for variable in named:
        assert f"ORCHESTRATOR_{variable}" in caught.value.message
    assert "k:x" not in caught.value.message


def test_every_secret_of_the_settings_is_known_to_the_log() -> None:
    settings = load_settings(_env_file=None, encryption_keys="a:first,b:second", codec_token="third")  # noqa: S106

    assert {"first", "second", "third"} <= set(settings.secret_values())


def test_without_its_variables_a_worker_has_no_version() -> None:
    assert deployment({}) is None


def test_a_version_has_runs_move_to_the_current_build() -> None:
    found = deployment({"TEMPORAL_DEPLOYMENT_NAME": "flows", "TEMPORAL_WORKER_BUILD_ID": "1.2.0-ab"})

    assert found is not None
    assert (found.version.deployment_name, found.version.build_id) == ("flows", "1.2.0-ab")
    assert found.use_worker_versioning
    assert found.default_versioning_behavior is VersioningBehavior.AUTO_UPGRADE


@pytest.mark.parametrize(
    ("name", "build", "wrong"),
    [
        ("flows", "", "TEMPORAL_WORKER_BUILD_ID"),
        ("", "b1", "TEMPORAL_DEPLOYMENT_NAME"),
        ("my flows", "b1", "TEMPORAL_DEPLOYMENT_NAME"),
        ("flows.eu", "b1", "TEMPORAL_DEPLOYMENT_NAME"),
        ("flows", "b 1", "TEMPORAL_WORKER_BUILD_ID"),
    ],
)
def test_a_version_that_is_none_is_refused(name: str, build: str, wrong: str) -> None:
    with pytest.raises(SettingsError, match=wrong):
        deployment({"TEMPORAL_DEPLOYMENT_NAME": name, "TEMPORAL_WORKER_BUILD_ID": build})


class _Far:
    """Stands where the server's connection and the worker are: how they are is the test's to say."""

    def __init__(self) -> None:
        self.is_running = False
        self.is_shutdown = False
        self.asked = 0
        self.service_client = self

    async def check_health(self, **_options: Any) -> bool:
        self.asked += 1
        return True


@pytest.mark.parametrize(
    ("running", "shutdown", "stopped", "ready", "alive"),
    [
        (False, False, False, "has not begun to poll", 200),
        (True, False, False, None, 200),
        (True, False, True, "draining", 200),
        (False, True, True, "draining", 200),
        (False, True, False, "has ended", 503),
    ],
)
async def test_the_probes_say_how_the_worker_is(
    *, running: bool, shutdown: bool, stopped: bool, ready: str | None, alive: int
) -> None:
    far, stop, address = _Far(), asyncio.Event(), free_address()
    far.is_running, far.is_shutdown = running, shutdown
    if stopped:
        stop.set()
    health = Health(cast("Client", far), cast("Worker", far), stop)
    async with (
        serving(health_app(health), reserved(address, "address")),
        httpx.AsyncClient(base_url=f"http://{address}", trust_env=False) as client,
    ):
        answers = [await client.get("/readyz") for _ in range(3)]
        living = await client.get("/healthz")

    for answer in answers:
        assert answer.status_code == (200 if ready is None else 503)
        assert (ready or "ok") in answer.text
    assert living.status_code == alive
    # However often somebody asks, the server is not asked each time.
    assert far.asked == (1 if ready is None else 0)


async def test_who_listens_at_every_ipv6_address_is_reached_by_ipv4_as_well() -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("needs IPv6")
    port = free_address().rpartition(":")[2]

    with reserved(f"[::]:{port}", "address"):
        for host in ("::1", "127.0.0.1"):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_nothing_is_traced_unless_a_collector_is_named(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    assert client_traces() == {"interceptors": [], "plugins": []}
    assert worker_traces() == []


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"])
def test_a_protocol_that_we_do_not_speak_is_refused(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.setenv(variable, "grpc")

    with pytest.raises(SettingsError, match=f"{variable}.*http/protobuf"):
        client_traces()


def test_every_metric_and_probe_is_documented() -> None:
    page = (ROOT / "docs/worker.md").read_text(encoding="utf-8")
    sources = [*(ROOT / "orchestrator/operating").glob("*.py"), ROOT / "orchestrator/workflow/counting.py"]
    text = "".join(source.read_text(encoding="utf-8") for source in sources)

    made = {part.partition('"')[0] for part in text.split('"orchestrator_')[1:]}
    assert made >= {"runs_started", "runs_ended", "run_seconds", "nodes", "node_seconds", "runs"}
    assert [name for name in made if f"`orchestrator_{name}" not in page] == []
    assert "/healthz" in page
    assert "/readyz" in page
