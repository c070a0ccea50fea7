"""Does what ``models`` and ``models test`` ask for."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from activities.providers.base import ChatProvider, ChatRequest, EmbedRequest, Turn
from activities.providers.opening import is_ready, provider_for
from activities.secrets import ENV_FILE, SECRET_PREFIX, NamedSecrets
from orchestrator.cli.output import data, out, say, table
from orchestrator.errors import PriceUnknownError
from orchestrator.models import (
    SIMULATED,
    ModelInfo,
    Price,
    add_models,
    cost_of,
    dollars,
    find_model,
    known_models,
    known_window,
)
from orchestrator.models.retiring import retired_now, retirement
from orchestrator.models.shown import ShownPrice, shown_price
from orchestrator.settings import Settings, load_settings

__all__ = ["ask_one", "list_models"]

_COLUMNS = ("model", "provider", "window", "output", "abilities", "$/M in", "$/M out", "since", "key", "note")
_ABILITIES = ("stream", "json", "tools", "embed")
_QUESTION = "Answer with the one word: ready"
_MOST_TOKENS = 200
"""Room for models that think before they say a word."""


def list_models(filters: Sequence[str], *, ready: bool, as_json: bool) -> None:
    """Print the models of the registry.

    Args:
        filters: What a model has to match, each of them; empty: nothing.
        ready: Leaves out models whose provider is not configured.
        as_json: Prints JSON.

    Raises:
        SettingsError: A setting, or the file of models, is wrong.
    """
    settings = load_settings()
    add_models(settings.models_file)
    there = _readiness(settings)
    chosen = [
        model
        for model in known_models().values()
        if all(_matches(model, text.lower()) for text in filters) and (there[model.provider] or not ready)
    ]
    if as_json:
        data([_about(model, ready=there[model.provider]) for model in chosen])
        return
    table(_COLUMNS, (_row(model, ready=there[model.provider]) for model in chosen))
    for model in chosen:
        if not retired_now(model) and (said := retirement(model)):
            say(f"note: {said}")
    if not chosen:
        say("no model matches")


def ask_one(name: str | None, timeout: float, *, as_json: bool) -> None:
    """Ask a model for one word, or for one vector.

    Args:
        name: The model; none: the first whose provider is configured.
        timeout: Most seconds to wait.
        as_json: Prints JSON.

    Raises:
        RequestError: There is no such model.
        ProviderError: Its provider is not configured, or did not answer.
        SettingsError: A setting, or the file of models, is wrong.
    """
    from worker import open_dependencies  # the composition root, which imports much

    settings = load_settings().model_copy(update={"model_timeout": timeout})
    add_models(settings.models_file)
    model = find_model(name) if name is not None else _first_ready(settings)
    if said := retirement(model):
        say(f"note: {said}")

    async def ask() -> dict[str, Any]:
        async with open_dependencies(settings) as dependencies:
            return await _asked(model, dependencies.chat, settings)

    found = asyncio.run(ask())
    if as_json:
        data(found)
        return
    out(_sentence(found))
    if found["simulated"] and model.provider != SIMULATED:
        say("note: no model provider is configured, so the simulated one answered: docs/models.md says how to set one")


async def _asked(model: ModelInfo, providers: Mapping[str, ChatProvider], settings: Settings) -> dict[str, Any]:
    provider = provider_for(providers, model)
    since = time.monotonic()
    if "embed" in model.abilities and len(model.abilities) == 1:
        vectors = await provider.embed(EmbedRequest(model=model.wire_name, texts=(_QUESTION,)))
        answer = {"text": None, "dimensions": len(vectors.vectors[0])}
        served, tokens, simulated = vectors.model, (vectors.input_tokens, 0), vectors.simulated
    else:
        request = ChatRequest(
            model=model.wire_name,
            turns=(Turn("user", _QUESTION),),
            max_tokens=_MOST_TOKENS,
            limit_field=model.limit_field,
        )
        reply = await provider.complete(request)
        answer = {"text": reply.text, "dimensions": None}
        served, tokens, simulated = reply.model, (reply.input_tokens, reply.output_tokens), reply.simulated
    return {
        "model": model.name,
        "served_by": served,
        "provider": provider.name,
        "simulated": simulated,
        **answer,
        "latency_s": round(time.monotonic() - since, 3),
        "input_tokens": tokens[0],
        "output_tokens": tokens[1],
        "cost_usd": 0.0 if simulated else _cost(model, tokens, settings),
    }


def _cost(model: ModelInfo, tokens: tuple[int, int], settings: Settings) -> float | None:
    """What it cost in dollars; none: nobody knows."""
    try:
        cost = cost_of(model, otherwise=Price(*settings.unknown_price) if settings.unknown_price else None)
    except PriceUnknownError:
        return None
    return float(dollars(cost(*tokens)))


def _sentence(found: Mapping[str, Any]) -> str:
    cost = "of unknown cost" if found["cost_usd"] is None else f"${found['cost_usd']:.6f}"
    cost = "simulated, costs nothing" if found["simulated"] else cost
    said = f"a vector of {found['dimensions']}" if found["text"] is None else repr(found["text"][:200])
    return (
        f"{found['model']} answered {said} after {found['latency_s']:.2f} s "
        f"({found['provider']}, {found['served_by']}): {found['input_tokens']} tokens in, "
        f"{found['output_tokens']} out, {cost}"
    )


def _readiness(settings: Settings) -> Mapping[str, bool]:
    """By provider, whether its models can be asked."""
    secrets = NamedSecrets(SECRET_PREFIX, settings.secrets_dir, ENV_FILE)
    return {name: is_ready(name, settings, secrets) for name in {model.provider for model in known_models().values()}}


def _first_ready(settings: Settings) -> ModelInfo:
    there = _readiness(settings)
    able = (
        model for model in known_models().values() if not retired_now(model) and {"stream", "json"} & model.abilities
    )
    asked = (model for model in able if there[model.provider] and model.provider != SIMULATED)
    return next(asked, find_model(SIMULATED))


def _matches(model: ModelInfo, text: str) -> bool:
    return text in model.name.lower() or text == model.provider or text in model.abilities


def _about(model: ModelInfo, *, ready: bool) -> dict[str, Any]:
    price = shown_price(model)
    return {
        "name": model.name,
        "provider": model.provider,
        "wire_name": model.wire_name,
        "window": known_window(model),
        "most_output": model.most_output,
        "abilities": _abilities(model),
        "price": None if price is None else _price(price),
        "ready": ready,
        "retired": retired_now(model),
        "retires": model.retires.isoformat() if model.retires else None,
    }


def _price(price: ShownPrice) -> dict[str, Any]:
    return {
        "input": float(price.input),
        "output": float(price.output),
        "since": price.since.isoformat() if price.since else None,
        "rises": price.rises,
        "source": price.source,
    }


def _abilities(model: ModelInfo) -> list[str]:
    return [ability for ability in _ABILITIES if ability in model.abilities]


def _row(model: ModelInfo, *, ready: bool) -> tuple[str, ...]:
    price = shown_price(model)
    amounts = ("?", "?") if price is None else (_dollars(price.input, price), _dollars(price.output, price))
    since = price.since.isoformat() if price is not None and price.since is not None else ""
    return (
        model.name,
        model.provider,
        _tokens(known_window(model)),
        _tokens(model.most_output),
        " ".join(_abilities(model)),
        *amounts,
        since,
        "yes" if ready else "no",
        _note(model),
    )


def _note(model: ModelInfo) -> str:
    if retired_now(model):
        return "retired"
    return f"until {model.retires.isoformat()}" if model.retires else ""


def _dollars(amount: Decimal, price: ShownPrice) -> str:
    """Without the zeros at its end; with ``+`` where long questions cost more."""
    return f"{amount.normalize():f}{'+' if price.rises and amount else ''}"


def _tokens(count: int | None) -> str:
    return "?" if count is None else str(count)
