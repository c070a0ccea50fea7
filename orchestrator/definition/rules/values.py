"""Rules about inputs, outputs, answers and shared state: their schemas, types and start values."""

from collections.abc import Iterator
from typing import Any, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.inputs import input_schema
from orchestrator.definition.words import did_you_mean, kind
from orchestrator.errors import InputError, Issue
from orchestrator.graph.channels import REDUCERS, fits
from orchestrator.graph.plan import Path
from orchestrator.graph.schema import check_schema, problems

__all__ = ["answers_have_schemas", "channels_fit", "inputs_fit", "outputs_have_values", "writes_have_channels"]


def inputs_fit(draft: Draft) -> Iterator[Issue]:
    """DEF060 and DEF061."""
    for name, spec in draft.definition.inputs.items():
        path = ("inputs", name)
        broken = list(_schema(draft, path, input_schema(spec)))
        yield from broken
        if broken or "default" not in spec:
            continue
        for problem in problems(input_schema(spec), spec["default"]):
            yield draft.issue("DEF061", (*path, "default"), f"The default of `{name}` does not fit: {problem}")


def outputs_have_values(draft: Draft) -> Iterator[Issue]:
    """DEF060 and DEF062."""
    for name, output in draft.definition.outputs.items():
        if not isinstance(output, dict):
            continue
        fields = cast("dict[str, Any]", output)
        if "value" not in fields:
            hint = "Write `name: template`, or `name: {value: template, type: …}`."
            yield draft.issue("DEF062", ("outputs", name), f"The output `{name}` has no `value`", hint)
        yield from _schema(draft, ("outputs", name), {key: item for key, item in fields.items() if key != "value"})


def answers_have_schemas(draft: Draft) -> Iterator[Issue]:
    """DEF060, for what a `UserInput` takes as an answer."""
    for index, node in enumerate(draft.definition.nodes):
        answer = node.config.get("answer")
        if node.type == "UserInput" and isinstance(answer, dict):
            yield from _schema(draft, (*draft.node_path(index), "config", "answer"), cast("dict[str, Any]", answer))


def channels_fit(draft: Draft) -> Iterator[Issue]:
    """DEF071 and DEF072."""
    for name, channel in draft.definition.state.items():
        path = ("state", name)
        if channel.type not in REDUCERS[channel.reducer]:
            types = ", ".join(REDUCERS[channel.reducer])
            message = f"`{channel.reducer}` does not work on a channel of type {channel.type}"
            yield draft.issue("DEF071", (*path, "reducer"), message, f"It works on: {types}.")
        starts_empty = channel.initial is None and channel.reducer in ("max", "min")
        if "initial" in channel.model_fields_set and not starts_empty and not fits(channel.initial, channel.type):
            message = f"`initial` must be of type {channel.type}, not {kind(channel.initial)}"
            yield draft.issue("DEF072", (*path, "initial"), message)


def writes_have_channels(draft: Draft) -> Iterator[Issue]:
    """DEF070."""
    channels = draft.definition.state
    if "state" in draft.lost:
        return
    for index, node in enumerate(draft.definition.nodes):
        for name in node.write:
            if name not in channels:
                path = (*draft.node_path(index), "write", name)
                hint = did_you_mean(name, channels) or "Declare it under `state`."
                yield draft.issue("DEF070", path, f"There is no channel `{name}`", hint, key=True)


def _schema(draft: Draft, path: Path, schema: Any) -> Iterator[Issue]:
    try:
        check_schema(schema)
    except InputError as error:
        yield draft.issue("DEF060", path, f"This is {error.message}")
