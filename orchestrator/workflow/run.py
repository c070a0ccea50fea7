"""What all scopes of one run share: its services, its counts, and whether new visits may start."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Protocol

from temporalio import workflow

from orchestrator.contracts import ErrorInfo, ParentRun, Resolved, RunContext, visit_label
from orchestrator.errors import LimitError
from orchestrator.graph.index import Graph
from orchestrator.workflow.allowance import Allowance
from orchestrator.workflow.dispatch import Dispatcher
from orchestrator.workflow.inbox import Inbox
from orchestrator.workflow.journal import MOST_SHOWN, Journal
from orchestrator.workflow.kin import Kin
from orchestrator.workflow.pace import VISIT_WORK, Pace
from orchestrator.workflow.parking import Parking
from orchestrator.workflow.tickets import Aside, Ticket
from orchestrator.workflow.visits import Visits

__all__ = ["Hungry", "Run"]

_MOST_HISTORY_EVENTS = 45_000  # the server terminates a run at 51,200
_LEAST_PROGRESS = 50
"""Events of history between two attempts to go on elsewhere."""
_MOST_HISTORY_BYTES = 40_000_000  # the server terminates a run at 50 MB


class Hungry(Protocol):
    """Has something that may start as soon as there is room."""

    def advance(self) -> None:
        """Start what may start now."""
        ...


class Run:
    """One run.

    Args:
        resolved: What it is pinned to.
        graph: Its plan, indexed.
        context: Who it is for.
        parent: Whose child it is.
        journal: Where events go.
        inbox: Where questions wait.
        changed: Called whenever the run comes to rest.
    """

    # Without slots, its more than thirty attributes would be a dict of 1.5 KB in each waiting run.
    __slots__ = (
        "_feeding",
        "_hungry",
        "_roll_after",
        "_tasks",
        "_tell",
        "_telling",
        "_without_slot",
        "allowance",
        "aside",
        "busy",
        "context",
        "deadline",
        "dispatcher",
        "done",
        "era",
        "graph",
        "held",
        "inbox",
        "journal",
        "kin",
        "left",
        "limits",
        "moves",
        "moving",
        "pace",
        "parent",
        "parking",
        "paused",
        "resolved",
        "rolling",
        "steps",
        "undo",
        "undone",
        "visiting",
        "visits",
        "working",
    )

    def __init__(
        self,
        resolved: Resolved,
        graph: Graph,
        context: RunContext,
        parent: ParentRun | None,
        journal: Journal,
        inbox: Inbox,
        changed: Callable[[], None],
    ) -> None:
        self.resolved = resolved
        self.limits = resolved.limits
        self.allowance = Allowance(parent, resolved.limits.cost_usd)
        self.graph = graph
        self.context = context
        self.parent = parent
        self.journal = journal
        self.inbox = inbox
        self._tell = changed
        self._telling = False
        self._feeding = False
        self.pace = Pace(self.kick)
        self.dispatcher = Dispatcher(self.pace, resolved.heartbeat_timeout)
        self.visits = Visits(self.dispatcher, self._account, journal)
        self.parking = Parking(journal, self.changed)
        self.busy = 0
        """Visits, and other tasks, that have to end or rest before the run can go on in another workflow run."""
        self.working = 0
        """Quick and work nodes under way: what ``max_parallel`` bounds."""
        self.era = 0
        """Raised when everything is stopped: tickets of an earlier era count no more."""
        self.visiting: dict[Ticket, None] = {}
        self.steps = 0
        self.paused = False
        self.rolling = False
        """The run waits to go on in another workflow run, and starts nothing."""
        self.undo: list[Aside] = []
        """What would have to be undone, oldest first."""
        self.left: list[Aside] = []
        """``finally`` nodes of scopes that were left before their end."""
        self.aside: list[ErrorInfo] = []
        """What failed while the run was undoing and cleaning up."""
        self.undone: list[str] = []
        """Labels of the visits that were undone, the newest of them."""
        self.kin = Kin()
        self.deadline: float | None = None
        """Seconds since 1970."""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.moves = 0
        """Raised by all that changes where the run stands."""
        self.held: dict[str, Callable[[], None]] | None = None
        """While the run's state is being stored: what is to be done with each answer if the run stays after all."""
        self.moving = False
        """The run is to go on with another definition, in another workflow run."""
        self._roll_after = 0
        """Length of history before which the run does not try again to go on elsewhere."""
        self._hungry: dict[Hungry, None] = {}
        self._without_slot: dict[Hungry, None] = {}
        """Those that only lack a slot of ``max_parallel``; there may be a thousand of them."""
        self._tasks: dict[asyncio.Task[None], Coroutine[Any, Any, None]] = {}

    def _account(self) -> dict[str, Any]:
        """Whose money is spent, as JSON, without what is as usual."""
        about = {
            **self.allowance.account(),
            "definition": self.graph.plan.name,
            "tenant": self.context.tenant,
            "user": self.context.user,
            "conversation": self.context.conversation_id,
        }
        return {name: value for name, value in about.items() if value is not None}

    @property
    def about(self) -> dict[str, Any]:
        """The roots ``context`` and ``run``."""
        plan = self.graph.plan
        return {
            "context": self.context.model_dump(mode="json"),
            "run": {"id": workflow.info().workflow_id, "definition": plan.name, "version": plan.version},
        }

    @property
    def under_way(self) -> Iterator[str]:
        """The visits under way, oldest first; those inside a ForEach too."""
        for ticket in self.visiting:
            if ticket.visit is not None:
                path, node, visit = ticket.visit
                yield visit_label(f"{path}{node}", visit)

    @property
    def stands(self) -> bool:
        """Nothing new may start: the run is over, paused, or about to go on elsewhere."""
        return self.paused or self.rolling or self.done.done()

    def admits(self, *, works: bool) -> bool:
        """Whether one more visit may start now. If not, ``kick`` comes when one may."""
        self.look_at_history()
        if self.stands or (works and self.working >= self.limits.max_parallel):
            return False
        return not self.pace.tired()

    @property
    def drained(self) -> bool:
        """Whether all that is under way can go on in another workflow run as it is."""
        return self.busy == 0 and self.dispatcher.idle and workflow.all_handlers_finished()

    def look_at_history(self) -> None:
        """Let the run go on in another workflow run when its history is long enough."""
        if self.rolling or self.moving:
            self.rolling = True
            return
        info = workflow.info()
        length = info.get_current_history_length()
        if length >= self._roll_after and (
            length >= self.resolved.rollover.events or info.is_continue_as_new_suggested()
        ):
            self.rolling = True

    def defer_rolling(self) -> None:
        """Get on with something here before the run tries again to go on elsewhere."""
        self._roll_after = max(self._roll_after, workflow.info().get_current_history_length() + _LEAST_PROGRESS)
        self.rolling = False

    def may_stay(self, *, ending: bool) -> bool:
        """The run cannot be carried. Go on here, for as long as history has room; at the end of the run, to its end."""
        if ending:
            self._roll_after = _MOST_HISTORY_EVENTS * 2
            self.rolling = False
            return True
        if workflow.info().get_current_history_length() >= self.resolved.rollover.most_events:
            return False
        self.roll_later()
        return True

    def stay(self) -> None:
        """Go on here after all, and do what was held back meanwhile."""
        held, self.held = self.held or {}, None
        for go_on in held.values():
            go_on()
        self.roll_later()

    def must_roll(self) -> bool:
        """Whether the run is to go on in another workflow run now, history being long enough."""
        self.look_at_history()
        return self.rolling

    def roll_later(self) -> None:
        """Go on as before for a while: what is under way takes long. Unless the history is too long for that."""
        length = workflow.info().get_current_history_length()
        rollover = self.resolved.rollover
        if length >= rollover.most_events:
            return
        self._roll_after = length + max(rollover.events // 4, _LEAST_PROGRESS)
        self.rolling = False
        self.kick()

    def count(self) -> None:
        """Note that a visit starts.

        Raises:
            LimitError: The run, or its history, has reached its end.
        """
        if self.steps >= self.limits.steps:
            raise LimitError(f"the run has started {self.limits.steps} visits, its limit (limits.steps)")
        info = workflow.info()
        if info.get_current_history_length() > _MOST_HISTORY_EVENTS:
            raise LimitError(f"the run's history has reached {_MOST_HISTORY_EVENTS:,} events")
        if info.get_current_history_size() > _MOST_HISTORY_BYTES:
            raise LimitError(f"the run's history has reached {_MOST_HISTORY_BYTES:,} bytes")
        self.steps += 1
        self.pace.work(VISIT_WORK)

    def failed(self, info: ErrorInfo, tries: int) -> None:
        """Note that a visit failed for good."""
        about = {"code": info.code, "message": info.message[:MOST_SHOWN]}
        self.journal.add("ERROR", info.node, info.visit, **about, **({"tries": tries} if tries > 1 else {}))

    def changed(self) -> None:
        """Tell, once all of it is done, that something has changed."""
        if not self._telling:
            self._telling = True
            asyncio.get_running_loop().call_soon(self._tell_now)

    def _tell_now(self) -> None:
        self._telling = False
        self._tell()

    def want(self, hungry: Hungry, *, more: bool, lacks_slot: bool = False) -> None:
        """Remember, or forget, that ``hungry`` has more to start than there was room for."""
        for kept, wanted in ((self._hungry, more and not lacks_slot), (self._without_slot, more and lacks_slot)):
            if wanted:
                kept[hungry] = None
            else:
                kept.pop(hungry, None)

    def rested(self) -> None:
        """There may be room for somebody else."""
        if (self._hungry or self._without_slot) and not self._feeding and not self.stands:
            self._feeding = True
            self.spawn(self._feed())

    async def _feed(self) -> None:
        self._feeding = False
        self.kick()

    def kick(self) -> None:
        """Let everything start that may start now."""
        for hungry in list(self._hungry):
            if self.stands:
                return
            hungry.advance()
        for hungry in list(self._without_slot):
            if self.stands or self.working >= self.limits.max_parallel:
                return
            hungry.advance()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begin a task of this run. A fault of ours in it fails the workflow task, where people see it."""
        task = asyncio.create_task(self._guarded(work))
        self._tasks[task] = work
        task.add_done_callback(self._ended)
        return task

    def abort(self, error: Exception) -> None:
        """End the run with an error."""
        if not self.done.done():
            self.done.set_exception(error)

    async def stop(self) -> None:
        """Cancel every task and wait until each has ended. Whatever a visit ends with now no longer counts."""
        self.done.cancel()
        self.pace.stop()
        while self._tasks:
            tasks = list(self._tasks)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if not self.dispatcher.idle:
            await workflow.wait_condition(lambda: self.dispatcher.idle)
        self.era += 1
        self.busy = self.working = 0
        self.visiting.clear()
        self._hungry.clear()
        self._without_slot.clear()
        self._feeding = False

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except Exception as error:  # noqa: BLE001 - handed on, to whoever waits for the run
            self.abort(error)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # One that was cancelled before it began was never awaited.
        self._tasks.pop(task).close()
