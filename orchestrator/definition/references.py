"""Every text in a definition that refers to the run's data: where it stands, what it reads."""

import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel

from orchestrator.definition.draft import Draft
from orchestrator.graph.expressions import parser, references
from orchestrator.graph.expressions.nodes import chain, children
from orchestrator.graph.plan import Path
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import CelMark, VerbatimMark
from orchestrator.templating import inspect_template, is_template

__all__ = ["Place", "Read", "config_texts", "places", "read"]

Role = Literal["config", "write", "way", "output"]
_NODE = 2
"""The segments that name one node: ``nodes`` and its id."""


@dataclass(frozen=True, slots=True)
class Place:
    """A template, or a CEL expression.

    ``node`` is the number of the node it belongs to; none in ``outputs``. A ``way`` is the condition of one of the
    node's ways out. ``names`` are set where an expression sees only those, and not the run's data; ``roots`` are what
    it sees beside them.
    """

    path: Path
    cel: bool
    text: str
    role: Role
    node: int | None
    names: tuple[str, ...] | None = None
    roots: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Read:
    """One reference in a place. ``guarded``: the same text asks whether it is there.

    ``asked``: it asks for a field of the same node, and not only for the node.
    """

    path: Path
    guarded: bool
    asked: bool = False


def read(place: Place) -> tuple[Read, ...]:
    """What a place refers to.

    Raises:
        TemplateError: The template cannot be read.
        ExpressionError: The expression cannot be read.
    """
    if place.cel:
        ast = parser.parse(place.text)
        asked = {path[:_NODE] for path in _asked(ast) if path[0] == "nodes" and len(path) > _NODE}
        found = references.references(ast)
        return tuple(Read(item.path, item.guarded, item.path[:_NODE] in asked) for item in found)
    return tuple(Read(item.path, item.guarded, item.asked) for item in inspect_template(place.text).references)


def _asked(ast: Any) -> Iterator[Path]:
    """Every path that an expression asks for with `has()`."""
    if isinstance(ast, list) and cast("list[Any]", ast)[:1] == ["has"]:
        path = chain([".", *cast("list[Any]", ast)[1:]])
        if path is not None:
            yield path
    for child in children(ast):
        yield from _asked(child)


def places(draft: Draft) -> Iterator[Place]:
    """Every template and expression of a definition, in the author's order."""
    for number, node in enumerate(draft.definition.nodes):
        at = draft.node_path(number)
        kind = NODE_TYPES.get(node.type)
        ways = kind is not None and kind.ways is not None
        for place in config_texts(kind.config if kind else None, node.config, (*at, "config"), number):
            outward = ways and place.cel and place.names is None
            roots = kind.body_roots if kind and place.path[3] == "inputs" else ()
            yield replace(place, role="way" if outward else place.role, roots=roots)
        yield from _templates(node.write, (*at, "write"), "write", number)
    numbers = {node.id: number for number, node in reversed(list(enumerate(draft.definition.nodes)))}
    for index, edge in enumerate(draft.definition.edges):
        if edge.when is not None:
            path = (*draft.edge_path(index), "when")
            yield Place(path, cel=True, text=edge.when, role="way", node=numbers.get(edge.source))
    for name, output in draft.definition.outputs.items():
        if isinstance(output, dict):
            value = cast("dict[str, Any]", output).get("value")
            yield from _templates(value, ("outputs", name, "value"), "output", None)
        else:
            yield from _templates(output, ("outputs", name), "output", None)


def config_texts(model: type[BaseModel] | None, config: Any, path: Path, node: int | None) -> Iterator[Place]:
    """The templates and expressions in a node's config; ``model`` says which fields are neither."""
    yield from _typed(model or Any, (), config, path, node)


def _typed(annotation: Any, marks: Sequence[Any], value: Any, path: Path, node: int | None) -> Iterator[Place]:
    if get_origin(annotation) is Annotated:
        annotation, *more = get_args(annotation)
        marks = (*marks, *more)
    if any(isinstance(mark, VerbatimMark) for mark in marks):
        return
    mark = next((mark for mark in marks if isinstance(mark, CelMark)), None)
    if isinstance(value, str):
        if mark is not None:
            yield Place(path, cel=True, text=value, role="config", node=node, names=mark.names)
        elif is_template(value):
            yield Place(path, cel=False, text=value, role="config", node=node)
    elif isinstance(value, dict):
        yield from _mapping(annotation, cast("dict[str, Any]", value), path, node)
    elif isinstance(value, list):
        inner = _inner(annotation, (list, tuple, Sequence), 0)
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _typed(inner, (), item, (*path, index), node)


def _mapping(annotation: Any, value: dict[str, Any], path: Path, node: int | None) -> Iterator[Place]:
    model = next(
        (item for item in _options(annotation) if isinstance(item, type) and issubclass(item, BaseModel)), None
    )
    fields = {info.alias or name: info for name, info in model.model_fields.items()} if model else {}
    inner = _inner(annotation, (dict, Mapping), 1)
    for key, item in value.items():
        info = fields.get(key)
        if info is not None:
            yield from _typed(info.annotation, info.metadata, item, (*path, key), node)
        else:
            yield from _typed(inner, (), item, (*path, key), node)


def _options(annotation: Any) -> tuple[Any, ...]:
    if get_origin(annotation) in (Union, types.UnionType):
        return get_args(annotation)
    return (annotation,)


def _inner(annotation: Any, origins: tuple[Any, ...], position: int) -> Any:
    for option in _options(annotation):
        arguments = get_args(option)
        if get_origin(option) in origins and len(arguments) > position:
            return arguments[position]
    return Any


def _templates(value: Any, path: Path, role: Role, node: int | None) -> Iterator[Place]:
    for place in config_texts(None, value, path, node):
        yield replace(place, role=role)
