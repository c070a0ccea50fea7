"""What people are shown of a model's price: the same sources as ``pricing``, with the day from which it holds."""

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal, cast

from orchestrator.models.info import ModelInfo
from orchestrator.models.pricing import PUBLIC

__all__ = ["ShownPrice", "shown_price"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownPrice:
    """Dollars for a million tokens. ``rises``: more for long questions. ``since``: the day it holds from, if known."""

    input: Decimal
    output: Decimal
    since: date | None
    rises: bool
    source: Literal["registry", "genai-prices"]


def shown_price(model: ModelInfo) -> ShownPrice | None:
    """What a model costs today; none if nobody knows."""
    today = datetime.now(UTC)
    own = model.own_price(today.date())
    if own is not None:
        return ShownPrice(input=own.input, output=own.output, since=own.since, rises=False, source="registry")
    provider = PUBLIC.get(model.provider)
    return None if provider is None else _public(model.wire_name, provider, today)


def _public(model: str, provider: str, now: datetime) -> ShownPrice | None:
    from genai_prices.data_snapshot import get_snapshot  # noqa: PLC0415 - costs a second

    try:
        _, found = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    held = found.get_prices(now)
    if held.input_mtok is None:
        return None
    each = (held.input_mtok, held.output_mtok)
    return ShownPrice(
        input=_least(held.input_mtok),
        output=_least(held.output_mtok or Decimal(0)),
        since=_since(found.prices, held),
        rises=any(price is not None and not isinstance(price, Decimal) for price in each),
        source="genai-prices",
    )


def _least(price: Any) -> Decimal:
    """What the first tokens cost."""
    return price if isinstance(price, Decimal) else price.base


def _since(prices: Any, held: object) -> date | None:
    """The day from which the price that holds does so, of prices that each hold under a condition."""
    from genai_prices.types import StartDateConstraint  # noqa: PLC0415 - costs a second

    several = cast("list[Any]", prices) if isinstance(prices, list) else []
    conditions = (price.constraint for price in several if price.prices is held)
    return next((found.start_date for found in conditions if isinstance(found, StartDateConstraint)), None)
