"""Does what ``send``, ``answer`` and ``cancel`` ask for."""

from pydantic import ValidationError

from orchestrator.cli.output import data, out, say
from orchestrator.cli.render import label, show_questions
from orchestrator.cli.requests import read_json
from orchestrator.cli.session import Session, on_server
from orchestrator.contracts import Message, SubmitReply
from orchestrator.errors import RequestError

__all__ = ["answer", "cancel", "message", "send"]


def message(text: str | None, values: str | None, node: str | None, message_id: str | None) -> Message:
    """The message that the options make.

    Raises:
        RequestError: It is empty, or not well formed.
    """
    if text is None and values is None:
        raise RequestError("the message is empty: give TEXT, or --values JSON")
    found = None if values is None else read_json("--values", values)
    try:
        return Message(text=text, values=found, node=node, message_id=message_id)
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}") from error


def answer(run_id: str, given: Message, *, as_json: bool) -> None:
    """Submit an answer, and print what is awaited now."""

    async def submit(session: Session) -> SubmitReply:
        reply = await session.orchestrator.answer(run_id, given)
        # The reply leaves the run before its next node has started; a question that follows at once is known now.
        awaiting = await session.orchestrator.awaiting(run_id)
        return reply.model_copy(update={"awaiting": tuple(awaiting)})

    reply = on_server(submit)
    if as_json:
        data(reply.model_dump(mode="json"))
        return
    say(f"`{label(reply.node, reply.visit)}` has its answer" + ("" if reply.awaiting else "; nothing is awaited now"))
    show_questions(reply.awaiting)


def send(run_id: str, given: Message, *, as_json: bool) -> None:
    """Signal a message."""
    on_server(lambda session: session.orchestrator.send(run_id, given))
    _done(run_id, "sent", f"sent; `orchestrator progress {run_id}` shows what became of it", as_json=as_json)


def cancel(run_id: str, *, as_json: bool) -> None:
    """Ask a run to cancel."""
    on_server(lambda session: session.orchestrator.cancel(run_id))
    _done(
        run_id,
        "cancelling",
        f"asked {run_id} to cancel; `orchestrator result {run_id}` waits until it has",
        as_json=as_json,
    )


def _done(run_id: str, what: str, words: str, *, as_json: bool) -> None:
    if as_json:
        data({"run_id": run_id, "status": what})
    else:
        out(words)
