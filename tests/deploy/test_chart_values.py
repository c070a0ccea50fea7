"""Values that the chart refuses, before anything is installed: each would make a cluster that does not work."""

import pytest

from orchestrator.secret_files import secret_fields
from orchestrator.settings import Settings, variable_name
from tests.deploy.chart import Manifest, RefusedError, render


def _steps(*percentages: int) -> list[Manifest]:
    return [{"rampPercentage": percentage, "pauseDuration": "1m"} for percentage in percentages]


REFUSED: dict[str, tuple[Manifest, str]] = {
    "a typing error": ({"replica": 3}, "replica"),
    "an address without port": ({"temporal": {"address": "temporal"}}, "address"),
    "a folder for one worker, and two workers": ({"blobs": {"accessMode": "ReadWriteOnce"}}, "replicas"),
    "a setting that the chart makes itself": (
        {"worker": {"settings": {"ORCHESTRATOR_BLOB_DIR": "/x"}}},
        "worker.settings.ORCHESTRATOR_BLOB_DIR is made from blobs: set that.",
    ),
    "a folder for one worker, and the workers of several releases": (
        {"mode": "controller", "replicas": 1, "blobs": {"accessMode": "ReadWriteOnce"}},
        "mode",
    ),
    "a port that there is not": ({"temporal": {"address": "temporal:65536"}}, "address"),
    "more workers at least than at most": (
        {"autoscaling": {"kind": "keda", "minReplicas": 5, "maxReplicas": 4}},
        "autoscaling.minReplicas (5)",
    ),
    "one port for two things": ({"worker": {"healthPort": 9464}}, "worker.healthPort"),
    "a rollout that goes back": (
        {"mode": "controller", "controller": {"rollout": {"strategy": "Progressive", "steps": _steps(5, 5)}}},
        "controller.rollout.steps",
    ),
    "a rollout without steps": (
        {"mode": "controller", "controller": {"rollout": {"strategy": "Progressive", "steps": []}}},
        "at least one step",
    ),
    "a label by which the chart finds its pods": (
        {"worker": {"podLabels": {"app.kubernetes.io/component": "x"}}},
        "component",
    ),
    "a named secret in the clear": (
        {"worker": {"settings": {"ORCHESTRATOR_SECRET_CRM": "hunter2"}}},
        "put it into the Secret that namedSecrets names",
    ),
    "a database in the clear": (
        {"worker": {"settings": {"ORCHESTRATOR_DATABASE_CRM": "postgresql://ada:hunter2@db.example/crm"}}},
        "put it into the Secret that databases names",
    ),
    **{
        f"{name} in the clear": (
            {"worker": {"settings": {name: "hunter2"}}},
            f"put it into a Secret and name that in worker.variablesSecret, or mount it as a file and set {name}_FILE",
        )
        for name in map(variable_name, secret_fields(Settings))
        if not name.endswith("_URL")
    },
    "an address with a password in the clear": (
        {"worker": {"settings": {"ORCHESTRATOR_STORAGE_URL": "postgresql://ada:hunter2@db.example/flows"}}},
        "worker.settings.ORCHESTRATOR_STORAGE_URL is a secret",
    ),
    "a key in two ways": (
        {"models": {"apiKeySecret": {"name": "k"}}, "worker": {"settings": {"OPENAI_API_KEY_FILE": "/k"}}},
        "set one",
    ),
    "a variable that no worker reads": ({"worker": {"settings": {"PATH": "/x"}}}, "PATH"),
    "a codec server without keys": ({"codec": {"enabled": True}}, "encryption.keysSecret.name"),
    "a codec server without token": (
        {
            "codec": {"enabled": True, "origin": "https://t.example"},
            "encryption": {"keysSecret": {"name": "k", "key": "k"}},
        },
        "codec.tokenSecret.name",
    ),
    "a CA beside a client certificate in a Connection": (
        {"mode": "controller", "temporal": {"tls": {"clientCertificateSecret": "a", "caSecret": "b"}}},
        "temporal.tls",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_cannot_work_are_refused(case: str) -> None:
    values, said = REFUSED[case]

    with pytest.raises(RefusedError) as refused:
        render(values)

    assert said in str(refused.value)
    assert "hunter2" not in str(refused.value)
