"""Rules about timeouts and retries: what holds for a node, from wherever it comes, must not contradict itself."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet

from orchestrator.definition.draft import Draft
from orchestrator.definition.model import NodeModel
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path, Retry
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import NodeType

__all__ = ["defaults_make_sense", "settings_make_sense"]

_CACHED = frozenset({"ModelInvoke", "Embed"})
_TOO_SHORT = "`total_timeout` is shorter than `timeout`, the time for one attempt"


def defaults_make_sense(draft: Draft) -> Iterator[Issue]:
    """DEF014 for the defaults, beyond the bounds of single values."""
    defaults = draft.definition.defaults
    if defaults.timeout and defaults.total_timeout and defaults.total_timeout < defaults.timeout:
        yield draft.issue("DEF014", ("defaults", "total_timeout"), _TOO_SHORT)
    given = defaults.retry.model_dump(exclude_none=True)
    yield from _delays(draft, Retry(**given), given.keys(), ("defaults", "retry"))


def settings_make_sense(draft: Draft) -> Iterator[Issue]:
    """DEF014 for nodes, beyond the bounds of single values. What the defaults alone contradict is told only there."""
    for index, node in enumerate(draft.definition.nodes):
        path, kind = draft.node_path(index), NODE_TYPES.get(node.type)
        if kind is None:
            continue
        if node.cache is not None and node.type not in _CACHED:
            message = f"`cache` keeps what models answer; a `{node.type}` is performed each time"
            yield draft.issue("DEF014", (*path, "cache"), message, "Leave it out.", key=True)
        if kind.tier == "control":
            yield from _meaningless(draft, node, path)
            continue
        yield from _timeouts(draft, node, path)
        yield from _request_timeout(draft, node, kind, path)
        given = node.retry.model_dump(exclude_none=True)
        common = draft.definition.defaults.retry.model_dump(exclude_none=True)
        merged = kind.retry.model_copy(update={**common, **given})
        yield from _delays(draft, merged, given.keys(), (*path, "retry"))


def _meaningless(draft: Draft, node: NodeModel, path: Path) -> Iterator[Issue]:
    for name in ("timeout", "total_timeout", "retry"):
        if name in node.model_fields_set:
            message = f"`{node.type}` is performed by the run itself and has no attempts: `{name}` means nothing"
            yield draft.issue("DEF014", (*path, name), message, "Leave it out.", key=True)


def _timeouts(draft: Draft, node: NodeModel, path: Path) -> Iterator[Issue]:
    defaults = draft.definition.defaults
    timeout, total = node.timeout or defaults.timeout, node.total_timeout or defaults.total_timeout
    if not timeout or not total or total >= timeout:
        return
    if node.total_timeout:
        yield draft.issue("DEF014", (*path, "total_timeout"), _TOO_SHORT)
    elif node.timeout:
        message = f"`timeout` is longer than the `total_timeout` of the defaults, {total:g} seconds"
        yield draft.issue("DEF014", (*path, "timeout"), message)


def _request_timeout(draft: Draft, node: NodeModel, kind: NodeType, path: Path) -> Iterator[Issue]:
    asked = node.config.get("timeout")
    timeout = node.timeout or draft.definition.defaults.timeout or kind.timeout
    if node.type != "HttpRequest" or isinstance(asked, bool) or not isinstance(asked, (int, float)):
        return
    if asked > timeout:
        message = f"The request may take {asked:g} seconds, but the node is stopped after its `timeout` of {timeout:g}"
        yield draft.issue("DEF014", (*path, "config", "timeout"), message, "Give the node a longer `timeout`.")


def _delays(draft: Draft, retry: Retry, given: AbstractSet[str], path: Path) -> Iterator[Issue]:
    if retry.max_delay >= retry.initial_delay:
        return
    if "max_delay" in given:
        message = f"`max_delay` is shorter than `initial_delay`, {retry.initial_delay:g} seconds"
        yield draft.issue("DEF014", (*path, "max_delay"), message)
    elif "initial_delay" in given:
        message = f"`initial_delay` is longer than `max_delay`, {retry.max_delay:g} seconds"
        yield draft.issue("DEF014", (*path, "initial_delay"), message, "Give a longer `max_delay` as well.")
