"""Keeps what models answered for a while, so that the same question need not be paid for again.

It is kept in the storage, encrypted where the settings give keys, and deleted some time after it counts no more. Where
the storage is away, models are simply asked.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextvars import Context
from typing import Any

from pydantic_core import from_json, to_json

from activities.asking.metrics import looked_up
from activities.lazily import Lazily
from activities.sealed_answers import Seal
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.encryption import Keys
from orchestrator.errors import OrchestratorError
from orchestrator.stopping import stop
from storage import Answers, Storage

__all__ = ["Cache"]

_MOST_BYTES = 5_000_000
"""Of an answer that is kept; the database is no place for larger ones."""
_LONG = 64_000
"""Bytes from which the work goes to a thread."""
_TRIM_S = 900.0
_log = logging.getLogger(__name__)


class Cache:
    """What a worker's models have answered.

    Args:
        storage: Where the answers are, opened when one is first needed, and closed by whoever made it; none: nothing is
            kept.
        keys: What they are encrypted with, if they are.
    """

    def __init__(self, storage: Lazily[Storage] | None = None, keys: Keys | None = None) -> None:
        self._storage = storage
        self._seal = Seal(keys)
        self._trimming: asyncio.Task[None] | None = None

    async def through(
        self, call: NodeCall, question: Any, ask: Callable[[], Awaitable[NodeOutput]]
    ) -> tuple[NodeOutput, bool]:
        """The output that was kept for the same question of the same tenant, or that of asking now.

        Args:
            call: The visit; ``cache`` says for how many seconds an answer is kept, none asks always.
            question: All that the answer depends on, as JSON.
            ask: Asks. Its output is kept where its ``finish_reason``, if it has one, is ``stop``, and where it takes
                5,000,000 bytes at most.

        Returns:
            The output, and whether it was kept: then it took nothing.
        """
        storage = self._storage
        name = None if call.cache is None or storage is None else self._name_of(call, question)
        if call.cache is None or storage is None or name is None:
            return await ask(), False
        if self._trimming is None:
            # It outlives the node that happens to be the first.
            self._trimming = asyncio.create_task(self._trim_always(storage), context=Context())
        found = await self._found(storage, name)
        looked_up(call.type, "miss" if found is None else "hit")
        if found is not None:
            return NodeOutput(output=found), True
        output = await ask()
        if output.output.get("finish_reason", "stop") == "stop" and not output.output.get("simulated"):
            await self._keep(storage, name, output.output, call.cache)
        return output, False

    async def close(self) -> None:
        """Trims no more; to be called before the storage is closed."""
        await stop(self._trimming)

    def _name_of(self, call: NodeCall, question: Any) -> str | None:
        tenant = None if call.account is None else call.account.tenant
        try:
            return self._seal.name_of(to_json([call.type, tenant, question]))
        except ValueError:
            # Half of a character, such as a model may have written, has no UTF-8.
            return None

    async def _found(self, storage: Lazily[Storage], name: str) -> dict[str, Any] | None:
        try:
            kept = await Answers(await storage.get()).find(name)
            if kept is None:
                return None
            return from_json(await _worked(len(kept), lambda: self._seal.opened(name, kept)))
        except (OrchestratorError, ValueError) as error:
            _log.warning("what models answered cannot be looked up, so they are asked: %s", _brief(error))
            return None

    async def _keep(self, storage: Lazily[Storage], name: str, output: dict[str, Any], seconds: float) -> None:
        try:
            answer = to_json(output)
            if len(answer) > _MOST_BYTES:
                _log.warning("an answer of %d bytes is not kept: %d are the most", len(answer), _MOST_BYTES)
                return
            sealed = await _worked(len(answer), lambda: self._seal.closed(name, answer))
            await Answers(await storage.get()).keep(name, sealed, seconds)
        except (OrchestratorError, ValueError) as error:
            # It is paid for: an error here would have it asked, and paid for, again.
            _log.warning("what a model answered cannot be kept: %s", _brief(error))

    async def _trim_always(self, storage: Lazily[Storage]) -> None:
        while True:
            try:
                if gone := await Answers(await storage.get()).trim():
                    _log.info("dropped %d kept answers that counted no more", gone)
            except Exception as error:  # noqa: BLE001 - whatever it is, the next time may be better
                _log.warning("kept answers that count no more could not be dropped: %s", error)
            # Workers that were started together need not do it together.
            await asyncio.sleep(_TRIM_S * random.uniform(0.5, 1.5))  # noqa: S311 - spreads load; nothing secret


async def _worked(size: int, work: Callable[[], bytes]) -> bytes:
    return work() if size < _LONG else await asyncio.to_thread(work)


def _brief(error: OrchestratorError | ValueError) -> str:
    """What went wrong; a ``ValueError``, of JSON, would quote the answer."""
    return error.message if isinstance(error, OrchestratorError) else "it is no JSON, or it was changed"
