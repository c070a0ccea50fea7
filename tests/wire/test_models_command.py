"""``starter.py models`` as people run it: a process of its own, against the wire server."""

import json
from pathlib import Path

import pytest

from tests.e2e.commands import Shell
from tests.wire.adapters import KEY

FILE = """
providers:
  house: {kind: openai, base_url: "URL/v1", key_env: house_key}
models:
  in-house: {provider: house, prices: [{input: 1, output: 2}]}
"""


@pytest.fixture
def shell(tmp_path: Path, wire: str) -> Shell:
    """A folder with an endpoint of one's own, and its key in a secret file."""
    (tmp_path / "models.yaml").write_text(FILE.replace("URL", wire), encoding="utf-8")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "house_key").write_text(f"{KEY}\n", encoding="utf-8")
    return Shell(
        tmp_path,
        {
            "ORCHESTRATOR_MODELS_FILE": "models.yaml",
            "ORCHESTRATOR_SECRETS_DIR": "secrets",
            "ORCHESTRATOR_HTTP_ALLOW_PRIVATE": "",
        },
    )


def test_a_model_of_ones_own_endpoint_is_listed_as_ready(shell: Shell) -> None:
    done = shell("models", "--ready", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    assert [row["name"] for row in json.loads(done.stdout)] == ["simulated", "in-house"]


def test_it_is_asked_for_one_word_and_its_cost_is_told(shell: Shell) -> None:
    done = shell("models", "test", "in-house", "--json")

    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert (found["text"], found["served_by"], found["provider"]) == ("ready", "in-house", "house")
    assert (found["input_tokens"], found["output_tokens"], found["cost_usd"]) == (14, 1, 0.000016)


def test_a_provider_that_is_away_is_one_line_and_no_key(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "models.yaml").write_text(FILE.replace("URL", "http://127.0.0.1:9"), encoding="utf-8")

    done = shell("models", "test", "in-house")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "error PROVIDER_UNAVAILABLE: the model provider house cannot be reached: check `base_url` of house in the file "
        "of ORCHESTRATOR_MODELS_FILE and the network\n"
    )
