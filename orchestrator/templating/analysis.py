"""Reads a template without running it: what it refers to, and that it can do no harm.

The text must satisfy two parsers, Jinja2's (whose tree is checked here) and MiniJinja's (which renders it), so that a
difference between the two cannot carry anything past the checks.
"""

import warnings
from dataclasses import dataclass
from functools import lru_cache

import jinja2
import minijinja
from jinja2 import nodes as tree

from orchestrator.errors import TemplateError
from orchestrator.graph.plan import Path
from orchestrator.graph.values import format_path, parse_reference
from orchestrator.templating.refusals import refusal

__all__ = [
    "MAX_TEMPLATE_CHARS",
    "Analysis",
    "TemplateInfo",
    "TemplateReference",
    "analyse",
    "inspect_template",
    "is_template",
    "shorten",
]

MAX_TEMPLATE_CHARS = 64 * 1024
"""The longest template, in characters."""
_MAX_DEPTH = 60
_MAX_CONCATENATIONS = 20
_SHOWN_CHARS = 80
_NODE_PATH = 2

_jinja = jinja2.Environment(autoescape=False)  # noqa: S701 - only parses; nothing is rendered, least of all HTML
_minijinja = minijinja.Environment(pycompat=False)


@dataclass(frozen=True, slots=True)
class TemplateReference:
    """A place in the run's data that a template reads.

    ``guarded``: the same template asks whether it is there (``nodes.x is defined``, ``nodes.x | default(…)``).
    ``asked``: it asks for a field of the same node (``nodes.x.error is defined``), which says nothing of the node.
    """

    path: Path
    guarded: bool
    asked: bool = False


@dataclass(frozen=True, slots=True)
class TemplateInfo:
    """What a template refers to, in order of appearance; ``exact`` when all of it is one plain reference."""

    references: tuple[TemplateReference, ...]
    exact: bool


@dataclass(frozen=True, slots=True)
class Analysis:
    """A template's references, and what bounds the work of rendering it.

    ``loop_text`` is the longest literal text inside a loop, in characters; ``scans`` says that operations whose cost
    grows with the data may run often.
    """

    info: TemplateInfo
    loop_text: int = 0
    scans: bool = False


def is_template(text: str) -> bool:
    """Whether ``text`` holds anything to fill in."""
    return "{{" in text or "{%" in text or "{#" in text


def shorten(text: str) -> str:
    """The first 80 characters of a template, for messages."""
    return text if len(text) <= _SHOWN_CHARS else f"{text[:_SHOWN_CHARS]}…"


def inspect_template(text: str) -> TemplateInfo:
    """What the template ``text`` refers to.

    Raises:
        TemplateError: It cannot be read, or uses what templates may not.
    """
    return analyse(text).info


@lru_cache(maxsize=1024)
def analyse(text: str) -> Analysis:
    """As ``inspect_template``, with the figures the renderer needs."""
    path = parse_reference(text)
    if path is not None:
        _require_named_node(path, 1)
        return Analysis(TemplateInfo((TemplateReference(path, guarded=False),), exact=True))
    walk = _Walk()
    walk.visit(_parse(text), _Place())
    return Analysis(
        TemplateInfo(walk.references(), exact=False),
        loop_text=walk.loop_text,
        scans=walk.scans > _MAX_CONCATENATIONS,
    )


def _parse(text: str) -> tree.Template:
    if len(text) > MAX_TEMPLATE_CHARS:
        raise TemplateError(f"a template is {len(text)} characters long; at most {MAX_TEMPLATE_CHARS} are allowed")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # an unknown backslash escape warns in Python and fails in MiniJinja
            parsed = _jinja.parse(text)
        _minijinja.undeclared_variables_in_str(text)
    except jinja2.TemplateSyntaxError as error:
        raise TemplateError(f"line {error.lineno}: {error.message}", details={"line": error.lineno}) from error
    except minijinja.TemplateError as error:
        reason = error.detail or error.message
        raise TemplateError(f"line {error.line or 1}: {reason}", details={"line": error.line or 1}) from error
    except RecursionError as error:
        raise TemplateError(f"a template nests deeper than {_MAX_DEPTH} levels") from error
    except ValueError as error:
        raise TemplateError(f"a template holds text or a number that cannot be read: {error}") from error
    return parsed


@dataclass(frozen=True, slots=True)
class _Place:
    """Where in the tree: the loop variables in scope, how deep, and whether inside a loop."""

    names: frozenset[str] = frozenset()
    depth: int = 0
    in_loop: bool = False


class _Walk:
    """Visits a tree, refuses what may not be there, and remembers what it refers to."""

    def __init__(self) -> None:
        self.loop_text = 0
        self.scans = 0
        self._concatenations = 0
        self._paths: dict[Path, None] = {}
        self._guards: set[Path] = set()

    def references(self) -> tuple[TemplateReference, ...]:
        return tuple(TemplateReference(path, self._is_guarded(path), self._is_asked(path)) for path in self._paths)

    def _is_guarded(self, path: Path) -> bool:
        if path[0] == "nodes":
            return path[:_NODE_PATH] in self._guards
        return any(path[:length] in self._guards for length in range(1, len(path) + 1))

    def _is_asked(self, path: Path) -> bool:
        same = (guard for guard in self._guards if guard[:_NODE_PATH] == path[:_NODE_PATH])
        return path[0] == "nodes" and any(len(guard) > _NODE_PATH for guard in same)

    def visit(self, node: tree.Node, place: _Place) -> None:
        if place.depth > _MAX_DEPTH:
            raise TemplateError(f"line {node.lineno}: a template nests deeper than {_MAX_DEPTH} levels")
        if reason := refusal(node):
            raise TemplateError(f"line {node.lineno}: {reason}", details={"line": node.lineno})
        self._weigh(node, place)
        deeper = _Place(place.names, place.depth + 1, place.in_loop)
        if isinstance(node, tree.For):
            self._visit_loop(node, deeper)
        elif isinstance(node, (tree.Name, tree.Getattr, tree.Getitem)):
            self._visit_reference(node, deeper)
        else:
            if isinstance(node, (tree.Test, tree.Filter)):
                self._note_guard(node, place)
            # The function that is called is not a reference.
            skipped = ("node",) if isinstance(node, tree.Call) else ()
            for child in node.iter_child_nodes(exclude=skipped):
                self.visit(child, deeper)

    def _weigh(self, node: tree.Node, place: _Place) -> None:
        if isinstance(node, tree.TemplateData) and place.in_loop:
            self.loop_text = max(self.loop_text, len(node.data))
        elif isinstance(node, (tree.Concat, tree.Add)):
            self._concatenations += len(node.nodes) - 1 if isinstance(node, tree.Concat) else 1
            if self._concatenations > _MAX_CONCATENATIONS:
                raise TemplateError(
                    f"line {node.lineno}: more than {_MAX_CONCATENATIONS} `~` or `+` in one template: "
                    "write the parts one after the other"
                )
        if isinstance(node, (tree.Compare, tree.Slice, tree.Concat, tree.Add)):
            self.scans += _MAX_CONCATENATIONS + 1 if place.in_loop else 1

    def _visit_loop(self, node: tree.For, place: _Place) -> None:
        self.visit(node.iter, place)
        targets = node.target.items if isinstance(node.target, tree.Tuple) else [node.target]
        names = {target.name for target in targets if isinstance(target, tree.Name)}
        if len(names) != len(targets):
            raise TemplateError(f"line {node.lineno}: a loop needs plain, different names for its variables")
        inside = _Place(place.names | names | {"loop"}, place.depth, in_loop=True)
        if node.test is not None:
            self.visit(node.test, inside)
        for child in node.body:
            self.visit(child, inside)
        for child in node.else_:
            self.visit(child, place)

    def _visit_reference(self, node: tree.Expr, place: _Place) -> None:
        base, path, dynamic = _unfold(node)
        for part in dynamic:
            self.visit(part, place)
        if not isinstance(base, tree.Name):
            self.visit(base, place)
        elif base.name not in place.names:
            _require_named_node(path, node.lineno)
            self._paths.setdefault(path)

    def _note_guard(self, node: tree.Test | tree.Filter, place: _Place) -> None:
        if node.name not in {"defined", "undefined", "default", "d"} or node.node is None:
            return
        base, path, dynamic = _unfold(node.node)
        if isinstance(base, tree.Name) and base.name not in place.names and not dynamic:
            self._guards.add(path)


def _unfold(node: tree.Expr) -> tuple[tree.Expr, Path, list[tree.Expr]]:
    """The expression at the start of a chain of ``.a[0]``, the path as far as it is constant, and computed parts."""
    steps: list[str | int | tree.Expr] = []
    while isinstance(node, (tree.Getattr, tree.Getitem)):
        if isinstance(node, tree.Getattr):
            steps.append(node.attr)
        elif isinstance(node.arg, tree.Const) and _is_step(node.arg.value):
            steps.append(node.arg.value)
        else:
            steps.append(node.arg)
        node = node.node
    path: list[str | int] = [node.name] if isinstance(node, tree.Name) else []
    for step in reversed(steps):
        if not isinstance(step, (str, int)):
            break
        path.append(step)
    return node, tuple(path), [step for step in steps if isinstance(step, tree.Expr)]


def _is_step(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _require_named_node(path: Path, line: int) -> None:
    if path[0] == "nodes" and (len(path) < _NODE_PATH or not isinstance(path[1], str)):
        raise TemplateError(
            f"line {line}: {format_path(path)} is all nodes at once; name the node: nodes.<id>", details={"line": line}
        )
