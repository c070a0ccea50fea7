"""Does what ``send``, ``answer``, ``approve`` and ``cancel`` ask for."""

from typing import Any

from orchestrator.cli.answers import new_message_id
from orchestrator.cli.output import data, out, say
from orchestrator.cli.requests import made, read_json
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import command, show_questions
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, SubmitReply, visit_label
from orchestrator.errors import NothingAwaitedError, RequestError, WorkerMissingError

__all__ = ["answer", "approve", "cancel", "decision", "message", "send"]


def message(
    text: str | None, values: str | None, node: str | None, message_id: str | None, by: str | None = None
) -> Message:
    """The message that the options make; without ``message_id`` it gets one, to count once if it is sent again.

    Raises:
        RequestError: It is empty, or not well formed.
    """
    if text is None and values is None:
        raise RequestError("the message is empty: give TEXT, or --values JSON")
    found = None if values is None else read_json("--values", values)
    message_id = new_message_id() if message_id is None else message_id
    return made(Message, text=text, values=found, node=node, message_id=message_id, by=by)


def decision(*, approve: bool, reject: bool, modify: str | None, defer: str | None, **fields: str | None) -> Message:
    """The message that the options of ``approve`` make; ``fields`` are further ones of it.

    Raises:
        RequestError: None of the four was given, or several; or one is not well formed.
    """
    given: list[dict[str, Any]] = []
    if approve:
        given.append({"decision": "approve"})
    if reject:
        given.append({"decision": "reject"})
    if modify is not None:
        given.append({"decision": "modify", "values": read_json("--modify", modify)})
    if defer is not None:
        given.append({"decision": "defer", "until": defer})
    if len(given) != 1:
        raise RequestError("say what is decided with one of --approve, --reject, --modify JSON and --defer DURATION")
    fields["message_id"] = fields.get("message_id") or new_message_id()
    return made(Message, **given[0], **fields)


def answer(run_id: str, given: Message, *, as_json: bool) -> None:
    """Submit an answer, and print what is awaited now."""
    reply = on_server(lambda session: _submit(session, run_id, given))
    if as_json:
        _as_data(run_id, given, reply)
        return
    say(
        f"`{visit_label(reply.node, reply.visit)}` has its answer"
        + ("" if reply.awaiting else "; nothing is awaited now")
    )
    show_questions(run_id, reply.awaiting)


def approve(run_id: str, given: Message, *, as_json: bool) -> None:
    """Submit a decision, and print what is awaited now.

    Raises:
        NothingAwaitedError: No approval waits.
        RequestError: Several wait, and none was named: a decision must not go to another one than it was meant for.
    """

    async def decide(session: Session) -> SubmitReply:
        node = given.node or await _only_approval(session.orchestrator, run_id)
        return await _submit(session, run_id, given.model_copy(update={"node": node}))

    reply = on_server(decide)
    if as_json:
        _as_data(run_id, given, reply)
        return
    where = f"`{visit_label(reply.node, reply.visit)}`"
    if given.decision == "defer":
        say(f"{where} is deferred; until it is due it can still be decided")
    else:
        say(f"{where} has your decision" + ("" if reply.awaiting else "; nothing is awaited now"))
    show_questions(run_id, reply.awaiting)


async def _only_approval(runs: Orchestrator, run_id: str) -> str:
    waiting = [question.node for question in await runs.awaiting(run_id) if question.kind == "approval"]
    if not waiting:
        raise NothingAwaitedError(f"no approval of `{run_id}` waits for a decision")
    if len(waiting) > 1:
        raise RequestError(f"several approvals wait: {', '.join(waiting[:10])}; name the one that is meant")
    return waiting[0]


async def _submit(session: Session, run_id: str, given: Message) -> SubmitReply:
    try:
        return await session.orchestrator.answer(run_id, given)
    except WorkerMissingError as error:
        again = f"Sent again with `--message-id {given.message_id}` the answer counts once"
        raise WorkerMissingError(f"{error.message}. {again}") from error


def _as_data(run_id: str, given: Message, reply: SubmitReply) -> None:
    data({"run_id": run_id, "message_id": given.message_id, **reply.model_dump(mode="json")})


def send(run_id: str, given: Message, *, as_json: bool) -> None:
    """Signal a message."""
    on_server(lambda session: session.orchestrator.send(run_id, given))
    if as_json:
        data({"run_id": run_id, "message_id": given.message_id, "status": "sent"})
    else:
        out(f"sent; `{command('progress', run_id)}` shows what became of it")


def cancel(run_id: str, *, as_json: bool) -> None:
    """Ask a run to cancel.

    Raises:
        NothingAwaitedError: It has ended.
    """

    async def work(session: Session) -> None:
        # The server takes it for a run that has ended, too, and does nothing.
        before = await session.orchestrator.summary(run_id)
        if before.closed is not None:
            raise NothingAwaitedError(f"the run `{run_id}` has ended: {before.status}")
        await session.orchestrator.cancel(run_id)

    on_server(work)
    if as_json:
        data({"run_id": run_id, "status": "cancelling"})
        return
    out(f"asked {run_id} to cancel: what is under way stops, finished nodes that have a `compensate` are undone, and")
    out(f"the `finally` nodes run; `{command('result', run_id)}` waits until it has ended")
