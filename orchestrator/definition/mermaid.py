"""A Plan as a Mermaid flowchart."""

from collections.abc import Iterator
from typing import Any, Final, cast

from orchestrator.graph.plan import NodeId, Plan, PlanEdge, PlanNode

__all__ = ["to_mermaid"]

_SHAPES: Final = {"control": ("{{", "}}"), "quick": ("(", ")"), "work": ("[", "]")}
_MOST_LABEL: Final = 60
_SIDES: Final = {"error": "on error", "expiry": "on expiry", "reject": "on reject"}


def to_mermaid(plan: Plan) -> str:
    """The plan as Mermaid text: rectangles do work, rounded ones are quick, hexagons are steps of the run itself.

    A choice (a node that takes exactly one way) is a rhombus; a way back is dotted and says how often it may be taken.
    Ways aside are dotted too and say when they are taken. What a node runs for itself stands in a box of its own, to
    which the node points; the same holds for what runs at the very end.
    """
    return "\n".join(["flowchart TD", *_Drawing(plan).lines(plan, "n", "    ")]) + "\n"


class _Drawing:
    def __init__(self, root: Plan) -> None:
        self._bodies = root.bodies
        self._drawn: dict[str, str] = {}
        """Key of a body to its box: one that runs in several places is drawn once."""

    def lines(self, plan: Plan, prefix: str, margin: str) -> Iterator[str]:
        """One plan; the names in it begin with ``prefix``."""
        names = {node.id: f"{prefix}{number}" for number, node in enumerate(plan.nodes)}
        exclusive = {node.id for node in plan.nodes if node.exclusive}
        for node in plan.nodes:
            if node.role != "finally":
                yield f"{margin}{names[node.id]}{_box(node)}"
        yield from self._closing(plan, names, prefix, margin)
        for edge in plan.edges:
            arrow = _arrow(edge, otherwise=edge.source in exclusive)
            yield f"{margin}{names[edge.source]} {arrow} {names[edge.target]}"
        for node in plan.nodes:
            if node.compensate is not None:
                yield f'{margin}{names[node.id]} -.-|"undone by"| {names[node.compensate]}'
            yield from self._body(node, names[node.id], margin)

    def _closing(self, plan: Plan, names: dict[NodeId, str], prefix: str, margin: str) -> Iterator[str]:
        if not plan.closing:
            return
        nodes = {node.id: node for node in plan.nodes}
        yield f'{margin}subgraph {prefix}f["finally"]'
        for name in plan.closing:
            yield f"{margin}    {names[name]}{_box(nodes[name])}"
        if len(plan.closing) > 1:
            yield f"{margin}    {' --> '.join(names[name] for name in plan.closing)}"
        yield f"{margin}end"

    def _body(self, node: PlanNode, name: str, margin: str) -> Iterator[str]:
        if node.body is None:
            return
        if node.body not in self._drawn:
            self._drawn[node.body] = box = f"{name}b"
            body = self._bodies[node.body]
            named = not node.body.rpartition("/")[2].startswith("do:")
            yield f'{margin}subgraph {box}["{_escaped(f"{body.name} {body.version}" if named else node.id)}"]'
            yield from self.lines(body, f"{name}_", f"{margin}    ")
            yield f"{margin}end"
        each = "for each item" if node.type == "ForEach" else "runs"
        yield f'{margin}{name} ==>|"{each}"| {self._drawn[node.body]}'


def _box(node: PlanNode) -> str:
    left, right = ("{", "}") if node.exclusive else _SHAPES[node.tier]
    join = "<br/>join: any" if node.join == "any" else ""
    config = cast("dict[str, Any]", node.config.value)
    child = f"<br/>child run of {_escaped(config['definition'])}" if config.get("mode") == "child" else ""
    return f'{left}"{_escaped(node.id)}<br/><small>{_escaped(node.type)}</small>{join}{child}"{right}'


def _arrow(edge: PlanEdge, *, otherwise: bool) -> str:
    parts: list[str] = []
    if edge.kind != "normal":
        parts.append(_SIDES[edge.kind])
    elif edge.when is not None:
        parts.append(_escaped(_shortened(edge.when.text)))
    elif otherwise:
        parts.append("otherwise")
    if edge.max_visits is not None:
        parts.append(f"at most {edge.max_visits}")
    dotted = edge.max_visits is not None or edge.kind != "normal"
    return ("-.->" if dotted else "-->") + (f'|"{"<br/>".join(parts)}"|' if parts else "")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_LABEL else f"{line[: _MOST_LABEL - 1]}…"


def _escaped(text: str) -> str:
    """Text that Mermaid takes for nothing but text: everything it could read as syntax becomes an entity."""
    return "".join(char if char.isalnum() or char in " _.,'=-…" else f"#{ord(char)};" for char in text)
