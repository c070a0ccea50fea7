"""JSON Schema of the language, for editors. ``python -m orchestrator.definition.schema [FILE]`` writes it."""

import json
import sys
from pathlib import Path
from typing import Any, Final

from orchestrator.definition.model import BodyModel, Definition
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.aliases import ALIASES, aliases_of
from orchestrator.node_types.base import NodeType, fixed_fields

__all__ = ["definition_schema", "definition_schema_text"]

_FILE: Final = Path(__file__).parents[2] / "docs" / "definition.schema.json"
_TYPES: Final = ["string", "number", "integer", "boolean", "object", "array", "null"]
_REFERENCE: Final = "#/$defs/{model}"
_TEMPLATE: Final = {"type": "string", "pattern": r"\{[\{%]"}


def definition_schema() -> dict[str, Any]:
    """JSON Schema (2020-12) of a definition, the config of each node type included."""
    schema = Definition.model_json_schema(ref_template=_REFERENCE)
    body = BodyModel.model_json_schema(ref_template=_REFERENCE)
    definitions = schema.pop("$defs") | body.pop("$defs")
    definitions["BodyModel"] = body
    node = definitions["NodeModel"]
    node["properties"]["type"] = {"enum": [*NODE_TYPES, *ALIASES], "title": "Type"}
    node["allOf"] = [_config_for(kind, definitions) for kind in NODE_TYPES.values()]
    retyped = {"inputs": _input_schema(), "outputs": _output_schema()}
    for name, value in retyped.items():
        schema["properties"][name] = {**schema["properties"][name], **value}
    body["properties"]["outputs"] = schema["properties"]["outputs"]
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Workflow definition",
        **{key: value for key, value in schema.items() if key != "title"},
        "$defs": dict(sorted(definitions.items())),
    }


def definition_schema_text() -> str:
    """The schema as the file holds it."""
    return json.dumps(definition_schema(), indent=2, ensure_ascii=False) + "\n"


def _config_for(kind: NodeType, definitions: dict[str, Any]) -> dict[str, Any]:
    config = kind.config.model_json_schema(ref_template=_REFERENCE)
    definitions.update(config.pop("$defs", {}))
    for name, field in config.get("properties", {}).items():
        if name not in fixed_fields(kind.config):
            config["properties"][name] = _or_template(field)
    if kind.has_body:
        config["properties"]["do"] = {"$ref": _REFERENCE.format(model="BodyModel")}
    config["description"] = kind.summary
    definitions[kind.config.__name__] = config
    then: dict[str, Any] = {"properties": {"config": {"$ref": _REFERENCE.format(model=kind.config.__name__)}}}
    if config.get("required"):
        then["required"] = ["config"]
    return {"if": {"properties": {"type": {"enum": [kind.name, *aliases_of(kind.name)]}}}, "then": then}


def _or_template(field: dict[str, Any]) -> dict[str, Any]:
    """A field that also takes a template, which may give any type when the node runs."""
    if not field.keys() & {"type", "anyOf", "enum", "const", "$ref"} or field.get("type") == "string":
        return field
    kept = {key: field[key] for key in ("title", "description", "default") if key in field}
    inner = {key: value for key, value in field.items() if key not in kept}
    return {**kept, "anyOf": [inner, _TEMPLATE]}


def _input_schema() -> dict[str, Any]:
    return {
        "additionalProperties": {
            "type": "object",
            "description": "JSON Schema of the input; `default` is used where it is left out",
            "properties": {
                "type": {"anyOf": [{"enum": _TYPES}, {"type": "array", "items": {"enum": _TYPES}}]},
                "default": True,
                "description": {"type": "string"},
                "required": {"type": ["boolean", "array"]},
                "untrusted": {"type": "boolean", "description": "Nobody of yours wrote what comes here"},
            },
        }
    }


def _output_schema() -> dict[str, Any]:
    typed = {"type": "object", "required": ["value"], "properties": {"value": True}}
    plain = {"type": ["string", "number", "boolean", "array", "null"]}
    return {"additionalProperties": {"anyOf": [plain, typed]}}


def _main() -> None:
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else _FILE
    file.write_text(definition_schema_text(), encoding="utf-8")
    sys.stdout.write(f"wrote {file}\n")


if __name__ == "__main__":
    _main()
