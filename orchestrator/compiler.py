"""A checked definition to a Plan."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.graph import Flow, Link, bits
from orchestrator.definition.loader import broken
from orchestrator.definition.model import ChannelModel, Definition, NodeModel, RetryModel
from orchestrator.definition.named import MOST_NESTED, Find, look_up, nested_too_deep
from orchestrator.definition.reading import read_body
from orchestrator.definition.references import Place, places, read
from orchestrator.definition.taint import names_others, taint_refusals
from orchestrator.errors import Issue
from orchestrator.graph.expressions import parser
from orchestrator.graph.plan import (
    Channel,
    Expression,
    Limits,
    NodeId,
    Path,
    Plan,
    PlanEdge,
    PlanLoop,
    PlanNode,
    Retry,
    Template,
)
from orchestrator.graph.values import prune
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import NodeType, cel_fields
from orchestrator.safety import SafetySettings
from orchestrator.templating import collect

__all__ = ["compile_definition", "definition_hash"]

_EMPTY: Final[Mapping[str, Any]] = {
    "string": "",
    "number": 0,
    "integer": 0,
    "boolean": False,
    "object": {},
    "array": [],
    "null": None,
    "any": None,
}


def compile_definition(definition: Definition, find: Find | None = None) -> Plan:
    """The plan of a definition that ``loader`` has checked, with every graph that it runs inline.

    The same definitions always give the same plan, byte for byte.

    Args:
        definition: The definition.
        find: Gives the definition that ``name`` or ``name@version`` stands for.

    Raises:
        DefinitionError: A definition that it names is not there, is broken, is given the wrong inputs, or contains the
            one that names it.
    """
    bodies = _Bodies(find)
    draft = Draft.of(definition)
    plan = bodies.plan(draft, "do:", (_pinned(definition),))
    if not bodies.issues and names_others(draft):
        # What untrusted text does in a definition that is named is known only here.
        bodies.issues += taint_refusals(draft, find)
    if bodies.issues:
        raise broken(bodies.issues)
    return plan.model_copy(update={"bodies": bodies.plans})


class _Bodies:
    """Compiles a graph, and the graphs that it runs inline."""

    def __init__(self, find: Find | None) -> None:
        self._find = find
        self._heights: dict[str, int] = {}
        """How many graphs stand in each other in that of a key."""
        self.plans: dict[str, Plan] = {}
        self.issues: list[Issue] = []

    def plan(self, draft: Draft, prefix: str, inside: tuple[str, ...]) -> Plan:
        """The plan of one graph.

        Args:
            draft: The graph.
            prefix: What the keys of the graphs that stand in it begin with.
            inside: The keys of the graphs around it, and its own.
        """
        numbers = range(len(draft.definition.nodes))
        return _plan(draft, [self._body(draft, number, prefix, inside) for number in numbers])

    def _body(self, draft: Draft, number: int, prefix: str, inside: tuple[str, ...]) -> str | None:
        node = draft.definition.nodes[number]
        if not NODE_TYPES[node.type].has_body:
            return None
        body = read_body(draft, number)
        if body is not None:
            if len(inside) > MOST_NESTED:
                self.issues.append(nested_too_deep(draft, (*draft.node_path(number), "config", "do")))
                return None
            key = prefix + node.id
            self._add(key, body[0], f"{key}.", (*inside, key))
            return key
        named, issues = look_up(draft, number, self._find)
        self.issues += issues
        if named is None or node.config.get("mode") == "child":
            return None
        return self._named(draft, number, named, inside)

    def _named(self, draft: Draft, number: int, named: Definition, inside: tuple[str, ...]) -> str | None:
        key, path = _pinned(named), (*draft.node_path(number), "config", "definition")
        if key in inside:
            ring = [item.partition("#")[0] for item in (*inside[inside.index(key) :], key) if "#" in item]
            message = f"`{named.name}` would contain itself: {' -> '.join(ring)}"
            hint = "Use `mode: child`, which starts a run of its own."
            self.issues.append(draft.issue("DEF047", path, message, hint))
            return None
        if len(inside) + self._heights.get(key, 0) > MOST_NESTED:
            self.issues.append(nested_too_deep(draft, path))
            return None
        if key not in self.plans:
            before = len(self.issues)
            self._add(key, Draft.of(named), f"{key}/do:", (*inside, key))
            where = f"{named.name}@{named.version}"
            self.issues[before:] = [
                draft.issue(issue.code, path, f"in {where}, at {issue.path}: {issue.message}", issue.hint)
                for issue in self.issues[before:]
            ]
        return key

    def _add(self, key: str, draft: Draft, prefix: str, inside: tuple[str, ...]) -> None:
        self.plans[key] = plan = self.plan(draft, prefix, inside)
        within = (self._heights[node.body] for node in plan.nodes if node.body is not None)
        self._heights[key] = max((1 + height for height in within), default=0)


def _pinned(definition: Definition) -> str:
    return f"{definition.name}@{definition.version}#{definition_hash(definition)[:8]}"


def _plan(draft: Draft, bodies: Sequence[str | None]) -> Plan:
    definition = draft.definition
    texts = list(places(draft))
    configs = _by_node(texts)
    visited = _visits_read(texts)
    main = [number for number in draft.flow.order if definition.nodes[number].id not in draft.roles]
    aside = [number for number, node in enumerate(definition.nodes) if node.id in draft.roles]
    return Plan(
        name=definition.name,
        version=definition.version,
        description=definition.description,
        access=definition.access,
        hash=definition_hash(definition),
        limits=Limits(**definition.limits.model_dump()),
        nodes=tuple(
            _node(draft, number, configs.get(number, ()), bodies[number], keep_visits=visited)
            for number in (*main, *aside)
        ),
        edges=tuple(_edge(link) for link in draft.links),
        loops=_loops(draft.flow),
        state={name: _channel(channel) for name, channel in definition.state.items()},
        outputs=collect({name: _output_value(output) for name, output in definition.outputs.items()}),
        output_schema=output_schema(definition),
        inputs=definition.inputs,
        on_failure=definition.on_failure,
        closing=tuple(NodeId(name) for name in definition.finally_),
    )


def definition_hash(definition: Definition) -> str:
    """SHA-256, in hexadecimal, of what the author wrote, with its blocks written out, whatever the order of keys is."""
    data = definition.source.data or definition.model_dump(mode="json", by_alias=True, exclude_unset=True)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def output_schema(definition: Definition) -> dict[str, Any] | None:
    """JSON Schema of the outputs that the definition types; none when it types none."""
    typed = {
        name: schema
        for name, output in definition.outputs.items()
        if isinstance(output, dict)
        if (schema := {key: item for key, item in cast("dict[str, Any]", output).items() if key != "value"})
    }
    return {"type": "object", "properties": typed, "required": list(typed)} if typed else None


def _output_value(output: Any) -> Any:
    return cast("dict[str, Any]", output)["value"] if isinstance(output, dict) else output


def _by_node(texts: Iterable[Place]) -> dict[int, list[Place]]:
    found: dict[int, list[Place]] = {}
    for place in texts:
        if place.node is not None and place.role == "config" and not place.cel:
            found.setdefault(place.node, []).append(place)
    return found


def _visits_read(texts: Iterable[Place]) -> frozenset[str]:
    """Ids of the nodes whose earlier visits somebody reads."""
    return frozenset(
        str(path[1])
        for place in texts
        if ".visits" in place.text or "'visits'" in place.text or '"visits"' in place.text
        for path in _paths(place)
        if len(path) > 2 and path[0] == "nodes" and path[2] == "visits"  # noqa: PLR2004 - nodes.<id>.visits
    )


def _paths(place: Place) -> Iterable[Path]:
    return (found.path for found in read(place))


def _node(
    draft: Draft, number: int, texts: Iterable[Place], body: str | None, *, keep_visits: frozenset[str]
) -> PlanNode:
    definition, node = draft.definition, draft.definition.nodes[number]
    kind, defaults = NODE_TYPES[node.type], definition.defaults
    computed = _computed(node, kind)
    apart = {*computed, *(("do", "inputs") if kind.has_body else ())}
    return PlanNode(
        id=NodeId(node.id),
        type=node.type,
        tier=kind.tier,
        activity=kind.activity,
        config=_config(
            {name: value for name, value in _careful(node, definition, kind).items() if name not in apart},
            [place for place in texts if place.path[3] not in apart],
        ),
        expressions=computed,
        body=body,
        inputs=collect(node.config.get("inputs", {}) if kind.has_body else {}),
        role=draft.roles.get(node.id, "main"),
        on_failure=node.on_failure or definition.on_failure,
        compensate=None if node.compensate is None else NodeId(node.compensate),
        join=node.join,
        cancel_others=node.cancel_others,
        exclusive=kind.ways is not None,
        timeout=node.timeout or defaults.timeout or kind.timeout,
        total_timeout=node.total_timeout or defaults.total_timeout,
        retry=_retry(node, definition, kind),
        write={channel: collect(value) for channel, value in node.write.items()},
        pays=kind.pays,
        cache=node.cache,
        keep_visits=node.id in keep_visits,
    )


def _careful(node: NodeModel, definition: Definition, kind: NodeType) -> dict[str, Any]:
    """A node's config; where its type takes safety settings, with those of the definition beneath its own."""
    common = definition.safety.model_dump(exclude={"taint"}, exclude_defaults=True)
    own: Any = node.config.get("safety") or {}
    if not common or "safety" not in kind.config.model_fields or not isinstance(own, dict):
        return node.config
    merged = SafetySettings.model_validate(own).over(SafetySettings.model_validate(common))
    return {**node.config, "safety": merged.model_dump(exclude_defaults=True)}


def _computed(node: NodeModel, kind: NodeType) -> dict[str, Expression]:
    """The expressions at the top of the config of a node that the run itself performs."""
    fields = cel_fields(kind.config) if kind.activity is None else frozenset[str]()
    return {
        name: Expression(text=text, ast=parser.parse(text))
        for name, text in node.config.items()
        if name in fields and isinstance(text, str)
    }


def _config(config: dict[str, Any], texts: Iterable[Place]) -> Template:
    """The config as written, with what its templates read; expressions in it are no templates."""
    found = [collect(place.text) for place in texts]
    reads = prune(path for template in found for path in template.reads)
    return Template(value=config, reads=reads, exact=all(template.exact for template in found))


def _retry(node: NodeModel, definition: Definition, kind: NodeType) -> Retry:
    layers: tuple[RetryModel, ...] = (definition.defaults.retry, node.retry)
    given = [layer.model_dump(exclude_none=True) for layer in layers]
    return kind.retry.model_copy(update={**given[0], **given[1]})


def _edge(link: Link) -> PlanEdge:
    when = None if link.when is None else Expression(text=link.when, ast=parser.parse(link.when))
    return PlanEdge(
        source=NodeId(link.source), target=NodeId(link.target), when=when, max_visits=link.max_visits, kind=link.kind
    )


def _loops(flow: Flow) -> tuple[PlanLoop, ...]:
    place = {number: at for at, number in enumerate(flow.order)}
    return tuple(
        PlanLoop(
            head=NodeId(flow.ids[loop.head]),
            back_edges=loop.back,
            body=tuple(NodeId(flow.ids[item]) for item in sorted(bits(loop.body), key=place.__getitem__)),
        )
        for loop in flow.loops
    )


def _channel(channel: ChannelModel) -> Channel:
    if "initial" in channel.model_fields_set:
        initial = channel.initial
    else:
        # The largest of nothing is nothing, not zero.
        initial = None if channel.reducer in ("max", "min") else _EMPTY[channel.type]
    return Channel(type=channel.type, initial=initial, reducer=channel.reducer)
