"""How visits are called."""

__all__ = ["visit_label"]


def visit_label(node: str | None, visit: int | None) -> str:
    """A visit as people see it, and the id of its activity: ``answer``, ``ask#2``; empty without a node.

    ``node`` is a path: ``items[3].answer`` is the node ``answer`` in the fourth item of the ForEach ``items``.
    """
    return f"{node}#{visit}" if visit and visit > 1 else node or ""
