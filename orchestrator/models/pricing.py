"""What calls of a model cost: by our registry, else by genai-prices, which knows the public prices by day."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache

from orchestrator.errors import PriceUnknownError
from orchestrator.models.info import ModelInfo, Price, nano
from orchestrator.models.registry import ANTHROPIC, BEDROCK, GEMINI, OPENAI

__all__ = ["PUBLIC", "Cost", "cost_of", "dollars", "known_window"]

Cost = Callable[[int, int], int]
"""Nano-dollars of a call that takes so many tokens in and out."""
PUBLIC = {OPENAI: "openai", ANTHROPIC: "anthropic", GEMINI: "google", BEDROCK: "aws"}
"""What genai-prices calls our providers."""


@dataclass(frozen=True, slots=True)
class _Public:
    """A model of genai-prices, whose prices may depend on the day and on how long a question is."""

    model: str
    provider: str

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        from genai_prices import Usage, calc_price  # noqa: PLC0415 - costs a second

        usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
        found = calc_price(usage, self.model, provider_id=self.provider, genai_request_timestamp=datetime.now(UTC))
        return nano(found.total_price)


def cost_of(model: ModelInfo, *, otherwise: Price | None = None) -> Cost:
    """What says how much a call of ``model`` costs today.

    Args:
        model: The model.
        otherwise: The price of a model that nobody knows one for; none refuses it.

    Raises:
        PriceUnknownError: There is no price; the message says how to give one.
    """
    own = model.own_price(datetime.now(UTC).date())
    if own is not None:
        return own.cost
    provider = PUBLIC.get(model.provider)
    if provider is not None and _window(model.wire_name, provider) is not None:
        return _Public(model.wire_name, provider).cost
    if otherwise is not None:
        return otherwise.cost
    raise PriceUnknownError(
        f"nobody knows what the model {model.name!r} costs: give it `prices` in the file of ORCHESTRATOR_MODELS_FILE, "
        "or all such models a price by ORCHESTRATOR_UNKNOWN_PRICE",
        details={"model": model.name, "provider": model.provider},
    )


def known_window(model: ModelInfo) -> int | None:
    """The most tokens of a question: by the registry, else by genai-prices; none if neither says."""
    provider = PUBLIC.get(model.provider)
    if model.window is not None or provider is None:
        return model.window
    return _window(model.wire_name, provider) or None


@cache
def _window(model: str, provider: str) -> int | None:
    """What genai-prices knows of the window: 0 if nothing, none if it does not know the model or its price."""
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - costs a second

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    # What answers with no text, such as an embedding, has no price for it.
    if found.get_prices(datetime.now(UTC)).input_mtok is None:
        return None
    return found.context_window or 0


def dollars(amount: int) -> Decimal:
    """Nano-dollars in dollars."""
    return Decimal(amount).scaleb(-9)
