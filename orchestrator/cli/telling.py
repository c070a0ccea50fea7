"""Does what ``send``, ``answer`` and ``cancel`` ask for."""

from pydantic import ValidationError

from orchestrator.cli.answers import new_message_id
from orchestrator.cli.output import data, out, say
from orchestrator.cli.render import show_questions
from orchestrator.cli.requests import read_json
from orchestrator.cli.session import Session, on_server
from orchestrator.contracts import Message, SubmitReply, visit_label
from orchestrator.errors import RequestError, WorkerMissingError

__all__ = ["answer", "cancel", "message", "send"]


def message(text: str | None, values: str | None, node: str | None, message_id: str | None) -> Message:
    """The message that the options make; without ``message_id`` it gets one, to count once if it is sent again.

    Raises:
        RequestError: It is empty, or not well formed.
    """
    if text is None and values is None:
        raise RequestError("the message is empty: give TEXT, or --values JSON")
    found = None if values is None else read_json("--values", values)
    message_id = new_message_id() if message_id is None else message_id
    try:
        return Message(text=text, values=found, node=node, message_id=message_id)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def answer(run_id: str, given: Message, *, as_json: bool) -> None:
    """Submit an answer, and print what is awaited now."""

    async def submit(session: Session) -> SubmitReply:
        try:
            return await session.orchestrator.answer(run_id, given)
        except WorkerMissingError as error:
            again = f"Sent again with `--message-id {given.message_id}` the answer counts once"
            raise WorkerMissingError(f"{error.message}. {again}") from error

    reply = on_server(submit)
    if as_json:
        data({"run_id": run_id, "message_id": given.message_id, **reply.model_dump(mode="json")})
        return
    say(
        f"`{visit_label(reply.node, reply.visit)}` has its answer"
        + ("" if reply.awaiting else "; nothing is awaited now")
    )
    show_questions(reply.awaiting)


def send(run_id: str, given: Message, *, as_json: bool) -> None:
    """Signal a message."""
    on_server(lambda session: session.orchestrator.send(run_id, given))
    if as_json:
        data({"run_id": run_id, "message_id": given.message_id, "status": "sent"})
    else:
        out(f"sent; `orchestrator progress {run_id}` shows what became of it")


def cancel(run_id: str, *, as_json: bool) -> None:
    """Ask a run to cancel."""
    on_server(lambda session: session.orchestrator.cancel(run_id))
    if as_json:
        data({"run_id": run_id, "status": "cancelling"})
    else:
        out(f"asked {run_id} to cancel; `orchestrator result {run_id}` waits until it has")
