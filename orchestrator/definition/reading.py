"""Data to a draft: the shape of every field, all of it checked, and as much kept as makes sense."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.definition.draft import Draft
from orchestrator.definition.later import comes_later
from orchestrator.definition.model import (
    BodyModel,
    ChannelModel,
    Definition,
    EdgeModel,
    LimitsModel,
    NodeModel,
    RetryModel,
)
from orchestrator.definition.source import Source
from orchestrator.definition.words import did_you_mean, explain, spell
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path
from orchestrator.node_types import NODE_TYPES

__all__ = ["MOST_ROWS", "read_body", "read_draft"]

MOST_ROWS: Final[Mapping[str, int]] = {"nodes": 2_000, "edges": 10_000}

_Model = TypeVar("_Model", Definition, BodyModel)
_Read = TypeVar("_Read", bound=BaseModel)
_NAMES = ("name", "version", "id")
_SETTINGS = ("limits", "defaults", "retry", "timeout", "total_timeout")
_FIELDS: dict[str, type[BaseModel]] = {"limits": LimitsModel, "retry": RetryModel, "state": ChannelModel}
_STAND_INS: dict[type[BaseModel], dict[str, Any]] = {
    Definition: {"name": "unnamed", "nodes": [{"id": "none", "type": "none"}]},
    BodyModel: {"nodes": [{"id": "none", "type": "none"}]},
}
_NAME_RULES = {
    "name": "lower-case letters, digits and dashes, at most 100, beginning with a letter or digit",
    "version": "three numbers, such as 1.2.0",
    "block": "`name` or `name@1.2.0`, the name in lower-case letters, digits and dashes",
    "id": "letters, digits and underscores, at most 100, beginning with a letter",
}


def read_draft(source: Source) -> tuple[Draft, list[Issue]]:
    """The draft of what was read and every problem of shape."""
    reader = _Reader(source, Definition, ())
    head, rows = reader.read_graph(source.data)
    draft = Draft(definition=head.model_copy(update=rows.lists()), source=source, **rows.facts(reader.lost))
    return draft, reader.issues


def read_body(outer: Draft, number: int) -> tuple[Draft, list[Issue]] | None:
    """The draft of the graph in a node's ``do``, and every problem of its shape; none where no such graph stands.

    Names of the inputs it has are those that the node hands in; its settings are those of the definition around it.
    """
    node = outer.definition.nodes[number]
    kind, do = NODE_TYPES.get(node.type), node.config.get("do")
    if kind is None or not kind.has_body or not isinstance(do, dict):
        return None
    data = cast("dict[str, Any]", do)
    at = (*outer.at, *outer.node_path(number), "config", "do")
    reader = _Reader(outer.source, BodyModel, at)
    head, rows = reader.read_graph(data)
    given = node.config.get("inputs", {})
    lost = reader.lost if isinstance(given, dict) else {*reader.lost, "inputs"}
    inputs: dict[str, Any] = {name: {} for name in cast("dict[str, Any]", given)} if isinstance(given, dict) else {}
    own = {"inputs": inputs, "state": head.state, "outputs": head.outputs, "finally_": head.finally_}
    definition = outer.definition.model_copy(update={**own, **rows.lists()}).with_source(Source(data))
    draft = Draft(
        definition=definition,
        source=outer.source,
        at=at,
        roots=kind.body_roots,
        depth=outer.depth + 1,
        **rows.facts(lost),
    )
    return draft, reader.issues


def _field(row: Any, name: str) -> Any:
    return cast("dict[str, Any]", row).get(name) if isinstance(row, dict) else None


@dataclass(frozen=True, slots=True)
class _Rows:
    """The nodes and edges of a graph as far as they could be read, each with its position."""

    nodes: list[tuple[int, NodeModel | None]]
    edges: list[tuple[int, EdgeModel | None]]
    named: frozenset[str]

    def lists(self) -> dict[str, Any]:
        """The fields of the graph."""
        return {
            "nodes": [node for _, node in self.nodes if node is not None],
            "edges": [edge for _, edge in self.edges if edge is not None],
        }

    def facts(self, lost: Iterable[str]) -> dict[str, Any]:
        """What a draft has to know of them."""
        return {
            "node_at": tuple(index for index, node in self.nodes if node is not None),
            "edge_at": tuple(index for index, edge in self.edges if edge is not None),
            "lost_ids": self.named,
            "lost": frozenset(lost),
            "whole": bool(self.nodes) and all(row is not None for _, row in (*self.nodes, *self.edges)),
        }


class _Reader(Generic[_Model]):
    """Reads one graph: a whole definition, or one within it that begins ``at``."""

    def __init__(self, source: Source, whole: type[_Model], at: Path) -> None:
        self._source = source
        self._whole = whole
        self._at = at
        self.issues: list[Issue] = []
        self.lost: set[str] = set()

    def read_graph(self, data: dict[str, Any]) -> tuple[_Model, _Rows]:
        """All of a graph but its nodes and edges, and these."""
        stand_in = _STAND_INS[self._whole]
        rows = {name: self._rows(name, data) for name in MOST_ROWS}
        outline = {key: value for key, value in data.items() if key not in MOST_ROWS}
        head = self.read(self._whole, {**outline, "nodes": stand_in["nodes"]}, ())
        found = _Rows(
            [(index, self.read(NodeModel, row, ("nodes", index))) for index, row in enumerate(rows["nodes"])],
            [(index, self.read(EdgeModel, row, ("edges", index))) for index, row in enumerate(rows["edges"])],
            frozenset(name for row in rows["nodes"] if isinstance(name := _field(row, "id"), str)),
        )
        return head or self._whole.model_validate(stand_in), found

    def _rows(self, name: str, data: dict[str, Any]) -> list[Any]:
        value = data.get(name)
        if not isinstance(value, list) or (name == "nodes" and not value):
            if name == "nodes" or name in data:
                self._report_list(name, data)
            return []
        rows = cast("list[Any]", value)
        if len(rows) <= MOST_ROWS[name]:
            return rows
        path = (*self._at, name)
        line, column = self._source.mark(path) or (None, None)
        message = f"More than {MOST_ROWS[name]:,} {name}"
        self.issues.append(Issue("DEF002", spell(path), message, line, column, "Take it apart."))
        return []

    def _report_list(self, name: str, data: dict[str, Any]) -> None:
        """Say that ``nodes`` or ``edges`` is missing, empty or no list."""
        given = {name: data[name]} if name in data else {}
        try:
            self._whole.model_validate({**_STAND_INS[self._whole], **given})
            problem: list[Any] = [{"type": "missing", "loc": (name,), "input": data, "msg": ""}]
        except ValidationError as error:
            problem = list(error.errors(include_url=False))
        self._report(problem[:1], data, ())

    def read(self, model: type[_Read], data: Any, at: Path) -> _Read | None:
        """``data`` as a model, its problems reported; fields that are wrong count as left out, where that helps."""
        try:
            return model.model_validate(data)
        except ValidationError as error:
            problems = error.errors(include_url=False)
        self._report(problems, data, at)
        if not isinstance(data, dict):
            return None
        wrong = {problem["loc"][0] for problem in problems if problem["loc"]}
        kept = {key: value for key, value in cast("dict[str, Any]", data).items() if key not in wrong}
        if not at:
            self.lost.update(str(name) for name in wrong)
            kept = {**_STAND_INS[self._whole], **kept}
        try:
            return model.model_validate(kept)
        except ValidationError:
            return None

    def _report(self, problems: Sequence[ErrorDetails], data: Any, at: Path) -> None:
        for problem in problems:
            path = (*at, *_real(problem["loc"], data))
            self.issues.append(self._issue(problem, path))

    def _issue(self, problem: ErrorDetails, path: Path) -> Issue:
        """One of pydantic's error details in plain words."""
        name = str(path[-1]) if path else "the definition"
        missing, unknown = problem["type"] == "missing", problem["type"] == "extra_forbidden"
        hint: str | None = None
        if missing:
            code, message = "DEF010", f"The field `{name}` is missing"
        elif unknown:
            code, message = "DEF011", f"The field `{name}` is unknown"
            hint = comes_later(name) or did_you_mean(name, _siblings(path, self._whole), most=0)
        elif problem["loc"] and problem["loc"][-1] == "[key]":
            code, message = "DEF013", f"`{name}` is not a usable name"
            hint = f"Use {_NAME_RULES['block' if path[0] == 'blocks' else 'id']}."
        elif problem["type"] == "string_pattern_mismatch" and name in _NAME_RULES:
            code, message = "DEF013", f"`{name}` is not well formed"
            hint = f"Use {_NAME_RULES[name]}."
        else:
            code = "DEF014" if any(part in _SETTINGS for part in path) else "DEF012"
            code = "DEF013" if name in _NAMES and len(path) in (1, 3) else code
            message = f"`{name}` {explain(problem)}"
            hint = "Write it in quotes." if problem["type"] == "string_type" and name == "version" else None
        whole = (*self._at, *path)
        mark = self._source.mark(whole[:-1] if missing else whole, key=unknown) or (None, None)
        return Issue(code=code, path=spell(whole), message=message, line=mark[0], column=mark[1], hint=hint)


def _real(place: tuple[int | str, ...], data: Any) -> Iterator[int | str]:
    """The steps of pydantic's place that are in the data, and the last one where it names a field not there."""
    value = data
    for step in place:
        if isinstance(value, dict):
            if step == "[key]":
                return
            yield step
            value = cast("dict[Any, Any]", value).get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            yield step
            value = cast("list[Any]", value)[step]


def _siblings(path: Path, whole: type[BaseModel]) -> list[str]:
    """Names of the fields that may stand beside the last step of ``path``."""
    around = path[:-1]
    if not around:
        model = whole
    elif around[0] in ("nodes", "edges") and len(around) == 2:  # noqa: PLR2004 - nodes[3]
        model = NodeModel if around[0] == "nodes" else EdgeModel
    else:
        model = next((_FIELDS[part] for part in reversed(around) if part in _FIELDS), whole)
    return [info.alias or name for name, info in model.model_fields.items()]
