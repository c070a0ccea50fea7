"""Keeps what models answered for a while, so that the same question need not be paid for again.

What is kept lies in blob storage, encrypted where that is; the storage only knows the hash of each question. Where one
of them is away, models are simply asked.
"""

import logging
from collections.abc import Awaitable, Callable
from hashlib import sha256
from typing import Any

from pydantic_core import from_json, to_json

from activities.blobs import BlobStore
from activities.lazily import Lazily
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import OrchestratorError
from storage import Answers, Storage, open_storage

__all__ = ["Cache"]

_log = logging.getLogger(__name__)


class Cache:
    """What a worker's models have answered.

    Args:
        blobs: Where the answers lie.
        storage: Address of the database that knows which; none: nothing is kept.
    """

    def __init__(self, blobs: BlobStore, storage: str | None = None) -> None:
        self._blobs = blobs
        self._storage = None if storage is None else Lazily(lambda: open_storage(storage))

    async def through(
        self, call: NodeCall, question: Any, ask: Callable[[], Awaitable[NodeOutput]]
    ) -> tuple[NodeOutput, bool]:
        """The output that was kept for the same question of the same tenant, or that of asking now.

        Args:
            call: The visit; ``cache`` says for how many seconds an answer is kept, none asks always.
            question: All that the answer depends on, as JSON.
            ask: Asks. Its output is kept where its ``finish_reason``, if it has one, is ``stop``.

        Returns:
            The output, and whether it was kept: then it took nothing.
        """
        storage = self._storage
        if call.cache is None or storage is None:
            return await ask(), False
        tenant = None if call.account is None else call.account.tenant
        key = sha256(to_json([call.type, tenant, question])).hexdigest()
        found = await self._found(storage, key)
        if found is not None:
            return NodeOutput(output=found), True
        output = await ask()
        if output.output.get("finish_reason", "stop") == "stop" and not output.output.get("simulated"):
            await self._keep(storage, key, output.output, call.cache)
        return output, False

    async def close(self) -> None:
        """Closes the storage, if it was opened."""
        if self._storage is not None:
            await self._storage.close()

    async def _found(self, storage: Lazily[Storage], key: str) -> dict[str, Any] | None:
        try:
            blob = await Answers(await storage.get()).find(key)
            return None if blob is None else from_json(await self._blobs.get(blob))
        except (OrchestratorError, ValueError) as error:
            _log.warning("what models answered cannot be looked up, so they are asked: %s", _brief(error))
            return None

    async def _keep(self, storage: Lazily[Storage], key: str, output: dict[str, Any], seconds: float) -> None:
        try:
            await Answers(await storage.get()).keep(key, await self._blobs.put(to_json(output)), seconds)
        except (OrchestratorError, ValueError) as error:
            # It is paid for: an error here would have it asked, and paid for, again.
            _log.warning("what a model answered cannot be kept: %s", _brief(error))


def _brief(error: OrchestratorError | ValueError) -> str:
    """What went wrong; a ``ValueError``, of JSON, would quote the answer."""
    return error.message if isinstance(error, OrchestratorError) else "it is no JSON"
