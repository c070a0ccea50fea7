"""A Plan as a Mermaid flowchart."""

from typing import Final

from orchestrator.graph.plan import Plan, PlanEdge, PlanNode

__all__ = ["to_mermaid"]

_SHAPES: Final = {"control": ("{{", "}}"), "quick": ("(", ")"), "work": ("[", "]")}
_MOST_LABEL: Final = 60


def to_mermaid(plan: Plan) -> str:
    """The plan as Mermaid text: rectangles do work, rounded ones are quick, hexagons are steps of the run itself.

    A choice (a node that takes exactly one way) is a rhombus; a way back is dotted and says how often it may be taken.
    """
    names = {node.id: f"n{number}" for number, node in enumerate(plan.nodes)}
    lines = ["flowchart TD"]
    lines += [f"    {names[node.id]}{_box(node)}" for node in plan.nodes]
    exclusive = {node.id for node in plan.nodes if node.exclusive}
    for edge in plan.edges:
        label = _label(edge, otherwise=edge.source in exclusive and edge.when is None)
        arrow = "-.->" if edge.max_visits is not None else "-->"
        lines.append(f"    {names[edge.source]} {arrow}{label} {names[edge.target]}")
    return "\n".join(lines) + "\n"


def _box(node: PlanNode) -> str:
    left, right = ("{", "}") if node.exclusive else _SHAPES[node.tier]
    join = "<br/>join: any" if node.join == "any" else ""
    return f'{left}"{_escaped(node.id)}<br/><small>{_escaped(node.type)}</small>{join}"{right}'


def _label(edge: PlanEdge, *, otherwise: bool) -> str:
    parts: list[str] = []
    if edge.when is not None:
        parts.append(_escaped(_shortened(edge.when.text)))
    elif otherwise:
        parts.append("otherwise")
    if edge.max_visits is not None:
        parts.append(f"at most {edge.max_visits}")
    return f'|"{"<br/>".join(parts)}"|' if parts else ""


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _MOST_LABEL else f"{line[: _MOST_LABEL - 1]}…"


def _escaped(text: str) -> str:
    """Text that Mermaid takes for nothing but text: everything it could read as syntax becomes an entity."""
    return "".join(char if char.isalnum() or char in " _.,'=-…" else f"#{ord(char)};" for char in text)
