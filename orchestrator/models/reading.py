"""Reads a registry file of models."""

from datetime import date
from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from orchestrator.models.info import Ability, ModelInfo, Price, TokenEstimate
from orchestrator.setting_files import read_setting_file

__all__ = ["read_models"]

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Price(_Part):
    input: Decimal = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    output: Decimal = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    since: date | None = None


class _Model(_Part):
    provider: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,59}$")
    wire_name: str | None = Field(default=None, pattern=_NAME)
    limit_field: str = Field(default="max_tokens", pattern=r"^[A-Za-z_]{1,60}$")
    window: int | None = Field(default=None, ge=1)
    most_output: int | None = Field(default=None, ge=1)
    abilities: frozenset[Ability] = frozenset(("stream", "json", "tools"))
    estimate: TokenEstimate = "bytes"
    prices: tuple[_Price, ...] = ()
    retired: bool = False


class _File(_Part):
    models: dict[str, _Model]


def read_models(path: Path) -> dict[str, ModelInfo]:
    """The models of a registry file, by name.

    Raises:
        SettingsError: It cannot be read, or holds something else; the message names the place.
    """
    models = read_setting_file(path, _File, "models").models
    return {name: _made(name, model) for name, model in models.items()}


def _made(name: str, model: _Model) -> ModelInfo:
    prices = sorted(model.prices, key=lambda price: price.since or date.min)
    return ModelInfo(
        name=name,
        wire_name=model.wire_name or name,
        prices=tuple(Price(price.input, price.output, price.since) for price in prices),
        **model.model_dump(exclude={"wire_name", "prices"}),
    )
