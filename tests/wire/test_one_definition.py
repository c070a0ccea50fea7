"""One definition runs against every provider: only the name of the model changes."""

import json
import uuid
from collections.abc import Generator
from contextlib import ExitStack
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.client import Client

from orchestrator.client import Orchestrator
from orchestrator.contracts import RunRequest
from orchestrator.settings import Settings
from tests.scenarios import edge, graph
from tests.wire.adapters import KEY
from tests.wire.manners import ANTHROPIC, BEDROCK, GEMINI, mannerly
from worker import build_worker, open_dependencies

MODELS = ["openai/a-model", "anthropic/a-model", "gemini/a-model", "bedrock/a-model", "simulated"]


@pytest.fixture
def configured(worker_settings: Settings, wire: str, monkeypatch: pytest.MonkeyPatch) -> Generator[Settings]:
    """Settings of a worker that asks all of them, on the wire server."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", KEY)
    with ExitStack() as between:
        yield worker_settings.model_copy(
            update={
                "openai_api_key": SecretStr(KEY),
                "openai_base_url": f"{wire}/v1",
                "anthropic_api_key": SecretStr(KEY),
                "anthropic_base_url": between.enter_context(mannerly(ANTHROPIC, wire)),
                "gemini_api_key": SecretStr(KEY),
                "gemini_base_url": between.enter_context(mannerly(GEMINI, wire)),
                "bedrock_region": "us-east-1",
                "bedrock_endpoint_url": between.enter_context(mannerly(BEDROCK, wire)),
            }
        )


SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"customer": {"type": "string"}, "pieces": {"type": "integer"}},
    "required": ["customer", "pieces"],
    "additionalProperties": False,
}


def definition() -> dict[str, Any]:
    """Asks with a system message, streamed, and for an answer that fits a schema."""

    def ask(name: str, prompt: str, **more: Any) -> dict[str, Any]:
        config = {"model": "{{ inputs.model }}", "prompt": prompt, "max_tokens": 100, "temperature": 0, **more}
        return {"id": name, "type": "ModelInvoke", "config": config}

    order = "The customer: Ada. She ordered 3 pieces. Which order is it?"
    return graph(
        [
            ask("greet", "Say hello", stream=True),
            ask("who", "Who are you?", system="You are Captain Bligh."),
            ask("read", order, system="Read orders.", answer=SCHEMA),
        ],
        [edge("greet", "who"), edge("who", "read")],
        inputs={"model": {"type": "string"}},
        outputs={
            "greeting": "{{ nodes.greet.text }}",
            "who": "{{ nodes.who.text }}",
            "by": "{{ nodes.who.provider }}",
            "order": "{{ nodes.read.value }}",
        },
    )


async def test_one_definition_runs_against_every_provider(client: Client, configured: Settings) -> None:
    door = Orchestrator(client, configured.task_queue)
    found: dict[str, Any] = {}
    async with open_dependencies(configured) as parts, build_worker(client, configured, dependencies=parts):
        for model in MODELS:
            request = RunRequest(definition=definition(), inputs={"model": model})
            result = await door.result(await door.start(request, f"run-{uuid.uuid4()}"))
            assert result.status == "completed", (model, result.error)
            assert KEY not in json.dumps(result.model_dump(mode="json"))
            found[model.partition("/")[0]] = result.outputs

    order = {"customer": "Ada", "pieces": 3}
    simulated = found.pop("simulated")
    assert simulated["order"] == order
    assert simulated["greeting"]
    assert simulated["by"] == "simulated"
    for name, outputs in found.items():
        assert outputs == {
            "greeting": "Hello there, my dear friend",
            "who": "Captain Bligh",
            "by": name,
            "order": order,
        }
