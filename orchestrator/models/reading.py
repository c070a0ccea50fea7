"""Reads a registry file: models, and the endpoints that serve them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from orchestrator.addresses import web_address
from orchestrator.models.info import (
    Ability,
    ModelInfo,
    Price,
    ProviderInfo,
    ProviderKind,
    StructuredOutput,
    TokenEstimate,
)
from orchestrator.setting_files import read_setting_file

__all__ = ["Registry", "read_models"]

_PROVIDER = r"^[a-z][a-z0-9_-]{0,59}$"
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._:/@-]{0,199}$"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Price(_Part):
    input: Decimal = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    output: Decimal = Field(ge=0, le=1_000_000, allow_inf_nan=False)
    since: date | None = None


class _Model(_Part):
    provider: str = Field(pattern=_PROVIDER)
    wire_name: str | None = Field(default=None, pattern=_NAME)
    limit_field: str = Field(default="max_tokens", pattern=r"^[A-Za-z_]{1,60}$")
    window: int | None = Field(default=None, ge=1)
    most_output: int | None = Field(default=None, ge=1)
    abilities: frozenset[Ability] = frozenset(("stream", "json", "tools"))
    estimate: TokenEstimate = "bytes"
    prices: tuple[_Price, ...] = ()
    retired: bool = False
    retires: date | None = None


class _Provider(_Part):
    kind: ProviderKind
    base_url: Annotated[str, AfterValidator(web_address)] = Field(
        pattern=r"^https?://[^\s/@]+(/[^\s@]*)?$", max_length=2_000
    )
    key_env: str | None = Field(default=None, pattern=r"^([A-Z][A-Z0-9_]{0,99}|[a-z][a-z0-9_]{0,63})$")
    structured: StructuredOutput = "json_schema"


class _File(_Part):
    providers: dict[Annotated[str, Field(pattern=_PROVIDER)], _Provider] = {}
    models: dict[Annotated[str, Field(pattern=_NAME)], _Model] = {}

    @model_validator(mode="after")
    def _holds_something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError("it holds neither `models` nor `providers`")
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """What a registry file holds, by name."""

    models: Mapping[str, ModelInfo] = field(default_factory=dict[str, ModelInfo])
    providers: Mapping[str, ProviderInfo] = field(default_factory=dict[str, ProviderInfo])


def read_models(path: Path) -> Registry:
    """The models and providers of a registry file.

    Raises:
        SettingsError: It cannot be read, or holds something else; the message names the place.
    """
    file = read_setting_file(path, _File, "models")
    return Registry(
        models={name: _made(name, model) for name, model in file.models.items()},
        providers={name: ProviderInfo(name=name, **found.model_dump()) for name, found in file.providers.items()},
    )


def _made(name: str, model: _Model) -> ModelInfo:
    prices = sorted(model.prices, key=lambda price: price.since or date.min)
    return ModelInfo(
        name=name,
        wire_name=model.wire_name or name,
        prices=tuple(Price(price.input, price.output, price.since) for price in prices),
        **model.model_dump(exclude={"wire_name", "prices"}),
    )
