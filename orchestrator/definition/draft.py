"""A definition under examination: what could be read of it, even where parts of it are wrong."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails, to_json

from orchestrator.definition.certainty import Certainty
from orchestrator.definition.graph import Flow, Link
from orchestrator.definition.model import Definition, NodeModel
from orchestrator.definition.outcomes import Outcomes
from orchestrator.definition.source import Source
from orchestrator.definition.words import spell
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path, Role
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import ConfigModel, fixed_fields
from orchestrator.templating import is_template

__all__ = ["ConfigCheck", "Draft"]


@dataclass(frozen=True, slots=True)
class ConfigCheck:
    """A node's config against its type; ``model`` is none where it does not fit, or templates stand in the way."""

    model: ConfigModel | None
    errors: tuple[ErrorDetails, ...]


@dataclass(frozen=True)
class Draft:
    """A definition under examination, or a graph within one. Paths are relative to where it begins.

    Attributes:
        definition: What could be read; of a graph within, with the settings of the definition around it.
        source: What the whole definition was read from.
        node_at: For each of its nodes, the position in the author's list; the same for ``edge_at``.
        lost_ids: Ids of nodes that could not be read, so that naming them is no second mistake.
        whole: No node and no edge is missing, so that rules about the whole graph make sense.
        lost: Top-level fields that could not be read.
        at: Where it begins; a whole definition begins at ``()``.
        roots: What its texts may refer to beside what those of every graph may.
        depth: How many graphs it is within.
    """

    definition: Definition
    source: Source
    node_at: tuple[int, ...]
    edge_at: tuple[int, ...]
    lost_ids: frozenset[str] = frozenset()
    whole: bool = True
    lost: frozenset[str] = frozenset()
    at: Path = ()
    roots: tuple[str, ...] = ()
    depth: int = 0

    @classmethod
    def of(cls, definition: Definition) -> "Draft":
        """A definition that was read whole."""
        return cls(
            definition,
            definition.source,
            tuple(range(len(definition.nodes))),
            tuple(range(len(definition.edges))),
        )

    def issue(self, code: str, path: Path, message: str, hint: str | None = None, *, key: bool = False) -> Issue:
        """A broken rule at ``path``; ``key`` points at the key there instead of its value."""
        whole = (*self.at, *path)
        line, column = self.source.mark(whole, key=key) or (None, None)
        return Issue(code=code, path=spell(whole), message=message, line=line, column=column, hint=hint)

    def node_path(self, index: int) -> Path:
        """Where a node stands."""
        return ("nodes", self.node_at[index])

    def edge_path(self, index: int) -> Path:
        """Where an edge stands."""
        return ("edges", self.edge_at[index])

    @cached_property
    def nodes(self) -> Mapping[str, NodeModel]:
        """The nodes by id; of two with the same id, the first."""
        found: dict[str, NodeModel] = {}
        for node in self.definition.nodes:
            found.setdefault(node.id, node)
        return found

    @cached_property
    def known_ids(self) -> frozenset[str]:
        """Every id that an author wrote."""
        return self.lost_ids | self.nodes.keys()

    @cached_property
    def configs(self) -> tuple[ConfigCheck, ...]:
        """Each node's config, checked."""
        return tuple(_check_config(node) for node in self.definition.nodes)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every way between nodes: the edges, the ways that configs declare, the ways aside; in the author's order."""
        edges = [
            Link(edge.source, edge.target, edge.when, edge.max_visits, exclusive=False, path=self.edge_path(index))
            for index, edge in enumerate(self.definition.edges)
        ]
        numbers = range(len(self.definition.nodes))
        ways = [link for index in numbers for link in self._ways(index)]
        asides = [link for index in numbers for link in self._asides(index)]
        return (*edges, *ways, *asides)

    def _ways(self, index: int) -> list[Link]:
        node, config = self.definition.nodes[index], self.configs[index].model
        kind = NODE_TYPES.get(node.type)
        if kind is None or kind.ways is None or config is None:
            return []
        at = (*self.node_path(index), "config")
        return [
            Link(node.id, way.to, way.when, way.max_visits, exclusive=True, path=(*at, *_steps(way.at)))
            for way in kind.ways(config)
        ]

    def _asides(self, index: int) -> list[Link]:
        node, at = self.definition.nodes[index], self.node_path(index)
        found: list[Link] = []
        if node.on_error is not None:
            path = (*at, "on_error")
            found.append(Link(node.id, node.on_error, None, None, exclusive=False, path=path, kind="error"))
        kind = NODE_TYPES.get(node.type)
        for field, end in kind.asides.items() if kind else ():
            target = node.config.get(field)
            if isinstance(target, str):
                path = (*at, "config", field)
                found.append(Link(node.id, target, None, None, exclusive=False, path=path, kind=end))
        return found

    @cached_property
    def roles(self) -> Mapping[str, Role]:
        """What the nodes that run aside are for, by id."""
        found: dict[str, Role] = {}
        for node in self.definition.nodes:
            if node.compensate is not None:
                found[node.compensate] = "compensate"
        for name in self.definition.finally_:
            found[name] = "finally"
        return {name: role for name, role in found.items() if name in self.nodes}

    @cached_property
    def sound(self) -> bool:
        """Nothing of the graph's shape is missing or contradictory: every way is known and leads somewhere."""
        nodes = self.definition.nodes
        declared = all(
            (check.model is not None or kind.ways is None)
            and all(isinstance(node.config.get(field), str | None) for field in kind.asides)
            for node, check in zip(nodes, self.configs, strict=True)
            if (kind := NODE_TYPES.get(node.type)) is not None
        )
        ends = all(name in self.nodes and name not in self.roles for link in self.links for name in link.ends)
        typed = all(node.type in NODE_TYPES for node in nodes)
        return self.whole and declared and typed and ends and len(self.nodes) == len(nodes)

    @cached_property
    def flow(self) -> Flow:
        """The graph; only of a sound draft."""
        return Flow([node.id for node in self.definition.nodes], self.links)

    @cached_property
    def outcomes(self) -> Outcomes:
        """How each node can end; only of a sound draft."""
        return Outcomes(self.flow)

    @cached_property
    def certainty(self) -> Certainty:
        """What is finished when; only of a sound draft without forward cycles."""
        joins = cancels = aside = 0
        for number, node in enumerate(self.definition.nodes):
            joins |= (node.join == "any") << number
            cancels |= node.cancel_others << number
            aside |= (node.id in self.roles) << number
        return Certainty(self.outcomes.flow, joins, cancels, aside, self.outcomes.leaves)


def _steps(place: str) -> Path:
    """``routes[0]`` as ``("routes", 0)``."""
    parts = place.replace("]", "").replace("[", ".").split(".")
    return tuple(int(part) if part.isdigit() else part for part in parts if part)


def _check_config(node: NodeModel) -> ConfigCheck:
    kind = NODE_TYPES.get(node.type)
    if kind is None:
        return ConfigCheck(None, ())
    try:
        return ConfigCheck(kind.config.model_validate_json(to_json(node.config), strict=True), ())
    except ValidationError as error:
        found = error.errors(include_url=False)
    # A list whose items are wrong counts as too short as well.
    found = [detail for detail in found if detail["type"] != "too_short" or not _has_more(found, detail["loc"])]
    # What a template gives is known only when the node runs. What the graph looks like is needed before.
    fixed = fixed_fields(kind.config)
    real = [
        detail
        for detail in found
        if kind.ways is not None
        or detail["loc"][:1] in [(name,) for name in fixed]
        or not _under_template(node.config, detail["loc"])
    ]
    return ConfigCheck(None, tuple(real))


def _has_more(found: list[ErrorDetails], place: tuple[int | str, ...]) -> bool:
    return any(len(detail["loc"]) > len(place) and detail["loc"][: len(place)] == place for detail in found)


def _under_template(config: Any, place: tuple[int | str, ...]) -> bool:
    value = config
    for step in place:
        if isinstance(value, dict) and step in value:
            value = cast("dict[Any, Any]", value)[step]
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            value = cast("list[Any]", value)[step]
    return isinstance(value, str) and is_template(value)
