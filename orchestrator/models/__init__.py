"""Models: which there are, who answers for them, what they can do and cost."""

from orchestrator.models.info import NANO, Ability, ModelInfo, Price, ProviderInfo, nano
from orchestrator.models.pricing import Cost, cost_of, dollars, known_window
from orchestrator.models.registry import (
    BUILT_IN_PROVIDERS,
    OPENAI,
    SIMULATED,
    add_models,
    added_providers,
    find_model,
    known_models,
    provider_names,
)

__all__ = [
    "BUILT_IN_PROVIDERS",
    "NANO",
    "OPENAI",
    "SIMULATED",
    "Ability",
    "Cost",
    "ModelInfo",
    "Price",
    "ProviderInfo",
    "add_models",
    "added_providers",
    "cost_of",
    "dollars",
    "find_model",
    "known_models",
    "known_window",
    "nano",
    "provider_names",
]
