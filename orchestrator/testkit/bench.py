"""A server that skips over waiting, and the workers of the case that is played on it."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Literal

from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import PollerBehaviorSimpleMaximum, Worker, WorkerConfig

from activities import Dependencies
from orchestrator.client import Orchestrator
from orchestrator.models import SIMULATED
from orchestrator.settings import Settings
from orchestrator.testkit.clock import Clock, skipping_server
from orchestrator.testkit.mocks import ActivityKey, Mocks
from orchestrator.testkit.standstill import StuckError, no_task_open

__all__ = ["Bench", "bench"]

_GRACE = timedelta(seconds=10)
_ANSWER = timedelta(seconds=1)
_MOST_QUESTIONS = 20
_UNANSWERED = frozenset({RPCStatusCode.CANCELLED, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.FAILED_PRECONDITION})


class _Parts(SimplePlugin):
    """Takes the worker that is built next apart: the one for workflows forgets each run after every step."""

    def __init__(self) -> None:
        super().__init__("cases")  # pyright: ignore[reportUnknownMemberType] - the SDK's own signature has holes
        self.part: Literal["all", "workflows", "activities"] = "all"

    def configure_worker(self, config: WorkerConfig) -> WorkerConfig:
        """Give the worker that is built its part."""
        config = super().configure_worker(config)
        config["graceful_shutdown_timeout"] = _GRACE
        if self.part == "workflows":
            config["no_remote_activities"] = True
            config["max_cached_workflows"] = 0
            # So that at most one question of a worker that has left is still open at the server.
            config["workflow_task_poller_behavior"] = PollerBehaviorSimpleMaximum(1)
        elif self.part == "activities":
            config["workflows"] = []
        return config


@dataclass(slots=True)
class Bench:
    """A server and its workers."""

    clock: Clock
    mocks: Mocks
    door: Orchestrator
    restarts: int = 0
    """How many workers of the case were ended on the way."""
    changing: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by whoever ends a worker, or must not have one ended."""
    _settings: Settings = field(kw_only=True)
    _dependencies: Dependencies = field(kw_only=True)
    _parts: _Parts = field(kw_only=True)
    _usual: AsyncExitStack = field(default_factory=AsyncExitStack)
    _ended: AsyncExitStack = field(default_factory=AsyncExitStack)
    _leaving: set[ActivityKey] = field(default_factory=set[ActivityKey])
    """Activities that are over, of which the server may not have heard yet."""

    @asynccontextmanager
    async def working(self, *, sweeping: bool) -> AsyncGenerator[None]:
        """Workers for the length of the context; with ``sweeping``, they are ended after every step."""
        self.restarts = 0
        self._leaving.clear()
        async with AsyncExitStack() as running:
            await running.enter_async_context(self._build("activities" if sweeping else "all"))
            if not sweeping:
                yield
                return
            running.push_async_callback(self._end)
            await self._begin()
            self.mocks.between = self._after_activity
            try:
                yield
            finally:
                self.mocks.between = None

    async def replace(self) -> None:
        """End the worker of the workflows, and start one that knows nothing. No task may be open."""
        await self._end()
        await self._begin()
        self.restarts += 1
        await self._be_answered()

    async def _be_answered(self) -> None:
        """Wait until the new worker answers.

        This server hands a task to whoever asked for one first, a worker that has just left among them, and then waits
        for the answer in real time. So the first thing that it hands out must be one that can be asked for again.
        """
        root = self.clock.client.get_workflow_handle(next(iter(self.mocks.workflows)))
        for _ in range(_MOST_QUESTIONS):
            try:
                await root.query("awaiting", rpc_timeout=_ANSWER)
            except RPCError as error:
                if error.status not in _UNANSWERED:
                    raise
            else:
                return
        raise StuckError(f"a new worker did not answer any of {_MOST_QUESTIONS} questions")

    async def _after_activity(self, over: ActivityKey | None) -> None:
        # The activity is held back until then, so nothing can be handed to a worker that is on its way out: this
        # server would wait for its answer, in real time.
        async with self.changing:
            await no_task_open(self.clock, self.mocks, self._leaving)
            await self.replace()
            self._leaving.update({over} if over else ())

    async def _begin(self) -> None:
        await self._ended.enter_async_context(self._build("workflows"))

    async def _end(self) -> None:
        await self._ended.aclose()

    def _build(self, part: Literal["all", "workflows", "activities"]) -> Worker:
        from worker import build_worker  # noqa: PLC0415 - the composition root, which imports much

        self._parts.part = part
        return build_worker(self.clock.client, self._settings, dependencies=self._dependencies)


@asynccontextmanager
async def bench(settings: Settings) -> AsyncGenerator[Bench]:
    """A bench for the length of the context.

    Raises:
        ServerUnavailableError: The test server is not there, or does not start.
    """
    from worker import open_dependencies  # noqa: PLC0415 - the composition root, which imports much

    mocks, parts = Mocks(), _Parts()
    async with skipping_server(mocks, parts) as clock, open_dependencies(settings) as dependencies:
        yield Bench(
            clock=clock,
            mocks=mocks,
            door=Orchestrator(clock.client, settings.task_queue),
            _settings=settings,
            # Nobody outside is asked, whatever model a definition names: those of installed packages are left out too.
            _dependencies=replace(dependencies, chat={SIMULATED: dependencies.chat[SIMULATED]}),
            _parts=parts,
        )
