"""The adapters that the contract suite runs over: on the wire server, the simulated one, on demand the real services.

A new adapter is a row of ``ADAPTERS``, and its real service a row of ``_REAL``.
"""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol, cast

import boto3  # pyright: ignore[reportMissingTypeStubs] - AWS ships none

from activities.providers.anthropic_messages import AnthropicMessages
from activities.providers.base import ModelProvider
from activities.providers.bedrock import Bedrock
from activities.providers.gemini import Gemini
from activities.providers.openai_compatible import OpenAICompatible
from activities.providers.simulated import Simulated
from activities.providers.statuses import MOST_BYTES
from tests.unit.frames import event
from tests.wire.manners import ANTHROPIC, BEDROCK, GEMINI, Mannerly, Manners

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

    ``bare`` takes the server's address, without any path, the seconds of patience, and the most bytes of an answer; it
    sends ``KEY``. ``address``: the setting that has the address in earnest. ``manners``: what its service does in
    another way than the wire server. ``embeds``: its provider has embeddings, by ``embed_model``. ``temperature``: its
    interface knows one. ``endless``: how streams of its ``kind`` can go on for ever: how they begin, and what comes
    again and again.
    """

    bare: Callable[[str, float, int], OpenProvider]
    address: str
    endless: Mapping[str, tuple[bytes, bytes]]
    manners: Manners | None = None
    kind: str = "text/event-stream"
    embeds: bool = True
    embed_model: str = "an-embedding-model"
    temperature: bool = True

    def open(self, url: str, patience: float) -> OpenProvider:
        """It, on the wire server or a way to it, with the manners of its service."""
        if self.manners is None:
            return self.bare(url, patience, MOST_BYTES)
        return Mannerly(self.manners, url, lambda ours: self.bare(ours, patience, MOST_BYTES))


@dataclass(frozen=True, kw_only=True)
class Service:
    """What answers in earnest: how its adapter is opened, from a key and an address, and which models are asked."""

    open: Callable[[str | None, str | None], OpenProvider]
    model: str
    embed_model: str | None = None


@dataclass(frozen=True)
class Asked:
    """A provider to ask, with its models; ``scripted``: the wire server answers, so that it is known what it says."""

    provider: OpenProvider
    model: str
    embed_model: str | None
    scripted: bool
    limit_field: str = "max_tokens"


def _session() -> Any:
    return cast("Any", boto3).Session(aws_access_key_id="AKIAEXAMPLE", aws_secret_access_key=KEY)


_LINE = {"a line": (b"data: ", b"on and on ")}
_ON_AND_ON = (
    b"event: content_block_delta\n"
    b'data: {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "on and on "}}\n\n'
)
_COMMENTS = {"comments": (b"", b": still thinking\n\n")}

ADAPTERS: Mapping[str, Adapter] = {
    "openai": Adapter(
        address="OPENAI_BASE_URL",
        bare=lambda url, timeout, most: OpenAICompatible(
            api_key=KEY, base_url=f"{url}/v1", timeout=timeout, most_bytes=most
        ),
        endless={
            **_LINE,
            **_COMMENTS,
            "words": (b"", b'data: {"choices": [{"delta": {"content": "on and on "}}]}\n\n'),
        },
    ),
    "anthropic": Adapter(
        address="ANTHROPIC_BASE_URL",
        bare=lambda url, timeout, most: AnthropicMessages(api_key=KEY, base_url=url, timeout=timeout, most_bytes=most),
        manners=ANTHROPIC,
        endless={
            **_LINE,
            **_COMMENTS,
            "words": (
                b"",
                _ON_AND_ON,
            ),
        },
        embeds=False,
        temperature=False,
    ),
    "gemini": Adapter(
        address="GEMINI_BASE_URL",
        bare=lambda url, timeout, most: Gemini(api_key=KEY, base_url=url, timeout=timeout, most_bytes=most),
        manners=GEMINI,
        endless={
            **_LINE,
            **_COMMENTS,
            "words": (b"", b'data: {"candidates": [{"content": {"parts": [{"text": "on and on "}]}}]}\r\n\r\n'),
        },
    ),
    "bedrock": Adapter(
        address="ORCHESTRATOR_BEDROCK_ENDPOINT_URL",
        bare=lambda url, timeout, most: Bedrock(
            region="us-east-1", endpoint_url=url, timeout=timeout, session=_session(), most_bytes=most
        ),
        manners=BEDROCK,
        # A frame says how long it is, and AWS's client takes none of more than 24 MB.
        endless={
            "words": (b"", event("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "on and on "}})),
        },
        kind="application/vnd.amazon.eventstream",
        embed_model="amazon.titan-embed-text-v2:0",
    ),
}

_REAL: Mapping[str, Service] = {
    "openai": Service(
        open=lambda key, url: OpenAICompatible(api_key=key, base_url=url),
        model="gpt-4o-mini",
        embed_model="text-embedding-3-small",
    ),
    "anthropic": Service(
        open=lambda key, url: AnthropicMessages(api_key=key, base_url=url),
        model="claude-haiku-4-5",
    ),
    "gemini": Service(
        open=lambda key, url: Gemini(api_key=key, base_url=url),
        model="gemini-2.5-flash-lite",
        embed_model="gemini-embedding-001",
    ),
    # With the credentials, and in the region, that AWS's own client finds.
    "bedrock": Service(
        open=lambda _key, url: Bedrock(endpoint_url=url),
        model="amazon.nova-micro-v1:0",
        embed_model="amazon.titan-embed-text-v2:0",
    ),
}


class OpenSimulated(Simulated):
    """The simulated provider, which has nothing to give back."""

    async def close(self) -> None:
        """Does nothing: no connection is open."""


def services() -> dict[str, Service]:
    """What answers beside the wire server: the simulated provider, and the real services that ``CONTRACT_REAL`` names.

    Of each such as ``openai``, ``CONTRACT_OPENAI_KEY`` is its key, ``CONTRACT_OPENAI_URL`` its address if it is another
    than usual, and ``CONTRACT_OPENAI_MODEL`` and ``CONTRACT_OPENAI_EMBED_MODEL`` are models other than ours.

    Raises:
        KeyError: There is no such service.
    """
    found = {"simulated": Service(open=lambda _key, _url: OpenSimulated(), model="any", embed_model="any")}
    for name in filter(None, os.environ.get(REAL_SETTING, "").replace(" ", "").split(",")):
        found[f"real-{name}"] = _from_environment(_REAL[name], f"CONTRACT_{name.upper()}")
    return found


def _from_environment(service: Service, prefix: str) -> Service:
    key, url = os.environ.get(f"{prefix}_KEY"), os.environ.get(f"{prefix}_URL")
    return Service(
        open=lambda _key, _url: service.open(key, url),
        model=os.environ.get(f"{prefix}_MODEL", service.model),
        embed_model=os.environ.get(f"{prefix}_EMBED_MODEL", service.embed_model),
    )
