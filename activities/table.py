"""Every activity that performs a node, plus rendering and paging, built from what the worker hands in."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from activities import (
    data_input,
    database_insert,
    database_query,
    embed,
    http_request,
    model_invoke,
    save_to_file,
    send_email,
    transform,
    usage_of_visit,
)
from activities import format as format_
from activities.archive import Archive
from activities.asking import Breakers, Desk, Rates
from activities.blobs import BlobStore
from activities.caching import Cache
from activities.databases import Databases
from activities.extending import ExtensionContext
from activities.extensions import extension_activities, extension_settings
from activities.mail import MailServer
from activities.masking import Masker
from activities.pages import page_activities
from activities.providers.base import ChatProvider
from activities.render import render_activity
from activities.runtime import node_activity, quick_activity
from activities.secrets import DATABASE_PREFIX, SECRET_PREFIX, NamedSecrets
from activities.spending import Purse
from activities.streaming import Streams
from orchestrator.node_types.data_input import DATA_INPUT, DataInputConfig
from orchestrator.node_types.database_insert import DATABASE_INSERT, DatabaseInsertConfig
from orchestrator.node_types.database_query import DATABASE_QUERY, DatabaseQueryConfig
from orchestrator.node_types.embed import EMBED, EmbedConfig
from orchestrator.node_types.format import FORMAT, FormatConfig
from orchestrator.node_types.http_request import HTTP_REQUEST, HttpRequestConfig
from orchestrator.node_types.model_invoke import MODEL_INVOKE, ModelInvokeConfig
from orchestrator.node_types.save_to_file import SAVE_TO_FILE, SaveToFileConfig
from orchestrator.node_types.send_email import SEND_EMAIL, SendEmailConfig
from orchestrator.node_types.transform import TRANSFORM, TransformConfig
from orchestrator.safety import BUILT_IN, Guard

__all__ = ["Dependencies", "all_activities"]

_MAX_RESPONSE_BYTES = 52_428_800


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependencies:
    """What activities need from outside: the worker opens it, and closes it when it stops.

    ``chat`` are the configured model providers by the names of ``orchestrator.models``, ``simulated`` among them.
    ``blobs`` keeps what is too large for a run's history. ``http_max_bytes`` bounds the answer of one HTTP request,
    unpacked. ``http`` is one that ``activities.web`` made, or it reaches addresses inside the network. ``secrets`` and
    ``databases`` are what definitions name; ``secret_hosts`` says for some secrets which hosts they may be sent to.
    ``mail`` is the server that mail goes through, ``files_dirs`` are the folders that files may be written into.
    ``purse`` pays for models, ``rates`` and ``breakers`` say when they are asked, ``streams`` shows what they write,
    ``guard`` checks it, ``archive`` keeps each call of theirs, ``masker`` takes secrets out of what traces show of it,
    and ``cache`` keeps their answers for a while.
    """

    http: httpx.AsyncClient
    chat: Mapping[str, ChatProvider]
    blobs: BlobStore
    http_max_bytes: int = _MAX_RESPONSE_BYTES
    secrets: NamedSecrets = field(default_factory=lambda: NamedSecrets(SECRET_PREFIX))
    databases: Databases = field(default_factory=lambda: Databases(NamedSecrets(DATABASE_PREFIX)))
    mail: MailServer = field(default_factory=MailServer)
    files_dirs: Sequence[Path] = ()
    secret_hosts: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    purse: Purse = field(default_factory=Purse)
    rates: Rates = field(default_factory=Rates)
    breakers: Breakers = field(default_factory=Breakers)
    streams: Streams = field(default_factory=Streams)
    cache: Cache | None = None
    archive: Archive = field(default_factory=Archive)
    masker: Masker = field(default_factory=Masker)
    guard: Guard = field(default_factory=lambda: Guard(BUILT_IN, {}, {}))

    @property
    def context(self) -> ExtensionContext:
        """What installed packages are given of it."""
        return ExtensionContext(http=self.http, secrets=self.secrets, blobs=self.blobs, settings=extension_settings())


def all_activities(deps: Dependencies) -> list[Callable[..., Awaitable[Any]]]:
    """The activities to register with a worker."""
    blobs = deps.blobs
    http = http_request.handler(
        deps.http, max_bytes=deps.http_max_bytes, secrets=deps.secrets, secret_hosts=deps.secret_hosts
    )
    cache = deps.cache or Cache()
    desk = Desk(deps.chat, deps.purse, deps.breakers, deps.rates, deps.streams, deps.archive, deps.masker)
    return [
        quick_activity(DATA_INPUT, DataInputConfig, data_input.handle, blobs),
        node_activity(DATABASE_INSERT, DatabaseInsertConfig, database_insert.handler(deps.databases), blobs),
        node_activity(DATABASE_QUERY, DatabaseQueryConfig, database_query.handler(deps.databases), blobs),
        node_activity(EMBED, EmbedConfig, embed.handler(desk, cache), blobs),
        quick_activity(FORMAT, FormatConfig, format_.handle, blobs),
        node_activity(HTTP_REQUEST, HttpRequestConfig, http, blobs),
        node_activity(MODEL_INVOKE, ModelInvokeConfig, model_invoke.handler(desk, deps.guard, cache), blobs),
        node_activity(SAVE_TO_FILE, SaveToFileConfig, save_to_file.handler(deps.files_dirs), blobs),
        node_activity(SEND_EMAIL, SendEmailConfig, send_email.handler(deps.mail), blobs),
        quick_activity(TRANSFORM, TransformConfig, transform.handle, blobs),
        render_activity(blobs),
        *page_activities(blobs),
        usage_of_visit.UsageOfVisit(deps.purse).usage_of_visit,
        *extension_activities(deps.context),
    ]
