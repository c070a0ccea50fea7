"""Models: which there are, who answers for them, what they can do and cost."""

from orchestrator.models.info import (
    NANO,
    TOLD_TOKENS,
    TURN_TOKENS,
    Ability,
    ModelInfo,
    Price,
    ProviderInfo,
    StructuredOutput,
    nano,
)
from orchestrator.models.pricing import Cost, cost_of, dollars, known_window
from orchestrator.models.registry import (
    ANTHROPIC,
    BEDROCK,
    BUILT_IN_PROVIDERS,
    GEMINI,
    OPENAI,
    SIMULATED,
    add_models,
    added_providers,
    find_model,
    known_models,
    provider_names,
)
from orchestrator.models.room import Room, room_of

__all__ = [
    "ANTHROPIC",
    "BEDROCK",
    "BUILT_IN_PROVIDERS",
    "GEMINI",
    "NANO",
    "OPENAI",
    "SIMULATED",
    "TOLD_TOKENS",
    "TURN_TOKENS",
    "Ability",
    "Cost",
    "ModelInfo",
    "Price",
    "ProviderInfo",
    "Room",
    "StructuredOutput",
    "add_models",
    "added_providers",
    "cost_of",
    "dollars",
    "find_model",
    "known_models",
    "known_window",
    "nano",
    "provider_names",
    "room_of",
]
