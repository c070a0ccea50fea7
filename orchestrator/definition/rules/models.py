"""Rules about the models that nodes name: they exist, can do what is asked of them, and stand in for each other."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

from orchestrator.definition.draft import Draft
from orchestrator.definition.words import did_you_mean, listed
from orchestrator.errors import Issue, RequestError
from orchestrator.graph.plan import Path
from orchestrator.models import Ability, ModelInfo, find_model, known_models, known_window, provider_names
from orchestrator.templating import is_template

__all__ = ["models_are_known", "models_can_stand_in"]

_ASKING = frozenset({"ModelInvoke", "Embed"})
_CAN: Mapping[Ability, str] = {
    "stream": "answer as it writes (`stream`)",
    "json": "be held to a JSON Schema (`answer`)",
    "tools": "use tools",
    "embed": "turn text into vectors (`Embed`)",
}


@dataclass(frozen=True, slots=True)
class _Named:
    path: Path
    name: str


def models_are_known(draft: Draft) -> Iterator[Issue]:
    """DEF024."""
    for _, named in _all(draft):
        for one in named:
            try:
                find_model(one.name)
            except RequestError:
                hint = did_you_mean(one.name, known_models()) or _hint(one.name)
                yield draft.issue("DEF024", one.path, f"No model is named `{one.name}`", hint)


def models_can_stand_in(draft: Draft) -> Iterator[Issue]:
    """DEF025: of what is known of the models; nothing is said of a model that no registry has."""
    for node, named in _all(draft):
        known = [(one, found) for one in named if (found := _found(one.name)) is not None]
        for one, model in known:
            yield from _lacks(draft, one, model, _needed(node.type, node.config))
            if node.type == "ModelInvoke" and model.only_embeds:
                yield draft.issue("DEF025", one.path, f"`{one.name}` turns text into vectors and answers no questions")
                continue
            most, asked = model.most_output, node.config.get("max_tokens")
            if most is not None and isinstance(asked, int) and asked > most:
                message = f"`{one.name}` writes at most {most:,} tokens, and `max_tokens` asks for {asked:,}"
                yield draft.issue("DEF025", one.path, message)
        yield from _again(draft, known)
        if len(known) > 1 and known[0][0] is named[0]:
            yield from _smaller(draft, known)


def _again(draft: Draft, known: list[tuple[_Named, ModelInfo]]) -> Iterator[Issue]:
    before: dict[tuple[str, str], str] = {}
    for one, model in known:
        key = (model.provider, model.wire_name)
        if key in before:
            message = f"`{one.name}` cannot stand in for itself: it is named before, as `{before[key]}`"
            yield draft.issue("DEF025", one.path, message, "Name another model, or leave it out.")
        before.setdefault(key, one.name)


def _smaller(draft: Draft, known: list[tuple[_Named, ModelInfo]]) -> Iterator[Issue]:
    (first, model), *rest = known
    window = known_window(model)
    for one, other in rest:
        room = known_window(other)
        if window is not None and room is not None and room < window:
            message = f"`{one.name}` has a window of {room:,} tokens and cannot stand in for `{first.name}`: {window:,}"
            yield draft.issue("DEF025", one.path, message, "Name a model with room for as much.")


def _lacks(draft: Draft, one: _Named, model: ModelInfo, needed: tuple[Ability, ...]) -> Iterator[Issue]:
    for ability in needed:
        if one.name in known_models() and ability not in model.abilities:
            yield draft.issue("DEF025", one.path, f"`{one.name}` cannot {_CAN[ability]}")


def _needed(node_type: str, config: Mapping[str, Any]) -> tuple[Ability, ...]:
    if node_type == "Embed":
        return ("embed",)
    needed: list[Ability] = ["stream"] if config.get("stream") is True else []
    return (*needed, "json") if config.get("answer") is not None else tuple(needed)


def _all(draft: Draft) -> Iterator[tuple[Any, list[_Named]]]:
    """The nodes that ask models, and the models that each names as they stand, the meant one first."""
    for index, node in enumerate(draft.definition.nodes):
        if node.type not in _ASKING:
            continue
        path = (*draft.node_path(index), "config")
        fallback = node.config.get("fallback")
        names: list[tuple[Path, Any]] = [((*path, "model"), node.config.get("model"))]
        if isinstance(fallback, list):
            listing = cast("list[Any]", fallback)
            names += [((*path, "fallback", number), name) for number, name in enumerate(listing)]
        yield node, [_Named(at, name) for at, name in names if isinstance(name, str) and not is_template(name)]


def _found(name: str) -> ModelInfo | None:
    try:
        return find_model(name)
    except RequestError:
        return None


def _hint(name: str) -> str:
    provider, slash, wire_name = name.partition("/")
    if not provider or (slash and not wire_name):
        return "Write a name of the list, or a provider, a slash and a name that it knows: `openai/gpt-4o-mini`."
    if slash:
        names = listed(f"`{known}`" for known in sorted(provider_names()))
        return f"No provider `{provider}` is installed here; there are {names}."
    return f"Write `openai/{name}` for a model that is not in the list."
