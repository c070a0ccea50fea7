"""Rules about each node by itself: its id, type, config and settings."""

from collections.abc import Iterator

from pydantic_core import ErrorDetails

from orchestrator.definition.draft import Draft
from orchestrator.definition.later import comes_later
from orchestrator.definition.words import did_you_mean, explain
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.aliases import ALIASES

__all__ = ["config_fits", "ids_are_unique", "joins_make_sense", "types_are_known"]


def ids_are_unique(draft: Draft) -> Iterator[Issue]:
    """DEF030."""
    seen: set[str] = set()
    for index, node in enumerate(draft.definition.nodes):
        if node.id in seen:
            yield draft.issue("DEF030", (*draft.node_path(index), "id"), f"There is already a node `{node.id}`")
        seen.add(node.id)


def types_are_known(draft: Draft) -> Iterator[Issue]:
    """DEF020."""
    for index, node in enumerate(draft.definition.nodes):
        if node.type not in NODE_TYPES:
            hint = comes_later(node.type) or did_you_mean(node.type, (*NODE_TYPES, *ALIASES))
            yield draft.issue("DEF020", (*draft.node_path(index), "type"), f"No node type is named `{node.type}`", hint)


def config_fits(draft: Draft) -> Iterator[Issue]:
    """DEF021, DEF022, DEF023."""
    for index, check in enumerate(draft.configs):
        node = draft.definition.nodes[index]
        reported: set[Path] = set()
        for error in check.errors:
            place = tuple(_written(error["loc"], node.config))
            key = error["loc"] if error["type"] == "missing" else place
            if key not in reported:
                reported.add(key)
                yield _config_issue(draft, index, error, place)


def _config_issue(draft: Draft, index: int, error: ErrorDetails, place: Path) -> Issue:
    node = draft.definition.nodes[index]
    path = (*draft.node_path(index), "config", *place)
    name = str(path[-1]) if place else "config"
    match error["type"]:
        case "missing":
            name = str(error["loc"][-1])
            return draft.issue("DEF022", path, f"`{node.type}` needs the field `{name}` in its config")
        case "extra_forbidden":
            fields = NODE_TYPES[node.type].config.model_fields
            names = [info.alias or field for field, info in fields.items()] if len(place) == 1 else []
            hint = did_you_mean(name, names, most=12)
            return draft.issue("DEF023", path, f"`{node.type}` has no config field `{name}`", hint, key=True)
        case _:
            return draft.issue("DEF021", path, f"`{name}` of `{node.id}` {explain(error)}")


def _written(place: tuple[int | str, ...], config: object) -> Iterator[int | str]:
    """The steps of pydantic's place that the author wrote; it also names the members of unions."""
    value = config
    for step in place:
        if isinstance(value, dict) and step in value:
            value = value[step]  # pyright: ignore[reportUnknownVariableType]  # JSON
            yield step
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):  # pyright: ignore[reportUnknownArgumentType]
            value = value[step]  # pyright: ignore[reportUnknownVariableType]
            yield step


def joins_make_sense(draft: Draft) -> Iterator[Issue]:
    """DEF040."""
    for index, node in enumerate(draft.definition.nodes):
        if node.cancel_others and node.join != "any":
            message = "`cancel_others` has a meaning only with `join: any`"
            yield draft.issue("DEF040", (*draft.node_path(index), "cancel_others"), message)
