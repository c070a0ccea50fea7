"""What is known of a model, and what it costs."""

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_CEILING, Decimal
from typing import Literal

__all__ = [
    "NANO",
    "TOLD_TOKENS",
    "TURN_TOKENS",
    "Ability",
    "ModelInfo",
    "Price",
    "ProviderInfo",
    "ProviderKind",
    "StructuredOutput",
    "TokenEstimate",
    "nano",
]

NANO = 1_000_000_000
"""Nano-dollars in a dollar: money is counted in whole ones, which add up exactly."""
_MILLION = 1_000_000

TURN_TOKENS = 16
"""What a message takes beside its text: at most some marks and its role."""
TOLD_TOKENS = 1_000
"""What a model is told beside the texts where it has tools, or is to fit a schema: by adapters, and by providers, whose
words nobody sees but on the bill. Of Anthropic's models it is up to 530 tokens."""

Ability = Literal["stream", "json", "tools", "embed"]
ProviderKind = Literal["openai"]
"""What an endpoint of one's own speaks: ``openai`` is chat completions, as vLLM, Ollama and Azure do."""
StructuredOutput = Literal["json_schema", "json_object"]
"""How such an endpoint is held to a schema: by the schema itself, or only to JSON, and the schema told in words."""
TokenEstimate = Literal["bytes", "characters"]
"""How tokens are estimated before a call: ``bytes`` is never too few, since a token is at least one byte of UTF-8;
``characters`` counts one for every four, which is close for English."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, in dollars, and the day from which that holds, if it is known."""

    input: Decimal
    output: Decimal
    since: date | None = None

    def cost(self, input_tokens: int, output_tokens: int) -> int:
        """Nano-dollars, rounded up."""
        return nano((self.input * input_tokens + self.output * output_tokens) / _MILLION)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelInfo:
    """A model: the ``name`` a definition uses, its ``provider``, and the name that provider knows it by.

    ``limit_field`` is what the provider calls the most tokens to write; OpenAI's own reasoning models have
    another name for it than everybody else. ``window`` is the most tokens of a question, with the answer where the
    provider counts both; ``most_output`` the most of an answer. None of either: it is not known.
    """

    name: str
    provider: str
    wire_name: str
    limit_field: str = "max_tokens"
    window: int | None = None
    most_output: int | None = None
    abilities: frozenset[Ability] = frozenset(("stream", "json", "tools"))
    estimate: TokenEstimate = "bytes"
    prices: tuple[Price, ...] = ()
    """Of our own registry or the setting, the oldest first; empty: they are looked up by provider and name."""
    retired: bool = False
    retires: date | None = None
    """The day from which its provider serves it no more, where that is known beforehand."""

    def is_retired(self, on: date) -> bool:
        """Whether its provider serves it no more on a day."""
        return self.retired or (self.retires is not None and self.retires <= on)

    @property
    def only_embeds(self) -> bool:
        """Whether it answers nothing, and only turns text into vectors."""
        return self.abilities == frozenset(("embed",))

    def own_price(self, on: date) -> Price | None:
        """The price of the registry that holds on a day; none if it has none."""
        held = [price for price in self.prices if price.since is None or price.since <= on]
        return held[-1] if held else next(iter(self.prices), None)

    def estimated_tokens(self, *texts: str) -> int:
        """How many tokens texts take, by the strategy of the model."""
        if self.estimate == "bytes":
            return sum(len(text.encode()) for text in texts)
        return sum(-(-len(text) // 4) for text in texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderInfo:
    """An endpoint beside the built-in providers: ``name`` stands before the slash of the models it serves.

    ``key_env`` says where its key is: in a variable, if it is in capitals, else in the named secret; none: it needs no
    key.
    """

    name: str
    kind: ProviderKind
    base_url: str
    key_env: str | None = None
    structured: StructuredOutput = "json_schema"


def nano(dollars: Decimal) -> int:
    """Dollars in whole nano-dollars, rounded up: a cap is kept also by what does not come out even."""
    return int((dollars * NANO).to_integral_value(ROUND_CEILING))
