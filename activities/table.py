"""Every activity that performs a node, plus rendering and paging, built from what the worker hands in."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx

from activities import data_input, http_request, model_invoke, transform
from activities import format as format_
from activities.blobs import BlobStore
from activities.pages import page_activities
from activities.providers.base import ChatProvider
from activities.render import render_activity
from activities.runtime import node_activity, quick_activity
from orchestrator.node_types.data_input import DATA_INPUT, DataInputConfig
from orchestrator.node_types.format import FORMAT, FormatConfig
from orchestrator.node_types.http_request import HTTP_REQUEST, HttpRequestConfig
from orchestrator.node_types.model_invoke import MODEL_INVOKE, ModelInvokeConfig
from orchestrator.node_types.transform import TRANSFORM, TransformConfig

__all__ = ["Dependencies", "all_activities"]

_MAX_RESPONSE_BYTES = 52_428_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What activities need from outside: the worker opens it, and closes it when it stops.

    ``chat`` are the configured model providers by the names of ``orchestrator.models``, ``simulated`` among them.
    ``blobs`` keeps what is too large for a run's history. ``http_max_bytes`` bounds the answer of one HTTP request,
    unpacked.
    """

    http: httpx.AsyncClient
    chat: Mapping[str, ChatProvider]
    blobs: BlobStore
    http_max_bytes: int = _MAX_RESPONSE_BYTES


def all_activities(deps: Dependencies) -> list[Callable[..., Awaitable[Any]]]:
    """The activities to register with a worker."""
    blobs = deps.blobs
    http = http_request.handler(deps.http, max_bytes=deps.http_max_bytes)
    return [
        quick_activity(DATA_INPUT, DataInputConfig, data_input.handle, blobs),
        quick_activity(FORMAT, FormatConfig, format_.handle, blobs),
        node_activity(HTTP_REQUEST, HttpRequestConfig, http, blobs),
        node_activity(MODEL_INVOKE, ModelInvokeConfig, model_invoke.handler(deps.chat), blobs),
        quick_activity(TRANSFORM, TransformConfig, transform.handle, blobs),
        render_activity(blobs),
        *page_activities(blobs),
    ]
