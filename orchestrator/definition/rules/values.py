"""Rules about inputs, outputs, answers and shared state: their schemas, types and start values."""

from collections.abc import Iterator
from typing import Any, Final, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.words import did_you_mean, kind
from orchestrator.errors import InputError, Issue, TemplateError
from orchestrator.graph.channels import REDUCERS, fits
from orchestrator.graph.inputs import input_schema
from orchestrator.graph.plan import Path
from orchestrator.graph.schema import check_schema, problems
from orchestrator.node_types import NODE_TYPES
from orchestrator.templating import inspect_template, is_template

__all__ = [
    "answers_have_schemas",
    "channels_fit",
    "inputs_fit",
    "outputs_have_values",
    "texts_fit_types",
    "writes_have_channels",
    "writes_have_outputs",
]

_TAKES_ITEMS: Final = ("append", "union")
_NOT_TEXT: Final = frozenset({"number", "integer", "boolean", "object", "array", "null"})
_NO_TEXT: Final = (
    "Write exactly one reference, such as `{{ nodes.x.result }}`; in a `Transform`, `expression` computes such a value "
    "and `json_parse` reads it from text."
)


def inputs_fit(draft: Draft) -> Iterator[Issue]:
    """DEF012, DEF060 and DEF061."""
    for name, spec in draft.definition.inputs.items():
        path = ("inputs", name)
        if not isinstance(spec.get("untrusted", False), bool):
            message = f"`untrusted` must be true or false, not {kind(spec['untrusted'])}"
            yield draft.issue("DEF012", (*path, "untrusted"), message)
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


def texts_fit_types(draft: Draft) -> Iterator[Issue]:
    """DEF063, for outputs that name a type and for what nodes write into channels."""
    for name, output in draft.definition.outputs.items():
        if isinstance(output, dict):
            fields = cast("dict[str, Any]", output)
            yield from _texts(draft, ("outputs", name, "value"), fields.get("value"), fields)
    for index, node in enumerate(draft.definition.nodes):
        for name, value in node.write.items():
            channel = draft.definition.state.get(name)
            if channel is None or channel.type == "any" or channel.reducer in _TAKES_ITEMS:
                continue
            yield from _texts(draft, (*draft.node_path(index), "write", name), value, {"type": channel.type})


def _texts(draft: Draft, path: Path, value: Any, schema: Any) -> Iterator[Issue]:
    """The texts in ``value`` that stand where ``schema`` allows none."""
    if not isinstance(schema, dict):
        return
    keywords = cast("dict[str, Any]", schema)
    if isinstance(value, str):
        named = keywords.get("type", "string")
        types = [str(item) for item in cast("list[Any]", named)] if isinstance(named, list) else [str(named)]
        if types and _NOT_TEXT.issuperset(types) and _gives_text(value):
            message = f"This must be of type {' or '.join(types)}, but always gives text"
            yield draft.issue("DEF063", path, message, _NO_TEXT)
    elif isinstance(value, dict) and isinstance(keywords.get("properties"), dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _texts(draft, (*path, key), item, keywords["properties"].get(key))
    elif isinstance(value, list) and "prefixItems" not in keywords:
        for number, item in enumerate(cast("list[Any]", value)):
            yield from _texts(draft, (*path, number), item, keywords.get("items"))


def _gives_text(text: str) -> bool:
    if not is_template(text):
        return True
    try:
        return not inspect_template(text).exact
    except TemplateError:
        return False  # DEF050 says it


def answers_have_schemas(draft: Draft) -> Iterator[Issue]:
    """DEF060, for what a `UserInput` or a model is to answer, and an `Approval` takes as a changed proposal."""
    for index, node in enumerate(draft.definition.nodes):
        field = {"UserInput": "answer", "ModelInvoke": "answer", "Approval": "form"}.get(node.type, "")
        schema = node.config.get(field)
        if isinstance(schema, dict):
            yield from _schema(draft, (*draft.node_path(index), "config", field), cast("dict[str, Any]", schema))


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


def writes_have_outputs(draft: Draft) -> Iterator[Issue]:
    """DEF073."""
    for index, node in enumerate(draft.definition.nodes):
        kind = NODE_TYPES.get(node.type)
        if kind is not None and kind.ways is not None and node.write:
            message = f"`{node.id}` decides its ways out, and writes nothing"
            hint = "Write in the node that it leads to."
            yield draft.issue("DEF073", (*draft.node_path(index), "write"), message, hint, key=True)


def _schema(draft: Draft, path: Path, schema: Any) -> Iterator[Issue]:
    try:
        check_schema(schema)
    except InputError as error:
        yield draft.issue("DEF060", path, f"This is {error.message}")
