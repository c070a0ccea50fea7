"""Paths of nodes and visits as people write them: ``answer``, ``ask#2``, ``items[3].answer``, ``items[*].answer``.

A node that undoes a visit is known by both, ``cancel:book#2``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.definition.words import did_you_mean
from orchestrator.graph.plan import Plan, PlanNode

__all__ = ["Found", "Label", "find_node", "nodes_under", "place_of", "without_indexes"]

_STEP = re.compile(r"([A-Za-z][A-Za-z0-9_]*)(?:#([1-9][0-9]*))?(?:\[([0-9]+|\*)\])?")
_INDEX = re.compile(r"\[[0-9*]+\]")
_VISIT = re.compile(r"#[0-9]+")


@dataclass(frozen=True, slots=True)
class Label:
    """A visit (``ask#2``), every visit of a node (``ask``), or those in every item (``items[*].ask``)."""

    text: str
    path: str
    """Without the visit of the node itself."""
    visit: int | None

    @classmethod
    def read(cls, text: str) -> "Label":
        """Take a label apart.

        Raises:
            ValueError: It is none.
        """
        before, colon, undone = text.partition(":")
        steps = [_STEP.fullmatch(step) for step in before.split(".")]
        last = steps[-1]
        wrong = last is None or any(step is None for step in steps) or last[3] is not None
        if last is None or wrong or (colon and (_STEP.fullmatch(undone) is None or last[2])):
            raise ValueError("is no path of a node: write `answer`, `answer#2`, `items[3].answer` or `items[*].answer`")
        visit = int(last[2]) if last[2] else None
        return cls(text, text.rpartition("#")[0] if visit is not None else text, visit)

    def covers(self, node: str, visit: int) -> bool:
        """Whether it means this visit of the node at the path ``node``."""
        if self.visit not in (None, visit):
            return False
        if ":" not in self.path:
            node = node.partition(":")[0]
        if self.path == node:
            return True
        return (
            "*" in self.path and re.fullmatch(re.escape(self.path).replace(r"\[\*\]", r"\[[0-9]+\]"), node) is not None
        )

    @property
    def weight(self) -> tuple[bool, bool]:
        """The larger, the more exact it is."""
        return ("*" not in self.path, self.visit is not None)


def without_indexes(path: str) -> str:
    """The place of a node in its definition: ``items.answer`` for ``items#2[3].answer#2``."""
    return _VISIT.sub("", _INDEX.sub("", path.partition(":")[0]))


def place_of(path: str) -> tuple[str, str]:
    """The scope and the node's own id: ``items[3]`` and ``answer``; the scope of the root is empty."""
    scope, _, node = path.rpartition(".")
    return scope, node


@dataclass(frozen=True, slots=True)
class Found:
    """A node, or, where there is none, what to say."""

    node: PlanNode | None
    problem: str = ""
    hint: str | None = None


def find_node(plan: Plan, label: Label, children: Mapping[str, Plan]) -> Found:
    """The node that ``label`` names in ``plan``.

    Args:
        plan: The plan of the root.
        label: Names the node.
        children: The plans of runs that a node starts as children, by the node's place.
    """
    root, scope, place = plan, plan, ""
    *around, last = without_indexes(label.path).split(".")
    for step in around:
        place = f"{place}.{step}".removeprefix(".")
        node = next((node for node in scope.nodes if node.id == step), None)
        if node is None:
            return _missing(step, scope)
        if node.body is not None and node.body in root.bodies:
            scope = root.bodies[node.body]
        elif place in children:
            root = scope = children[place]
        else:
            return Found(None, f"`{step}` is a {node.type}, which has no nodes in it")
    node = next((node for node in scope.nodes if node.id == last), None)
    return _missing(last, scope) if node is None else Found(node)


def _missing(name: str, scope: Plan) -> Found:
    return Found(None, f"There is no node `{name}`", did_you_mean(name, [node.id for node in scope.nodes]))


def nodes_under(plan: Plan) -> dict[str, tuple[Plan, PlanNode]]:
    """Every node of ``plan`` by its place, those of bodies included, each with the plan that it stands in."""
    found: dict[str, tuple[Plan, PlanNode]] = {}
    waiting: list[tuple[str, Plan]] = [("", plan)]
    while waiting:
        around, scope = waiting.pop()
        for node in scope.nodes:
            place = f"{around}.{node.id}".removeprefix(".")
            found[place] = (scope, node)
            if node.body is not None and (inner := plan.bodies.get(node.body)) is not None:
                waiting.append((place, inner))
    return found
