"""Which references of a template end up in the text that it gives, and not only decide what it gives."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import jinja2
from jinja2 import nodes as tree

from orchestrator.errors import TemplateError
from orchestrator.graph.plan import Path
from orchestrator.graph.values import parse_reference
from orchestrator.templating.analysis import inspect_template

__all__ = ["Piece", "outflow"]

_CLOSING: Final = frozenset({"abs", "count", "float", "int", "length", "round", "sum", "wordcount"})
"""Filters that give a number, whatever they are given."""
_FUNCTIONS: Final = (
    tree.Compare,
    tree.Test,
    tree.Not,
    tree.Sub,
    tree.Div,
    tree.FloorDiv,
    tree.Neg,
    tree.Pos,
    tree.Call,
)
"""What gives a truth value, a number, or numbers."""
_jinja = jinja2.Environment(autoescape=False)  # noqa: S701 - only parses; nothing is rendered, least of all HTML

_Names = Mapping[str, frozenset[Path]]


@dataclass(frozen=True, slots=True)
class Piece:
    """One place where a template puts in what it refers to.

    ``encoded``: it passes ``urlencode`` last. ``before``: the text that certainly stands before it, with a space for
    whatever is put in there.
    """

    paths: frozenset[Path]
    encoded: bool = False
    before: str = ""


@lru_cache(maxsize=1024)
def outflow(text: str) -> tuple[Piece, ...]:
    """The places where the template ``text`` puts in what it refers to.

    What only stands in the condition of an ``if``, is compared, counted or asked for is in none of them.

    Raises:
        TemplateError: It cannot be read, or uses what templates may not.
    """
    path = parse_reference(text)
    if path is not None:
        return (Piece(frozenset([path])),)
    inspect_template(text)  # refuses what the walk below does not know
    try:
        return tuple(piece for piece in _pieces(_jinja.parse(text).body, {}, "") if piece.paths)
    except (jinja2.TemplateError, RecursionError) as error:
        raise TemplateError(f"a template cannot be read: {error}") from error


def _pieces(body: Sequence[tree.Node], names: _Names, before: str) -> Iterator[Piece]:
    for node in body:
        if isinstance(node, tree.Output):
            for part in node.nodes:
                if isinstance(part, tree.TemplateData):
                    before += part.data
                else:
                    yield Piece(_read(part, names), _is_encoded(part), before)
                    before += " "
        elif isinstance(node, tree.If):
            for branch in (node.body, node.else_, *(other.body for other in node.elif_)):
                yield from _pieces(branch, names, before)
        elif isinstance(node, tree.For):
            targets = node.target.items if isinstance(node.target, tree.Tuple) else [node.target]
            over = _read(node.iter, names)
            bound = {target.name: over for target in targets if isinstance(target, tree.Name)}
            yield from _pieces(node.body, {**names, **bound, "loop": frozenset[Path]()}, before)
            yield from _pieces(node.else_, names, before)


def _is_encoded(node: tree.Node) -> bool:
    return isinstance(node, tree.Filter) and node.name == "urlencode"


def _read(node: tree.Node | None, names: _Names) -> frozenset[Path]:
    """What flows into the value of an expression."""
    if node is None or isinstance(node, _FUNCTIONS) or (isinstance(node, tree.Filter) and node.name in _CLOSING):
        return frozenset()
    if isinstance(node, (tree.Name, tree.Getattr, tree.Getitem)):
        return _reference(node, names)
    if isinstance(node, tree.CondExpr):
        return _read(node.expr1, names) | _read(node.expr2, names)
    return frozenset(path for child in node.iter_child_nodes() for path in _read(child, names))


def _reference(node: tree.Node, names: _Names) -> frozenset[Path]:
    steps: list[str | int | None] = []
    while isinstance(node, (tree.Getattr, tree.Getitem)):
        if isinstance(node, tree.Getattr):
            steps.append(node.attr)
        else:
            fixed = isinstance(node.arg, tree.Const) and isinstance(node.arg.value, (str, int))
            steps.append(node.arg.value if fixed and isinstance(node.arg, tree.Const) else None)
        node = node.node
    if not isinstance(node, tree.Name):
        return _read(node, names)
    if node.name in names:
        return names[node.name]
    path: list[str | int] = [node.name]
    for step in reversed(steps):
        if step is None:
            break
        path.append(step)
    return frozenset([tuple(path)])
