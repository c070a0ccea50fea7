"""A replay tells what would go wrong: another way, a step that raises, a payload that cannot be read."""

from pathlib import Path
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, DefaultFailureConverterWithEncodedAttributes

from orchestrator.encryption import EncryptingCodec, Keys, new_key
from orchestrator.encryption.keys import read_keys
from orchestrator.errors import SettingsError
from orchestrator.replaying import replay
from orchestrator.workflow.interpreter import GraphWorkflow
from tests.histories.replay import file_of, names

OLD = read_keys(new_key("old"), "keys")
NEW = read_keys(new_key("new"), "keys")


def history(name: str) -> WorkflowHistory:
    return WorkflowHistory.from_json(name, Path(file_of(name)).read_text(encoding="utf-8"))


def with_keys(keys: Keys) -> DataConverter:
    return DataConverter(
        payload_converter_class=pydantic_data_converter.payload_converter_class,
        payload_codec=EncryptingCodec(keys),
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
    )


async def encrypted(name: str, keys: Keys) -> WorkflowHistory:
    """A recorded history as it would be with these keys: what the run was given is encrypted."""
    found = history(name)
    given = found.events[0].workflow_execution_started_event_attributes.input
    hidden = await EncryptingCodec(keys).encode(list(given.payloads))
    del given.payloads[:]
    given.payloads.extend(hidden)
    return found


@pytest.mark.parametrize("name", names())
async def test_every_step_of_a_recorded_history_still_works(name: str) -> None:
    await replay(history(name), pydantic_data_converter)


async def test_a_history_that_is_encrypted_replays_with_its_key() -> None:
    await replay(await encrypted("sequence", OLD), with_keys(OLD))


async def test_a_history_whose_key_is_missing_does_not_replay() -> None:
    with pytest.raises(SettingsError, match="'old'"):
        await replay(await encrypted("sequence", OLD), with_keys(NEW))


@pytest.mark.parametrize("converter", [pydantic_data_converter, with_keys(OLD)], ids=["plain", "encrypted"])
async def test_a_release_that_raises_does_not_replay(converter: DataConverter, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(_self: GraphWorkflow, _given: Any) -> None:
        raise KeyError("a defect of this release")

    definition: object = getattr(GraphWorkflow, "__temporal_workflow_definition")
    monkeypatch.setitem(vars(definition), "run_fn", broken)

    with pytest.raises(RuntimeError, match="a defect of this release"):
        await replay(history("sequence"), converter)


async def test_a_release_that_does_something_else_does_not_replay() -> None:
    changed = history("sequence")
    for event in changed.events:
        if event.HasField("activity_task_scheduled_event_attributes"):
            event.activity_task_scheduled_event_attributes.activity_type.name = "Another"

    with pytest.raises(workflow.NondeterminismError):
        await replay(changed, pydantic_data_converter)
