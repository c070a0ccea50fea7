"""The Helm chart: rendered by Helm's engine, checked against Kubernetes' schemas, and against what the worker does."""

import json
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import kubernetes_validate  # pyright: ignore[reportMissingTypeStubs] - it has none, but types of its own
import pytest
import yaml

from orchestrator import __version__
from orchestrator.addresses import listen_address
from tests.deploy.chart import CASES, Manifest, Rendered, render, values_of, variables
from tests.deploy.dockerfile import ROOT
from tests.deploy.facts import COMMANDS, SETTINGS

KUBERNETES = kubernetes_validate.latest_version()
SCHEMAS = {
    file.stem: json.loads(file.read_text("utf-8")) for file in (Path(__file__).parent / "schemas").glob("*.json")
}
OTHERS: dict[str, Manifest] = {
    "controller with hpa": {"mode": "controller", "autoscaling": {"kind": "hpa"}},
    "plain with tls": {"temporal": {"tls": {"enabled": True}}, "podDisruptionBudget": {"enabled": False}},
    "controller with tls": {"mode": "controller", "temporal": {"tls": {"enabled": True}}},
    "controller with one secret for mutual tls": {
        "mode": "controller",
        "temporal": {"tls": {"clientCertificateSecret": "t", "caSecret": "t", "serverName": "temporal.example"}},
    },
    "one worker with a folder of its own": {
        "replicas": 1,
        "blobs": {"accessMode": "ReadWriteOnce"},
        "podDisruptionBudget": {"maxUnavailable": "50%"},
    },
    "pods with IPv6 addresses": {"listenOn": "[::]"},
    "without policy and gates": {
        "networkPolicy": {"enabled": False},
        "register": {"enabled": False},
        "replayGate": {"enabled": False},
        "serviceAccount": {"name": "mine"},
    },
}


@pytest.fixture(params=[*CASES, *OTHERS])
def rendered(request: pytest.FixtureRequest) -> Rendered:
    name: str = request.param
    return render(OTHERS[name] if name in OTHERS else values_of(name))


def check(manifest: Manifest) -> None:
    """Raises when Kubernetes would not take the manifest."""
    group, _, kind = f"{manifest['apiVersion'].partition('/')[0]}-{manifest['kind']}".partition("-")
    if (schema := SCHEMAS.get(f"{group}-{kind}")) is not None:
        jsonschema_rs.validate(schema, manifest)
    else:
        kubernetes_validate.validate(manifest, KUBERNETES, strict=True)


def test_helm_lint_finds_nothing(rendered: Rendered) -> None:
    assert rendered.findings == ()


def test_kubernetes_takes_every_manifest(rendered: Rendered) -> None:
    assert rendered.manifests
    for manifest in rendered.manifests:
        check(manifest)


def test_kubernetes_takes_the_pods_that_the_worker_controller_makes(rendered: Rendered) -> None:
    selector = {"matchLabels": {"app": "any"}}
    for deployment in rendered.of("WorkerDeployment"):
        spec = {"selector": selector, "template": deployment["spec"]["template"]}
        check({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "made"}, "spec": spec})


def test_kubernetes_takes_what_is_stamped_out_for_each_release(rendered: Rendered) -> None:
    for stamp in rendered.of("WorkerResourceTemplate"):
        template = stamp["spec"]["template"]
        spec = dict(template["spec"])
        if "scaleTargetRef" in spec:
            assert spec["scaleTargetRef"] == {}  # what the controller fills in
            spec["scaleTargetRef"] = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "made"}
        else:
            assert spec["selector"] == {"matchLabels": {}}
        check({**template, "metadata": {"name": "made"}, "spec": spec})


def test_workers_have_longer_to_stop_than_they_take_to_drain(rendered: Rendered) -> None:
    pod = rendered.worker()["spec"]
    drain = variables(pod["containers"][0])["ORCHESTRATOR_GRACEFUL_SHUTDOWN_TIMEOUT"]

    assert pod["terminationGracePeriodSeconds"] >= float(drain) + 10


def test_probes_and_scrapes_ask_where_the_worker_serves(rendered: Rendered) -> None:
    container = rendered.worker()["spec"]["containers"][0]
    ports = {item["name"]: item["containerPort"] for item in container["ports"]}
    environment = variables(container)
    asked = {name: container[name]["httpGet"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    where = rendered.values.get("listenOn", "0.0.0.0")  # noqa: S104 - what pods are told
    assert environment["ORCHESTRATOR_HEALTH_ADDRESS"] == f"{where}:{ports['health']}"
    assert environment["ORCHESTRATOR_METRICS_ADDRESS"] == f"{where}:{ports['metrics']}"
    assert listen_address(f"{where}:1") == f"{where}:1"
    assert {item["port"] for item in asked.values()} == {"health"}
    assert [asked[name]["path"] for name in ("livenessProbe", "readinessProbe")] == ["/healthz", "/readyz"]
    for monitor in rendered.of("PodMonitor"):
        assert [item["port"] for item in monitor["spec"]["podMetricsEndpoints"]] == ["metrics"]


def test_every_variable_is_a_setting_and_set_once(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        for container in pod["spec"]["containers"]:
            names = [item["name"] for item in container["env"]]
            assert len(names) == len(set(names)), name
            assert {item for item in names if not item.startswith("TEMPORAL_")} <= SETTINGS, name


def test_every_container_runs_a_command_that_exists(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        for container in pod["spec"]["containers"]:
            if "command" in container:
                assert container["command"] == ["python", "/app/replay_gate.py"]
                assert (ROOT / "deploy" / "replay_gate.py").exists()
            else:
                assert container["args"][0] in COMMANDS, name
    assert rendered.worker()["spec"]["containers"][0]["args"] == ["worker"]


def test_no_pod_may_more_than_it_needs(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False, name
        assert spec["securityContext"]["runAsNonRoot"], name
        assert spec["securityContext"]["runAsUser"] == 10001
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"], name
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not security["allowPrivilegeEscalation"]
            assert container["resources"]["requests"], name


def test_what_pods_mount_is_there_and_used(rendered: Rendered) -> None:
    for name, pod in rendered.pods():
        volumes = {item["name"] for item in pod["spec"]["volumes"]}
        for container in pod["spec"]["containers"]:
            mounts = {item["name"]: item["mountPath"] for item in container["volumeMounts"]}
            assert set(mounts) == volumes, name
            paths = [
                value
                for value in variables(container).values()
                if isinstance(value, str) and value.startswith(("/etc/orchestrator/", "/var/lib/"))
            ]
            assert [path for path in paths if not any(path.startswith(mount) for mount in mounts.values())] == [], name


def _leaves(value: Any) -> set[str]:
    match value:
        case dict():
            return set[str]().union(*map(_leaves, cast("dict[str, Any]", value).values()))
        case list():
            return set[str]().union(*map(_leaves, cast("list[Any]", value)))
        case _:
            return {value} if isinstance(value, str) else set()


def _needs(pod: Manifest) -> set[tuple[str, str]]:
    """What a pod refers to, by kind and name."""
    spec, needed = pod["spec"], set[tuple[str, str]]()
    if "serviceAccountName" in spec:
        needed.add(("ServiceAccount", spec["serviceAccountName"]))
    for volume in spec["volumes"]:
        needed |= {("Secret", volume["secret"]["secretName"])} if "secret" in volume else set()
        needed |= {("ConfigMap", volume["configMap"]["name"])} if "configMap" in volume else set()
        if "persistentVolumeClaim" in volume:
            needed.add(("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]))
    for container in spec["containers"]:
        sources = [item["valueFrom"] for item in container["env"] if "valueFrom" in item]
        needed |= {("Secret", source["secretKeyRef"]["name"]) for source in sources}
        needed |= {("Secret", source["secretRef"]["name"]) for source in container.get("envFrom", ())}
    return needed


def test_everything_that_pods_refer_to_is_made_by_the_chart_or_named_in_the_values(rendered: Rendered) -> None:
    made = {(item["kind"], item["metadata"]["name"]) for item in rendered.manifests}
    given = _leaves(rendered.values)

    needed = {item for _, pod in rendered.pods() for item in _needs(pod)}

    assert {(kind, name) for kind, name in needed - made if name not in given} == set()


def test_jobs_before_an_upgrade_need_nothing_that_the_chart_makes(rendered: Rendered) -> None:
    made = {(item["kind"], item["metadata"]["name"]) for item in rendered.manifests}
    for job in rendered.of("Job"):
        assert _needs(job["spec"]["template"]) & made == set()


def test_selectors_find_their_pods(rendered: Rendered) -> None:
    pods = [pod["metadata"]["labels"] for _, pod in rendered.pods()]
    selectors = [
        item["spec"]["selector"] for kind in ("PodDisruptionBudget", "PodMonitor") for item in rendered.of(kind)
    ]
    wanted = [item["matchLabels"] for item in selectors] + [item["spec"]["selector"] for item in rendered.of("Service")]
    for deployment in rendered.of("Deployment"):
        own = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= own.items()

    assert [labels for labels in wanted if sum(labels.items() <= pod.items() for pod in pods) != 1] == []


def test_scalers_find_what_they_scale(rendered: Rendered) -> None:
    kind = rendered.values.get("autoscaling", {}).get("kind", "none")
    (workers,) = [
        item
        for item in (*rendered.of("Deployment"), *rendered.of("WorkerDeployment"))
        if item["spec"]["template"] == rendered.worker()
    ]
    for scaler in (*rendered.of("HorizontalPodAutoscaler"), *rendered.of("ScaledObject")):
        assert scaler["spec"]["scaleTargetRef"]["name"] == workers["metadata"]["name"]
    for template in rendered.of("WorkerResourceTemplate"):
        assert template["spec"]["workerDeploymentRef"]["name"] == workers["metadata"]["name"]

    # A number of replicas beside an autoscaler would undo its work at every upgrade.
    assert ("replicas" in workers["spec"]) == (kind == "none")


def test_with_a_folder_for_one_worker_the_old_one_ends_before_the_new_one_begins() -> None:
    (workers,) = render({"replicas": 1, "blobs": {"accessMode": "ReadWriteOnce"}}).of("Deployment")

    assert workers["spec"]["strategy"] == {"type": "Recreate"}


def test_bounds_of_secrets_are_no_secrets() -> None:
    bounds = {"ORCHESTRATOR_SECRET_HOSTS": '{"crm": ["crm.example"]}'}

    assert (
        bounds.items() <= variables(render({"worker": {"settings": bounds}}).worker()["spec"]["containers"][0]).items()
    )


def test_keys_of_models_come_as_files_beside_the_addresses_of_their_services() -> None:
    told = {"ANTHROPIC_API_KEY_FILE": "/etc/model-keys/anthropic", "GEMINI_BASE_URL": "https://gemini.example"}
    volume = {"name": "model-keys", "secret": {"secretName": "model-keys", "defaultMode": 0o440}}
    mount = {"name": "model-keys", "mountPath": "/etc/model-keys", "readOnly": True}
    rendered = render({"worker": {"settings": told, "extraVolumes": [volume], "extraVolumeMounts": [mount]}})
    pod = rendered.worker()["spec"]
    (container,) = pod["containers"]

    assert told.items() <= variables(container).items()
    assert volume in pod["volumes"]
    assert mount in container["volumeMounts"]
    # Readable for the group, which is the pod's.
    assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"] == 10001


def test_addresses_without_a_password_are_no_secrets() -> None:
    told = {"ORCHESTRATOR_REDIS_URL": "redis://redis.flows:6379/0"}

    assert told.items() <= variables(render({"worker": {"settings": told}}).worker()["spec"]["containers"][0]).items()


def test_a_digest_wins_over_the_tag() -> None:
    digest = f"sha256:{'a' * 64}"
    (container,) = render({"image": {"repository": "r.example/o", "digest": digest}}).worker()["spec"]["containers"]

    assert container["image"] == f"r.example/o@{digest}"


def test_the_notes_say_when_models_are_simulated() -> None:
    assert "simulated" in render({}).notes
    assert "simulated" not in render(values_of("production")).notes
    for worker in ({"settings": {"ANTHROPIC_API_KEY_FILE": "/k"}}, {"variablesSecret": "keys"}):
        assert "simulated" not in render({"worker": worker}).notes


def test_the_chart_installs_the_version_that_it_comes_with() -> None:
    chart = yaml.safe_load((ROOT / "deploy/kubernetes/chart/Chart.yaml").read_text("utf-8"))

    assert chart["appVersion"] == __version__
    assert render({}).worker()["spec"]["containers"][0]["image"] == f"durable-llm-orchestrator:{__version__}"
