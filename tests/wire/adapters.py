"""The adapters that the contract suite runs over: on the wire server, the simulated one, on demand the real services.

A new adapter is a row of ``ADAPTERS``, and its real service a row of ``_REAL``.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from activities.providers.base import ModelProvider
from activities.providers.openai_compatible import OpenAICompatible
from activities.providers.simulated import Simulated

__all__ = ["ADAPTERS", "KEY", "REAL_SETTING", "Adapter", "Asked", "OpenProvider", "Service", "services"]

KEY = "sk-wire-3f9c1e-very-secret"
"""The key that every adapter sends, and no error may show."""
REAL_SETTING = "CONTRACT_REAL"
"""Names the real services to ask as well, such as ``openai,anthropic``: docs/providers.md."""


class OpenProvider(ModelProvider, Protocol):
    """A provider that has connections to give back."""

    async def close(self) -> None:
        """Gives them back."""
        ...


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """How an adapter is opened on a server of this machine.

    ``open`` takes the server's address, without any path, and the seconds of patience; it sends ``KEY``. ``embeds``:
    its provider has embeddings.
    """

    open: Callable[[str, float], OpenProvider]
    embeds: bool = True


@dataclass(frozen=True, kw_only=True)
class Service:
    """A real service: how its adapter is opened from the environment, and which models are asked there."""

    open: Callable[[Mapping[str, str]], OpenProvider]
    model: str
    embed_model: str | None = None


@dataclass(frozen=True)
class Asked:
    """A provider to ask, with its models; ``scripted``: the wire server answers, so that it is known what it says."""

    provider: OpenProvider
    model: str
    embed_model: str | None
    scripted: bool


ADAPTERS: Mapping[str, Adapter] = {
    "openai": Adapter(
        open=lambda url, timeout: OpenAICompatible(api_key=KEY, base_url=f"{url}/v1", timeout=timeout),
    ),
}

_REAL: Mapping[str, Service] = {
    "openai": Service(
        open=lambda variables: OpenAICompatible(
            api_key=variables.get("OPENAI_API_KEY"), base_url=variables.get("OPENAI_BASE_URL")
        ),
        model="gpt-4o-mini",
        embed_model="text-embedding-3-small",
    ),
}


class OpenSimulated(Simulated):
    """The simulated provider, which has nothing to give back."""

    async def close(self) -> None:
        """Does nothing: no connection is open."""


SIMULATED = Service(open=lambda _: OpenSimulated(), model="simulated", embed_model="simulated")


def services() -> dict[str, Service]:
    """What answers beside the wire server: the simulated provider, and the real services that ``CONTRACT_REAL`` names.

    ``CONTRACT_OPENAI_MODEL`` and ``CONTRACT_OPENAI_EMBED_MODEL`` name other models than the usual ones; so for each.
    """
    found = {"simulated": SIMULATED}
    for name in filter(None, os.environ.get(REAL_SETTING, "").split(",")):
        real = _REAL[name.strip()]
        prefix = f"CONTRACT_{name.strip().upper()}"
        found[f"real-{name.strip()}"] = Service(
            open=real.open,
            model=os.environ.get(f"{prefix}_MODEL", real.model),
            embed_model=os.environ.get(f"{prefix}_EMBED_MODEL", real.embed_model or "") or None,
        )
    return found
