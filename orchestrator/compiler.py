"""A checked definition to a Plan."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any, Final, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.graph import Flow, Link, bits
from orchestrator.definition.model import ChannelModel, Definition, NodeModel, RetryModel
from orchestrator.definition.references import Place, places, read
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
from orchestrator.node_types.base import NodeType
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


def compile_definition(definition: Definition) -> Plan:
    """The plan of a definition that ``loader`` has checked.

    The same definition always gives the same plan, byte for byte.
    """
    draft = Draft.of(definition)
    texts = list(places(draft))
    configs = _by_node(texts)
    visited = _visits_read(texts)
    return Plan(
        name=definition.name,
        version=definition.version,
        description=definition.description,
        access=definition.access,
        hash=definition_hash(definition),
        limits=Limits(**definition.limits.model_dump()),
        nodes=tuple(
            _node(definition, definition.nodes[number], configs.get(number, ()), keep_visits=visited)
            for number in draft.flow.order
        ),
        edges=tuple(_edge(link) for link in draft.links),
        loops=_loops(draft.flow),
        state={name: _channel(channel) for name, channel in definition.state.items()},
        outputs=collect({name: _output_value(output) for name, output in definition.outputs.items()}),
        output_schema=output_schema(definition),
    )


def definition_hash(definition: Definition) -> str:
    """SHA-256, in hexadecimal, of what the author wrote, whatever the order of keys and the format of the file."""
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


def _node(definition: Definition, node: NodeModel, texts: Iterable[Place], *, keep_visits: frozenset[str]) -> PlanNode:
    kind, defaults = NODE_TYPES[node.type], definition.defaults
    return PlanNode(
        id=NodeId(node.id),
        type=node.type,
        tier=kind.tier,
        activity=kind.activity,
        config=_config(node.config, texts),
        join=node.join,
        cancel_others=node.cancel_others,
        exclusive=kind.ways is not None,
        timeout=node.timeout or defaults.timeout or kind.timeout,
        total_timeout=node.total_timeout or defaults.total_timeout,
        retry=_retry(node, definition, kind),
        write={channel: collect(value) for channel, value in node.write.items()},
        keep_visits=node.id in keep_visits,
    )


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
    return PlanEdge(source=NodeId(link.source), target=NodeId(link.target), when=when, max_visits=link.max_visits)


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
