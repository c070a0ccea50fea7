"""One definition runs unchanged against every provider: only the name of its model changes."""

import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import Client

from activities.providers.simulated import Simulated
from orchestrator.settings import Settings
from tests.integration.running import Runs
from tests.wire.adapters import ADAPTERS
from worker import build_worker, open_dependencies

MODEL = "MODEL"
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"customer": {"type": "string"}, "pieces": {"type": "integer"}},
    "required": ["customer", "pieces"],
    "additionalProperties": False,
}


DEFINITION: dict[str, Any] = {
    "name": "shop",
    "version": "1.0.0",
    "inputs": {"type": "object", "properties": {"customer": {"type": "string"}}, "required": ["customer"]},
    "nodes": [
        {
            "id": "greet",
            "type": "ModelInvoke",
            "config": {"model": MODEL, "max_tokens": 50, "prompt": "Say hello", "stream": True},
        },
        {
            "id": "read",
            "type": "ModelInvoke",
            "config": {
                "model": MODEL,
                "max_tokens": 100,
                "system": "Read orders.",
                "prompt": "The customer: {{ inputs.customer }}. She ordered 3 pieces. Which order is it?",
                "answer": SCHEMA,
            },
        },
    ],
    "edges": [{"from": "greet", "to": "read"}],
    "outputs": {
        "greeting": "{{ nodes.greet.text }}",
        "order": "{{ nodes.read.value }}",
        "provider": "{{ nodes.read.provider }}",
        "simulated": "{{ nodes.read.simulated }}",
    },
}


@pytest.fixture
async def runs(client: Client, task_queue: str, worker_settings: Settings, wire: str) -> AsyncGenerator[Runs]:
    """Runs on a worker that asks every provider at the wire server."""
    async with AsyncExitStack() as open_parts:
        chat: dict[str, Any] = {"simulated": Simulated()}
        for name, adapter in ADAPTERS.items():
            provider = adapter.open(wire, 20)
            open_parts.push_async_callback(provider.close)
            chat[name] = provider
        dependencies = await open_parts.enter_async_context(open_dependencies(worker_settings))
        parts = replace(dependencies, chat=chat)
        await open_parts.enter_async_context(build_worker(client, worker_settings, dependencies=parts))
        yield Runs(client, task_queue)


@pytest.mark.parametrize("name", [*sorted(ADAPTERS), "simulated"])
async def test_one_definition_runs_with_every_provider_by_the_name_of_its_model(runs: Runs, name: str) -> None:
    definition = json.loads(json.dumps(DEFINITION).replace(f'"{MODEL}"', f'"{name}/a-model"'))

    result = await runs.run(definition, {"customer": "Ada"})

    assert result.status == "completed", result
    greeting = "[simulated] You asked: Say hello" if name == "simulated" else "Hello there, my dear friend"
    assert result.outputs == {
        "greeting": greeting,
        "order": {"customer": "Ada", "pieces": 3},
        "provider": name,
        "simulated": name == "simulated",
    }
    assert result.usage.calls == 2
    assert result.usage.output_tokens > 0
