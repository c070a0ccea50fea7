"""The language models a definition may name, and which provider answers for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from orchestrator.errors import RequestError

__all__ = ["MODELS", "OPENAI", "SIMULATED", "ModelInfo", "find_model"]

OPENAI = "openai"
SIMULATED = "simulated"
_PROVIDERS = (OPENAI, SIMULATED)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A model: the ``name`` a definition uses, its ``provider``, and the name that provider knows it by.

    ``limit_field`` is what the provider calls the most tokens to write; OpenAI's own reasoning models have
    another name for it than everybody else.
    """

    name: str
    provider: str
    wire_name: str
    limit_field: str = "max_tokens"


def _openai(name: str) -> ModelInfo:
    return ModelInfo(name, OPENAI, name)


def _reasoning(name: str) -> ModelInfo:
    return ModelInfo(name, OPENAI, name, limit_field="max_completion_tokens")


MODELS: Mapping[str, ModelInfo] = MappingProxyType(
    {
        "gpt-4.1": _openai("gpt-4.1"),
        "gpt-4.1-mini": _openai("gpt-4.1-mini"),
        "gpt-4.1-nano": _openai("gpt-4.1-nano"),
        "gpt-4o": _openai("gpt-4o"),
        "gpt-4o-mini": _openai("gpt-4o-mini"),
        "gpt-5": _reasoning("gpt-5"),
        "gpt-5-mini": _reasoning("gpt-5-mini"),
        "gpt-5-nano": _reasoning("gpt-5-nano"),
        "gpt-5.2": _reasoning("gpt-5.2"),
        "gpt-5.4": _reasoning("gpt-5.4"),
        "gpt-5.4-mini": _reasoning("gpt-5.4-mini"),
        "gpt-5.4-nano": _reasoning("gpt-5.4-nano"),
        "gpt-5.5": _reasoning("gpt-5.5"),
        "o3": _reasoning("o3"),
        "o4-mini": _reasoning("o4-mini"),
        "simulated": ModelInfo("simulated", SIMULATED, "simulated"),
    }
)
"""Models known by a short name. Any other is written ``openai/<name>`` or ``simulated/<name>``."""


def find_model(name: str) -> ModelInfo:
    """The model called ``name``: one of ``MODELS``, or ``<provider>/<any name that provider knows>``.

    Raises:
        RequestError: No model has this name; the message has the nearest one.
    """
    if name in MODELS:
        return MODELS[name]
    provider, slash, wire_name = name.partition("/")
    if slash and wire_name and provider in _PROVIDERS:
        known = MODELS.get(wire_name)
        limit = known.limit_field if known and known.provider == provider else "max_tokens"
        return ModelInfo(name, provider, wire_name, limit)
    near = get_close_matches(name, MODELS, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"write 'openai/{wire_name or name}' for any other model"
    raise RequestError(f"unknown model {name!r}; {hint}", details={"model": name, "nearest": near})
