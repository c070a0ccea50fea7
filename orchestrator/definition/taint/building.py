"""A definition, and the graphs in it, as one network of places where text may stand."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.model import Definition, NodeModel
from orchestrator.definition.named import MOST_NESTED, Find
from orchestrator.definition.reading import read_body
from orchestrator.definition.references import Place, places
from orchestrator.definition.rules.timing import undone_by
from orchestrator.definition.taint.points import Asked, Moment, Network, Point, Report, Use
from orchestrator.errors import ExpressionError, Issue, OrchestratorError, TemplateError
from orchestrator.graph.expressions import parser, references
from orchestrator.graph.plan import Path
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import NodeType
from orchestrator.node_types.trust import closed
from orchestrator.templating.outflow import Piece, outflow

__all__ = ["build"]

_CLOSED_RESULTS: Final = ("bool", "int", "double", "null")
_ALWAYS_CLEAN: Final = ("at", "expired")
_PAST_HOST: Final = re.compile(r"(?:https?://[^/?#]+| [^/?#:]*)[/?#]", re.IGNORECASE)
"""The beginning of an address up to where its host has certainly ended; a space stands for what is put in."""
_MOST_SCOPES: Final = 500
"""Graphs that are followed each by itself; a definition that is named more often than that is not followed again."""


def build(draft: Draft, find: Find | None) -> Network:
    """The network of a sound draft.

    Args:
        draft: A whole definition.
        find: Gives the definitions that it names; without it, what they do inside is not known.
    """
    builder = _Builder(find)
    scope = _Scope(draft, "", draft.issue, frozenset(), None)
    builder.add(scope)
    for name, spec in draft.definition.inputs.items():
        if spec.get("untrusted") is True:
            builder.network.origins["", "input", name, ""] = f"the input `{name}`", ("", "", "begins")
    return builder.network


@dataclass(frozen=True, slots=True)
class _Scope:
    """One graph of those that run inline.

    Attributes:
        draft: The graph.
        prefix: What stands before the ids of its nodes, such as ``items.``.
        report: Makes an issue of it.
        inside: The names of the definitions around it.
        item: Where the item is that it runs for.
    """

    draft: Draft
    prefix: str
    report: Report
    inside: frozenset[str]
    item: Point | None

    def out(self, node: str, field: str = "*") -> Point:
        return (self.prefix, "out", node, field)

    def moment(self, node: str, moment: str) -> Moment:
        return (self.prefix, node, moment)

    def outputs(self, name: str, rest: Path) -> list[Point]:
        """The places that hold the untrusted text of a node's output, or of a part of it."""
        node = self.draft.nodes.get(name)
        kind = NODE_TYPES.get(node.type) if node else None
        if node is None or kind is None or node.trusted is not None:
            return []
        trust, field = kind.trust, rest[0] if rest else "visits"
        if field == "visits":
            inner = _output_names(node, kind)
            return [self.out(name, item) for item in dict.fromkeys((*trust.gives, *inner, "*"))]
        if (
            field in trust.clean
            or field in _ALWAYS_CLEAN
            or closed(node.config.get(trust.fits.get(str(field), "")), rest[1:])
        ):
            return []
        if field == "error" or field in trust.gives:
            return [self.out(name, str(field))]
        return [self.out(name, str(field)), self.out(name)] if kind.has_body else [self.out(name)]


def _output_names(node: NodeModel, kind: NodeType) -> tuple[str, ...]:
    do = node.config.get("do")
    if not kind.has_body or kind.outputs is not None or not isinstance(do, dict):
        return kind.outputs or () if kind.has_body else ()
    outputs = cast("dict[str, Any]", do).get("outputs")
    return tuple(cast("dict[str, Any]", outputs)) if isinstance(outputs, dict) else ()


class _Builder:
    def __init__(self, find: Find | None) -> None:
        self.network = Network()
        self._find = find
        self._scopes = 0

    def add(self, scope: _Scope) -> dict[str, list[Point]]:
        """Add a graph. Gives what flows into each of its outputs."""
        self._scopes += 1
        texts: dict[int | None, list[Place]] = {}
        for place in places(scope.draft):
            if place.role != "way":
                texts.setdefault(place.node, []).append(place)
        self._steps(scope)
        for number, node in enumerate(scope.draft.definition.nodes):
            kind = NODE_TYPES.get(node.type)
            if kind is not None:
                self._node(scope, number, kind, texts.get(number, []))
        found: dict[str, list[Point]] = {}
        for place in texts.get(None, []):
            found.setdefault(str(place.path[1]), []).extend(self._points(scope, place))
        return found

    def _steps(self, scope: _Scope) -> None:
        draft, step = scope.draft, self.network.step
        entered = {link.target for link in draft.links if link.max_visits is None}
        going_on = {link.source for link in draft.links if _certain(link.kind, link.max_visits, link.when)}
        going_on |= {link.source for link in draft.links if link.exclusive}
        for number, node in enumerate(draft.definition.nodes):
            begins, ends = scope.moment(node.id, "begins"), scope.moment(node.id, "ends")
            role, kind = draft.roles.get(node.id), NODE_TYPES.get(node.type)
            if role == "compensate":
                for undone in undone_by(draft, number):
                    step(scope.moment(draft.definition.nodes[undone].id, "ends"), begins)
            elif role == "finally":
                step(scope.moment("", "begins"), begins)
                for other in draft.nodes:
                    step(scope.moment(other, "begins"), begins)
            else:
                if node.id not in entered:
                    step(scope.moment("", "begins"), begins)
                if node.id not in going_on:
                    step(ends, scope.moment("", "ends"))
            if kind is None or not kind.has_body or kind.body_roots:
                step(begins, ends)
        for link in draft.links:
            step(
                scope.moment(link.source, "ends" if link.kind == "normal" else "begins"),
                scope.moment(link.target, "begins"),
            )

    def _node(self, scope: _Scope, number: int, kind: NodeType, texts: list[Place]) -> None:
        node, trust, network = scope.draft.definition.nodes[number], kind.trust, self.network
        begins = scope.moment(node.id, "begins")
        shown = f"`{scope.prefix}{node.id}`"
        if node.trusted is None:
            for field, source in trust.gives.items():
                network.origins[scope.out(node.id, field)] = f"{source} ({shown})", begins
            if trust.gives:
                source = next(iter(trust.gives.values()))
                network.origins[scope.out(node.id, "error")] = f"{source} ({shown})", begins
        read = [(place, self._points(scope, place)) for place in texts]
        config = [(place, points) for place, points in read if place.role == "config"]
        for place, points in read:
            if place.role == "write":
                network.flow(points, (scope.prefix, "state", str(place.path[3]), ""))
        if kind.has_body:
            self._body(scope, number, kind, config)
        else:
            for _, points in config:
                # What went wrong may quote what was read, also where the output itself is closed.
                network.flow(points, scope.out(node.id, "error"))
                if not trust.closes(node.config):
                    network.flow(points, scope.out(node.id))
        if trust.approves:
            points = [point for place, found in config if place.path[3] in trust.approves for point in found]
            network.asked.append(Asked(tuple(points), scope.moment(node.id, "ends"), f"{scope.prefix}{node.id}"))
        self._uses(scope, node, kind, config)

    def _uses(self, scope: _Scope, node: NodeModel, kind: NodeType, config: list[tuple[Place, list[Point]]]) -> None:
        trust = kind.trust
        arguments = trust.arguments if trust.changes(node.config) else ()
        for place, points in config:
            field = str(place.path[3])
            if field not in trust.acts and field not in arguments:
                continue
            address = field in trust.addresses
            kept = self._points(scope, place, deciding=True) if address else points
            if kept:
                what = trust.acts.get(field, "an argument of an action")
                sentence = f"`{field}` of `{scope.prefix}{node.id}` is {what}"
                self.network.uses.append(
                    Use(
                        points=tuple(kept),
                        at=scope.moment(node.id, "begins"),
                        path=place.path,
                        sentence=sentence,
                        argument=field not in trust.acts,
                        address=address,
                        report=scope.report,
                    )
                )

    def _body(self, scope: _Scope, number: int, kind: NodeType, config: list[tuple[Place, list[Point]]]) -> None:
        node, network = scope.draft.definition.nodes[number], self.network
        item = (scope.prefix, "item", node.id, "") if kind.body_roots else None
        inner = self._inner(scope, number, item)
        begins, ends = scope.moment(node.id, "begins"), scope.moment(node.id, "ends")
        for place, points in config:
            if place.path[3] == "items" and item is not None:
                network.flow(points, item)
            elif place.path[3] == "inputs" and len(place.path) > 4:  # noqa: PLR2004 - nodes[3].config.inputs.name
                name = str(place.path[4])
                network.flow(points, scope.out(node.id) if inner is None else (inner.prefix, "input", name, ""))
        if inner is None:
            network.step(begins, ends)
            return
        network.step(begins, inner.moment("", "begins"))
        network.step(inner.moment("", "ends"), ends)
        for name, points in self.add(inner).items():
            network.flow(points, scope.out(node.id, "results" if kind.body_roots else name))

    def _inner(self, scope: _Scope, number: int, item: Point | None) -> _Scope | None:
        """The graph that a node runs; none where nobody can say what it is."""
        if self._scopes >= _MOST_SCOPES:
            return None
        node = scope.draft.definition.nodes[number]
        prefix = f"{scope.prefix}{node.id}."
        body = read_body(scope.draft, number)
        if body is not None:
            draft = body[0]
            usable = draft.sound and draft.depth <= MOST_NESTED
            return _Scope(draft, prefix, _reporting(scope, draft, number), scope.inside, item) if usable else None
        named = self._named(node)
        if named is None or named.name in scope.inside or len(scope.inside) >= MOST_NESTED:
            return None
        draft = Draft.of(named)
        path = (*scope.draft.node_path(number), "config", "definition")
        inside = scope.inside | {named.name}
        return _Scope(draft, prefix, _within(scope.report, path, draft, named), inside, None)

    def _named(self, node: NodeModel) -> Definition | None:
        name = node.config.get("definition")
        if self._find is None or not isinstance(name, str):
            return None
        try:
            return self._find(name)
        except OrchestratorError:
            return None  # DEF045 says it

    def _points(self, scope: _Scope, place: Place, *, deciding: bool = False) -> list[Point]:
        """The places whose text flows into a template or an expression.

        ``deciding``: it is a web address; what is encoded behind its host decides nothing.
        """
        if place.names is not None:
            return []
        try:
            paths = list(_flowing(place, deciding=deciding))
        except (TemplateError, ExpressionError):
            return []  # DEF050 and DEF051 say it
        found = [point for path in paths for point in self._reads(scope, place, path)]
        return list(dict.fromkeys(found))

    def _reads(self, scope: _Scope, place: Place, path: Path) -> list[Point]:
        root, name, rest = path[0], str(path[1]) if len(path) > 1 else None, path[2:]
        draft = scope.draft
        if root == "inputs":
            inputs: Mapping[str, Any] = draft.definition.inputs
            names = [name] if name is not None else list(inputs)
            return [(scope.prefix, "input", item, "") for item in names if not closed(inputs.get(item), rest)]
        if root == "state":
            names = [name] if name is not None else list(draft.definition.state)
            return [(scope.prefix, "state", item, "") for item in names]
        if root == "nodes" and name is not None:
            return scope.outputs(name, rest)
        if root == "output" and place.node is not None:
            numbers = (undone_by(draft, place.node) if place.role == "config" else []) or [place.node]
            return [point for item in numbers for point in scope.outputs(draft.definition.nodes[item].id, path[1:])]
        if root == "item" and "item" in place.roots and place.node is not None:
            return [(scope.prefix, "item", draft.definition.nodes[place.node].id, "")]
        return [scope.item] if root == "item" and scope.item is not None else []


def _certain(kind: str, max_visits: int | None, when: str | None) -> bool:
    return kind == "normal" and max_visits is None and when is None


def _reporting(scope: _Scope, draft: Draft, number: int) -> Report:
    """How a graph in place is reported: in its own text, wherever that stands."""
    if scope.report == scope.draft.issue:
        return draft.issue
    within = scope.draft.node_path(number)

    def report(code: str, path: Path, message: str, hint: str) -> Issue:
        return scope.report(code, (*within, "config", "do", *path), message, hint)

    return report


def _within(outer: Report, path: Path, draft: Draft, named: Definition) -> Report:
    """How a definition is reported that another one names: where it is named."""

    def report(code: str, where: Path, message: str, hint: str) -> Issue:
        place = draft.issue(code, where, message).path
        return outer(code, path, f"in {named.name}@{named.version}, at {place}: {message}", hint)

    return report


def _flowing(place: Place, *, deciding: bool) -> Iterator[Path]:
    if place.cel:
        yield from _cel(parser.parse(place.text))
        return
    for piece in outflow(place.text):
        if not (deciding and _decides_nothing(piece)):
            yield from piece.paths


def _decides_nothing(piece: Piece) -> bool:
    return piece.encoded and _PAST_HOST.match(piece.before) is not None


def _cel(ast: Any) -> Iterator[Path]:
    match ast:
        case ["?", _, then, other]:
            yield from _cel(then)
            yield from _cel(other)
        case _ if references.result_type(ast) not in _CLOSED_RESULTS:
            yield from (found.path for found in references.references(ast))
        case _:
            return
