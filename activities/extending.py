"""What a package of yours performs node types and models with. These names are stable, as in orchestrator.extending."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from activities.blobs import BlobStore
from activities.blobs.folder import FolderBlobs
from activities.providers.base import (
    ChatProvider,
    ChatReply,
    ChatRequest,
    EmbedReply,
    EmbedRequest,
    ModelProvider,
    Tool,
    ToolCall,
    Turn,
)
from activities.runtime import Handler, NodeActivity, QuickHandler, node_activity, quick_activity

__all__ = [
    "BlobStore",
    "ChatProvider",
    "ChatReply",
    "ChatRequest",
    "EmbedReply",
    "EmbedRequest",
    "ExtensionContext",
    "FolderBlobs",
    "Handler",
    "ModelProvider",
    "NodeActivity",
    "QuickHandler",
    "Secrets",
    "Tool",
    "ToolCall",
    "Turn",
    "node_activity",
    "quick_activity",
]


class Secrets(Protocol):
    """The worker's named secrets."""

    def get(self, name: str) -> str:
        """The value of the secret ``name``.

        Raises:
            NodeError: There is none; the message says where it was looked for.
        """
        ...

    def mask(self, value: Any) -> Any:
        """``value``, a text or JSON, with ``***`` in the place of every secret known so far."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionContext:
    """What a factory of an extension is given, once, when the worker starts; it may keep it.

    Attributes:
        http: For web services. It refuses addresses inside the network unless ``ORCHESTRATOR_HTTP_ALLOW_PRIVATE``
            allows them; it follows no redirects and keeps no cookies. The worker closes it.
        secrets: Looked up by name when they are used; what they hold is masked in outputs, errors and logs.
        blobs: Where large JSON texts are kept. Configs and outputs go there by themselves.
        settings: The variables ``ORCHESTRATOR_EXTENSION_<NAME>`` of the worker, by ``<name>`` in lower case.
    """

    http: httpx.AsyncClient
    secrets: Secrets
    blobs: BlobStore
    settings: Mapping[str, str]
