"""The one waiting primitive: questions to people (UserInput, Approval) with reminders and an end, and plain waits.

What a waiting visit knows is JSON in ``Running.kept``, with moments in seconds since 1970, so that it goes on waiting
in another workflow run as if nothing had happened.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any, cast

from pydantic_core import to_json
from temporalio import workflow

from orchestrator.contracts import Awaiting, Message, visit_label
from orchestrator.errors import AnswerError, ExpiredError, NodeError, RejectedError, TooLargeError
from orchestrator.graph.answers import Verdict, read_answer, read_verdict
from orchestrator.graph.blobs import blobs_in, describe
from orchestrator.graph.durations import iso, parse_duration, parse_moment
from orchestrator.graph.index import Node
from orchestrator.graph.plan import EdgeKind
from orchestrator.graph.schema import check_schema
from orchestrator.graph.scope import Running, Scope
from orchestrator.workflow.inbox import Question
from orchestrator.workflow.run import Run
from orchestrator.workflow.tickets import Ticket

__all__ = ["ask", "sleep"]

_MOST_QUESTION_BYTES = 20_000
_MOST_SHOWN = 300
"""Characters of a question in an event: a page may hold a thousand of them."""
_NO_NAMES: set[str] = set()
_DECISIONS = ("approve", "reject", "modify", "defer")


async def sleep(run: Run, scope: Scope, node: Node, running: Running, ticket: Ticket) -> dict[str, Any]:
    """Perform a Wait. Returns the node's output."""
    if "until" not in running.kept:
        config = await run.visits.config(scope, node.plan, running)
        running.kept["until"] = _due(node, config)
    ticket.rest()
    left = running.kept["until"] - workflow.time()
    if left > 0:
        await workflow.sleep(left, summary=f"{scope.path}{node.plan.id} waits")
    ticket.wake()
    return {"at": iso(workflow.time())}


async def ask(run: Run, scope: Scope, node: Node, running: Running, ticket: Ticket) -> tuple[dict[str, Any], EdgeKind]:
    """Ask a node's question and wait for what becomes of it.

    Returns:
        The node's output, and which of its ways are open.

    Raises:
        ExpiredError: Nobody answered in time, and no way is meant for that.
        RejectedError: Somebody said no, and no way is meant for that.
    """
    path = f"{scope.path}{node.plan.id}"
    if "awaiting" not in running.kept:
        config = await run.visits.config(scope, node.plan, running)
        running.kept |= _asked(node, path, running.visit, config)
        shown = running.kept["awaiting"]["question"][:_MOST_SHOWN]
        run.journal.add("AWAITING_INPUT", path, running.visit, question=shown)
    if "answer" in running.kept:
        return _outcome(node, path, running, running.kept["answer"])
    asking = _Asking(run, path, running)
    ticket.rest()
    asking.wait()
    try:
        answer = await asking.answer()
    except (Exception, asyncio.CancelledError):
        run.inbox.withdraw(path, running.visit)
        raise
    ticket.wake()
    return _outcome(node, path, running, answer)


class _Asking:
    """A question that waits, with its reminders and its end."""

    def __init__(self, run: Run, path: str, running: Running) -> None:
        self._run = run
        self._path = path
        self._running = running
        self._kept = running.kept
        awaiting = Awaiting.model_validate(self._kept["awaiting"])
        # Which fields were given is never asked; a set of their names for each question would take as much as they do.
        awaiting.__pydantic_fields_set__ = _NO_NAMES
        self._question = Question(awaiting, self._read, self._answered)
        self._answer: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._moved: asyncio.Future[None] | None = None

    def wait(self) -> None:
        """Let the question wait, and hand it what has come in for it."""
        self._run.inbox.ask(self._question)
        for message, error in self._run.inbox.deliver():
            self._run.journal.reject(message, error)
        self._run.changed()

    async def answer(self) -> dict[str, Any]:
        """Wait for the answer, or for the end of the time it may take: then ``{"expired": true}``."""
        while True:
            due = self._next()
            if due is None:
                return await self._answer
            left = due - workflow.time()
            if left > 0:
                await self._until(left)
            if "answer" in self._kept:
                return await self._answer
            if self._answer.done():
                return self._answer.result()
            if self._over():
                self._run.inbox.withdraw(self._path, self._running.visit, f"expired at {iso(self._kept['expires'])}")
                self._run.journal.add("EXPIRED", self._path, self._running.visit)
                return {"expired": True, "at": iso(workflow.time())}
            self._remind()

    async def _until(self, left: float) -> None:
        """Wait until somebody answers or defers, for ``left`` seconds at the most."""
        self._moved = asyncio.get_running_loop().create_future()
        timer = asyncio.create_task(workflow.sleep(left, summary=f"{self._path}: reminder or end"))
        first: list[asyncio.Future[Any]] = [timer, self._answer, self._moved]
        try:
            await workflow.wait(first, return_when=asyncio.FIRST_COMPLETED)
        except (Exception, asyncio.CancelledError):
            timer.cancel()
            raise
        timer.cancel()

    def _next(self) -> float | None:
        moments = [moment for moment in (self._kept["expires"], self._reminder()) if moment is not None]
        return min(moments, default=None)

    def _reminder(self) -> float | None:
        left: list[float] = self._kept["reminders"]
        return max(left[0], self._kept["deferred"] or 0.0) if left else None

    def _over(self) -> bool:
        expires = self._kept["expires"]
        return expires is not None and workflow.time() >= expires

    def _remind(self) -> None:
        due = self._reminder()
        if due is None or workflow.time() < due:
            return
        now = workflow.time()
        self._run.moves += 1
        self._kept["reminders"] = [moment for moment in self._kept["reminders"] if moment > now]
        reminded = self._question.awaiting.reminded + 1
        self._show(reminded=reminded)
        self._run.journal.add("REMINDER", self._path, self._running.visit, number=reminded)
        self._run.changed()

    def _show(self, **changes: Any) -> None:
        self._question.awaiting = self._question.awaiting.model_copy(update=changes)
        self._kept["awaiting"] = self._question.awaiting.model_dump(mode="json")

    def _read(self, message: Message) -> Any:
        awaiting = self._question.awaiting
        if awaiting.kind == "input":
            if message.decision is not None:
                raise AnswerError(f"`{self._path}` asks for input, not for a decision: send `text` or `values`")
            return read_answer(awaiting.answer_schema, message.text, message.values)
        verdict = read_verdict(awaiting.decisions, awaiting.answer_schema, message)
        if verdict.decision == "defer":
            self._check_deferral(verdict)
        return verdict

    def _check_deferral(self, verdict: Verdict) -> None:
        until, expires = self._due(verdict), self._kept["expires"]
        if until is None:
            return
        if until <= workflow.time():
            raise AnswerError("`until` must lie ahead")
        if expires is not None and until >= expires:
            raise AnswerError(f"`until` lies behind the end of the question, {iso(expires)}")

    def _due(self, verdict: Verdict) -> float | None:
        return None if verdict.until is None else _moment(verdict.until, workflow.time())

    def _answered(self, value: Any, message: Message) -> bool:
        if isinstance(value, Verdict) and value.decision == "defer":
            until = self._due(value)
            self._kept["deferred"] = until
            self._run.moves += 1
            self._show(deferred_until="" if until is None else iso(until))
            self._run.journal.add(
                "DEFERRED",
                self._path,
                self._running.visit,
                until=None if until is None else iso(until),
                by=message.by,
                comment=message.comment,
            )
            if self._moved is not None and not self._moved.done():
                self._moved.set_result(None)
            self._run.changed()
            return False
        about = {"message_id": message.message_id, "at": iso(workflow.time()), "by": message.by}
        if isinstance(value, Verdict):
            proposal = self._question.awaiting.proposal
            changed = value.decision == "modify"
            answer = {"decision": _PAST[value.decision], "value": value.values if changed else proposal}
            about["comment"] = message.comment
        else:
            answer = {"value": value, "text": message.text, "values": message.values}
        # Kept at once: the run may go on elsewhere before the visit itself has seen it.
        self._kept["answer"] = answer | about
        held = self._run.held
        if held is None:
            self._answer.set_result(answer | about)
        else:
            label = visit_label(self._path, self._running.visit)
            held[label] = lambda: self._answer.set_result(self._kept["answer"])
        return True


_PAST = {"approve": "approved", "reject": "rejected", "modify": "modified"}


def _outcome(node: Node, path: str, running: Running, answer: dict[str, Any]) -> tuple[dict[str, Any], EdgeKind]:
    if answer.get("expired"):
        if "expiry" in node.kinds:
            return answer, "expiry"
        raise ExpiredError(f"nobody answered `{visit_label(path, running.visit)}` in time")
    if answer.get("decision") == "rejected":
        if "reject" in node.kinds:
            return answer, "reject"
        who = f" by {answer['by']}" if answer["by"] else ""
        comment = f": {answer['comment']}" if answer["comment"] else ""
        raise RejectedError(f"`{visit_label(path, running.visit)}` was rejected{who}{comment}", details=answer)
    return answer, "normal"


def _asked(node: Node, path: str, visit: int, config: Mapping[str, Any]) -> dict[str, Any]:
    """What a question that begins to wait knows."""
    approval = node.plan.type == "Approval"
    question, schema = config["question"], config.get("form" if approval else "answer")
    if schema is not None and not isinstance(schema, Mapping):
        raise NodeError(f"the schema of the answer must be an object, not {to_json(schema).decode()[:50]}")
    if schema is not None:
        check_schema(cast("Mapping[str, Any]", schema))
    proposal = config.get("proposal")
    if (blob := next(blobs_in([question, schema, proposal]), None)) is not None:
        raise TooLargeError(f"the question or what belongs to it is {describe(blob)}; show long texts by other means")
    if (size := len(to_json([question, schema, proposal]))) > _MOST_QUESTION_BYTES:
        raise TooLargeError(
            f"the question and what belongs to it take {size:,} bytes, more than {_MOST_QUESTION_BYTES:,}; show long "
            "texts by other means"
        )
    now = workflow.time()
    expires = None if config.get("expires") is None else now + _seconds(config["expires"], "expires")
    awaiting = Awaiting(
        node=path,
        visit=visit,
        kind="approval" if approval else "input",
        question=question if isinstance(question, str) else to_json(question).decode(),
        answer_schema=None if schema is None else dict(cast("Mapping[str, Any]", schema)),
        since=iso(now),
        proposal=proposal,
        decisions=_decisions(config) if approval else (),
        assignees=tuple(str(name) for name in config.get("assignees", ())),
        expires=None if expires is None else iso(expires),
    )
    reminders = sorted(now + _seconds(item, "reminders") for item in config.get("reminders", ()))
    kept = awaiting.model_dump(mode="json")
    return {"awaiting": kept, "expires": expires, "reminders": reminders, "deferred": None}


def _decisions(config: Mapping[str, Any]) -> tuple[str, ...]:
    changes = config.get("proposal") is not None or config.get("form") is not None
    usual = tuple(name for name in _DECISIONS if name != "modify" or changes)
    return tuple(config.get("decisions") or usual)


def _due(node: Node, config: Mapping[str, Any]) -> float:
    if config.get("for") is not None:
        return workflow.time() + _seconds(config["for"], "for")
    until = config.get("until")
    if until is None:
        raise NodeError(f"neither `for` nor `until` of `{node.plan.id}` holds anything: what it refers to is null")
    try:
        return parse_moment(str(until))
    except ValueError as error:
        raise NodeError(f"`until` of `{node.plan.id}` {error}; it is {str(until)[:50]!r}") from None


def _seconds(value: Any, field: str) -> float:
    try:
        return parse_duration(value if isinstance(value, str) else float(value))
    except TypeError:
        raise NodeError(f"`{field}` must be a duration such as 2h; it is {str(value)[:50]!r}") from None
    except ValueError as error:
        raise NodeError(f"`{field}` {error}; it is {str(value)[:50]!r}") from None


def _moment(text: str, now: float) -> float:
    """A duration from now, or a date."""
    with contextlib.suppress(ValueError):
        return now + parse_duration(text)
    try:
        return parse_moment(text)
    except ValueError:
        raise AnswerError("`until` must be a duration such as 2h, or a date such as 2027-01-31T09:00:00Z") from None
