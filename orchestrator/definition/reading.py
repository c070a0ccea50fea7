"""Data to a draft: the shape of every field, all of it checked, and as much kept as makes sense."""

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from orchestrator.definition.draft import Draft
from orchestrator.definition.later import comes_later
from orchestrator.definition.model import ChannelModel, Definition, EdgeModel, LimitsModel, NodeModel, RetryModel
from orchestrator.definition.source import Source
from orchestrator.definition.words import did_you_mean, explain, spell
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path

__all__ = ["read_draft", "shape_issue"]

_Model = TypeVar("_Model", bound=BaseModel)
_NAMES = ("name", "version", "id")
_SETTINGS = ("limits", "defaults", "retry", "timeout", "total_timeout")
_FIELDS: dict[str, type[BaseModel]] = {"limits": LimitsModel, "retry": RetryModel, "state": ChannelModel}
_STAND_IN = {"name": "unnamed", "nodes": [{"id": "none", "type": "none"}]}
_NAME_RULES = {
    "name": "lower-case letters, digits and dashes, at most 100, beginning with a letter or digit",
    "version": "three numbers, such as 1.2.0",
    "id": "letters, digits and underscores, at most 100, beginning with a letter",
}


def read_draft(source: Source) -> tuple[Draft, list[Issue]]:
    """The draft of what was read and every problem of shape."""
    reader = _Reader(source)
    data = dict(source.data)
    nodes, edges = _rows(data.get("nodes")), _rows(data.get("edges"))
    outline = {key: value for key, value in data.items() if key not in ("nodes", "edges")}
    if nodes is None or not nodes:
        reader.report_list("nodes", data)
    if edges is None and "edges" in data:
        reader.report_list("edges", data)
    head = reader.read(Definition, {**outline, "nodes": _STAND_IN["nodes"]}, ())
    if head is None:
        head = Definition.model_validate(_STAND_IN)
    found = [(index, reader.read(NodeModel, row, ("nodes", index))) for index, row in enumerate(nodes or ())]
    ways = [(index, reader.read(EdgeModel, row, ("edges", index))) for index, row in enumerate(edges or ())]
    good_nodes = [(index, node) for index, node in found if node is not None]
    good_edges = [(index, edge) for index, edge in ways if edge is not None]
    lost = [cast("dict[str, Any]", row).get("id") for row in nodes or () if isinstance(row, dict)]
    draft = Draft(
        definition=head.model_copy(
            update={"nodes": [node for _, node in good_nodes], "edges": [edge for _, edge in good_edges]}
        ),
        source=source,
        node_at=tuple(index for index, _ in good_nodes),
        edge_at=tuple(index for index, _ in good_edges),
        lost_ids=frozenset(name for name in lost if isinstance(name, str)),
        lost=frozenset(reader.lost),
        whole=bool(nodes) and len(good_nodes) == len(found) and len(good_edges) == len(ways),
    )
    return draft, reader.issues


def _rows(value: Any) -> list[Any] | None:
    return cast("list[Any]", value) if isinstance(value, list) else None


class _Reader:
    def __init__(self, source: Source) -> None:
        self._source = source
        self.issues: list[Issue] = []
        self.lost: set[str] = set()

    def report_list(self, name: str, data: dict[str, Any]) -> None:
        """Say that ``nodes`` or ``edges`` is missing, empty or no list."""
        try:
            Definition.model_validate({**_STAND_IN, **({name: data[name]} if name in data else {})})
            problem: list[Any] = [{"type": "missing", "loc": (name,), "input": data, "msg": ""}]
        except ValidationError as error:
            problem = list(error.errors(include_url=False))
        self._report(problem[:1], data, ())

    def read(self, model: type[_Model], data: Any, at: Path) -> _Model | None:
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
        if model is Definition:
            self.lost.update(str(name) for name in wrong)
            kept = {**_STAND_IN, **kept}
        try:
            return model.model_validate(kept)
        except ValidationError:
            return None

    def _report(self, problems: Sequence[ErrorDetails], data: Any, at: Path) -> None:
        for problem in problems:
            self.issues.append(shape_issue(self._source, problem, data, at))


def shape_issue(source: Source, problem: ErrorDetails, data: Any, at: Path) -> Issue:
    """One of pydantic's error details in plain words."""
    path = (*at, *_real(problem["loc"], data))
    name = str(path[-1]) if path else "the definition"
    missing, unknown = problem["type"] == "missing", problem["type"] == "extra_forbidden"
    hint: str | None = None
    if missing:
        code, message = "DEF010", f"The field `{name}` is missing"
    elif unknown:
        code, message = "DEF011", f"The field `{name}` is unknown"
        hint = comes_later(name) or did_you_mean(name, _siblings(path), most=0)
    elif problem["loc"] and problem["loc"][-1] == "[key]":
        code, message = "DEF013", f"`{name}` is not a usable name"
        hint = f"Use {_NAME_RULES['id']}."
    elif problem["type"] == "string_pattern_mismatch" and name in _NAME_RULES:
        code, message = "DEF013", f"`{name}` is not well formed"
        hint = f"Use {_NAME_RULES[name]}."
    else:
        code = "DEF014" if any(part in _SETTINGS for part in path) else "DEF012"
        code = "DEF013" if name in _NAMES and len(path) in (1, 3) else code
        message = f"`{name}` {explain(problem)}"
        hint = "Write it in quotes." if problem["type"] == "string_type" and name == "version" else None
    mark = source.mark(path[:-1] if missing else path, key=unknown) or (None, None)
    return Issue(code=code, path=spell(path), message=message, line=mark[0], column=mark[1], hint=hint)


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


def _siblings(path: Path) -> list[str]:
    """Names of the fields that may stand beside the last step of ``path``."""
    around = path[:-1]
    if not around:
        model: type[BaseModel] = Definition
    elif around[0] in ("nodes", "edges") and len(around) == 2:  # noqa: PLR2004 - nodes[3]
        model = NodeModel if around[0] == "nodes" else EdgeModel
    else:
        model = next((_FIELDS[part] for part in reversed(around) if part in _FIELDS), Definition)
    return [info.alias or name for name, info in model.model_fields.items()]
