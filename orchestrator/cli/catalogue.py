"""Does what ``nodes`` asks for: the table of node types, and what each takes and gives."""

import ast
import inspect
import json
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from pydantic import BaseModel

from orchestrator.cli.output import data, out, table
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import DefinitionNotFoundError
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.aliases import ALIASES, aliases_of, canonical
from orchestrator.node_types.base import ConfigModel, NodeType

__all__ = ["nodes"]


def nodes(name: str | None, *, as_json: bool) -> None:
    """Print all node types, or one in full.

    Raises:
        DefinitionNotFoundError: There is no such type.
    """
    if name is None:
        _all(as_json=as_json)
        return
    kind = NODE_TYPES.get(canonical(name))
    if kind is None:
        hint = did_you_mean(name, (*NODE_TYPES, *ALIASES)) or f"There are {', '.join(NODE_TYPES)}."
        raise DefinitionNotFoundError(f"no node type {name[:100]!r}. {hint}")
    about = _about(kind)
    if as_json:
        data(about)
        return
    out(f"{kind.name}: {kind.summary}\n")
    out(f"from      {_origin(kind)}")
    if others := aliases_of(kind.name):
        out(f"also      {', '.join(others)}")
    out(f"runs as   {kind.tier}, {_patience(kind)}")
    out(f"gives     {_outputs(kind)}\n")
    columns = ("config", "type", "default", "meaning")
    table(columns, ((row["name"], row["type"], row["shown"], row["description"]) for row in _fields(kind.config)))


def _all(*, as_json: bool) -> None:
    if as_json:
        data([_about(kind) for kind in NODE_TYPES.values()])
        return
    columns = ("type", "also", "tier", "from", "gives", "what it does")
    table(columns, (_row(kind) for kind in NODE_TYPES.values()))


def _row(kind: NodeType) -> tuple[str, ...]:
    others = ", ".join(aliases_of(kind.name))
    return kind.name, others, kind.tier, _origin(kind), _outputs(kind), kind.summary


def _origin(kind: NodeType) -> str:
    """The package that a node type comes from, and its version."""
    origin = NODE_TYPES.origins.get(kind.name)
    return "built in" if origin is None else str(origin)


def _patience(kind: NodeType) -> str:
    if kind.activity is None:
        return "a step of the run itself"
    return f"{kind.timeout:g} s for each attempt, {kind.retry.max_attempts} attempts"


def _outputs(kind: NodeType) -> str:
    return "depends on its config" if kind.outputs is None else ", ".join(kind.outputs)


def _about(kind: NodeType) -> dict[str, Any]:
    origin = NODE_TYPES.origins.get(kind.name)
    return {
        "name": kind.name,
        "summary": kind.summary,
        "aliases": list(aliases_of(kind.name)),
        "origin": None if origin is None else {"package": origin.package, "version": origin.version},
        "tier": kind.tier,
        "outputs": kind.outputs,
        "timeout_s": kind.timeout,
        "retry": kind.retry.model_dump(mode="json"),
        "config": [{key: row[key] for key in row if key != "shown"} for row in _fields(kind.config)],
    }


def _fields(config: type[BaseModel]) -> Iterator[dict[str, Any]]:
    schema = config.model_json_schema()
    words = _docstrings(config)
    for name, info in config.model_fields.items():
        written = info.alias or name
        required = info.is_required()
        default = None if required else info.get_default(call_default_factory=True)
        yield {
            "name": written,
            "type": _type(schema["properties"][written], schema.get("$defs", {})),
            "required": required,
            "default": default,
            "shown": "(required)" if required else json.dumps(default, ensure_ascii=False, default=str),
            "description": words.get(name, info.description or ""),
        }


def _docstrings(config: type[BaseModel]) -> dict[str, str]:
    """The text that stands below each field, in the class itself or in one that it comes from."""
    found: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if issubclass(base, ConfigModel):
            found |= _own_docstrings(base)
    return found


def _own_docstrings(config: type[ConfigModel]) -> dict[str, str]:
    try:
        source = inspect.getsource(config)
    except OSError:  # a package may come without its source
        return {}
    tree = ast.parse(textwrap.dedent(source)).body[0]
    body = tree.body if isinstance(tree, ast.ClassDef) else []
    found: dict[str, str] = {}
    for field, after in pairwise(body):
        match field, after:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                found[name] = " ".join(text.replace("``", "`").split())
            case _:
                continue
    return found


def _type(schema: dict[str, Any], models: dict[str, Any]) -> str:
    """A type in words an author understands."""
    match schema:
        case {"$ref": reference}:
            text = _type(models[reference.rpartition("/")[2]], models)
        case {"enum": options}:
            text = " | ".join(str(option) for option in options)
        case {"const": value}:
            text = str(value)
        case {"anyOf": options}:
            text = " | ".join(dict.fromkeys(_type(option, models) for option in options))
        case {"type": "array", "items": items}:
            text = f"list of {_type(items, models)}"
        case {"properties": fields}:
            text = f"{{{', '.join(fields)}}}"
        case _:
            text = str(schema.get("type", "any"))
    return text
