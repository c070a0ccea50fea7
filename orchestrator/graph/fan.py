"""The bodies that one visit of a ForEach, or of an inline Subworkflow, runs: which are open, what they gave."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, cast

from orchestrator.errors import NodeError
from orchestrator.graph.blobs import blob_of, describe
from orchestrator.graph.plan import PlanNode

if TYPE_CHECKING:
    from orchestrator.graph.scope import Scope

__all__ = ["Fan", "items_of"]

_ITEMS_ALLOWED = 10_000


class Fan:
    """One visit's bodies.

    Args:
        node: The ForEach, or the Subworkflow.
        kept: What ``begun`` or ``dump`` gave.
    """

    def __init__(self, node: PlanNode, kept: Mapping[str, Any]) -> None:
        config = node.config.value
        self.label: str = kept["label"]
        """The visit, within its scope: ``items``, ``items#2``."""
        self.items: list[Any] | None = kept["items"]
        """None for a Subworkflow, which has one body."""
        self.concurrency: int = config.get("concurrency", 10)
        self.collects: bool = config.get("on_item_error", "fail") == "collect"
        self.next: int = kept["next"]
        self.results: dict[int, Any] = {int(index): result for index, result in kept["results"]}
        self.errors: list[dict[str, Any]] = list(kept["errors"])
        self.open: dict[int, Scope] = {}
        self.opening: dict[int, None] = dict.fromkeys(kept.get("opening", ()))
        """The bodies whose inputs are being made."""

    @classmethod
    def begin(cls, node: PlanNode, label: str, items: list[Any] | None) -> "Fan":
        """Nothing is open yet."""
        return cls(node, {"label": label, "items": items, "next": 0, "results": (), "errors": ()})

    @property
    def count(self) -> int:
        """How many bodies there are in all."""
        return 1 if self.items is None else len(self.items)

    @property
    def over(self) -> bool:
        """Every body has ended."""
        return not self.open and not self.opening and self.next == self.count

    def due(self) -> Iterator[int]:
        """The bodies that may be opened now, one by one: whoever takes one has to open it, or give it up."""
        while self.next < self.count and len(self.open) + len(self.opening) < self.concurrency:
            self.opening[self.next] = None
            self.next += 1
            yield self.next - 1

    def about(self, index: int) -> dict[str, Any]:
        """The roots that a body has of its own."""
        return {} if self.items is None else {"item": self.items[index], "index": index}

    def path(self, outer: str, index: int) -> str:
        """The path of a body's scope, where ``outer`` is the path of the scope around it."""
        return f"{outer}{self.label}." if self.items is None else f"{outer}{self.label}[{index}]."

    def close(self, index: int, outputs: dict[str, Any] | None) -> None:
        """A body ended well, or was skipped: it has no outputs."""
        self._leave(index)
        self.results[index] = outputs

    def give_up(self, index: int, code: str, message: str) -> None:
        """A body failed, and the error is collected."""
        self._leave(index)
        self.errors.append({"index": index, "code": code, "message": message})

    def _leave(self, index: int) -> None:
        self.open.pop(index, None)
        self.opening.pop(index, None)

    def output(self) -> dict[str, Any]:
        """What becomes ``nodes.<id>``."""
        if self.items is None:
            return self.results[0] or {}
        return {
            "results": [self.results.get(index) for index in range(self.count)],
            "errors": sorted(self.errors, key=lambda error: error["index"]),
            "count": self.count,
        }

    def dump(self) -> dict[str, Any]:
        """The fan as JSON; its open scopes as ``Scope.dump`` writes them."""
        return {
            "label": self.label,
            "items": self.items,
            "next": self.next,
            "results": list(self.results.items()),
            "errors": self.errors,
            "opening": list(self.opening),
            "open": [[index, scope.dump()] for index, scope in self.open.items()],
        }


def items_of(node: PlanNode, found: Any) -> list[Any]:
    """The items of a ForEach.

    Args:
        node: The ForEach.
        found: What its ``items`` give.

    Raises:
        NodeError: They are no list, or too many.
    """
    if (blob := blob_of(found)) is not None:
        raise NodeError(
            f"`items` is {describe(blob)}, which a run cannot go through; have a Transform node keep of each item only "
            "what the graph needs, or go through it in parts"
        )
    if not isinstance(found, list):
        kind = "null" if found is None else type(found).__name__
        raise NodeError(f"`items` must be a list, and is of type {_JSON_NAMES.get(kind, kind)}")
    items = cast("list[Any]", found)
    most: int = node.config.value.get("max_items", _ITEMS_ALLOWED)
    if len(items) > most:
        raise NodeError(f"`items` has {len(items):,} items, more than the {most:,} that `max_items` allows")
    return items


_JSON_NAMES: Mapping[str, str] = {
    "str": "string",
    "dict": "object",
    "bool": "boolean",
    "int": "integer",
    "float": "number",
}
