"""What a package of yours declares node types with. These names are stable: docs/extending.md says what that means."""

from orchestrator.contracts import NodeCall, NodeOutput, Usage
from orchestrator.errors import (
    NodeError,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from orchestrator.graph.plan import Retry
from orchestrator.node_types.base import ConfigModel, Duration, NodeType, Text, Verbatim
from orchestrator.node_types.trust import Trust
from orchestrator.safety import Action, Check, Match

__all__ = [
    "Action",
    "Check",
    "ConfigModel",
    "Duration",
    "Match",
    "NodeCall",
    "NodeError",
    "NodeOutput",
    "NodeType",
    "ProviderAuthError",
    "ProviderError",
    "ProviderRateLimitedError",
    "ProviderRejectedError",
    "ProviderUnavailableError",
    "Retry",
    "Text",
    "Trust",
    "Usage",
    "Verbatim",
]
