"""Commands that talk to a run: ``send``, ``answer`` and ``cancel``."""

import typer

from orchestrator.cli import options

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        epilog='Examples:\n\norchestrator answer hello-1a2b3c4d "yes"\n\n'
        'orchestrator answer hello-1a2b3c4d --node details --values \'{"order_id": "AB123456"}\''
    )(answer)
    app.command(epilog='Example:\n\norchestrator send hello-1a2b3c4d "yes" --message-id m-1')(send)
    app.command(epilog="Example:\n\norchestrator cancel hello-1a2b3c4d")(cancel)


def answer(  # noqa: PLR0913 - one parameter for each option
    run: options.RunArgument,
    text: options.MessageText = None,
    *,
    values: options.MessageValues = None,
    node: options.MessageNode = None,
    message_id: options.MessageId = None,
    as_json: options.Json = False,
) -> None:
    """Answer a question of a run: the answer is checked, and what the run asks next is printed."""
    from orchestrator.cli import telling  # noqa: PLC0415 - starts a client, which takes a second to import

    telling.answer(run, telling.message(text, values, node, message_id), as_json=as_json)


def send(  # noqa: PLR0913 - one parameter for each option
    run: options.RunArgument,
    text: options.MessageText = None,
    *,
    values: options.MessageValues = None,
    node: options.MessageNode = None,
    message_id: options.MessageId = None,
    as_json: options.Json = False,
) -> None:
    """Send a message without waiting: the run keeps it until a question fits; `progress` shows if none does."""
    from orchestrator.cli import telling  # noqa: PLC0415 - starts a client, which takes a second to import

    telling.send(run, telling.message(text, values, node, message_id), as_json=as_json)


def cancel(run: options.RunArgument, *, as_json: options.Json = False) -> None:
    """Ask a run to cancel. It stops what is under way and ends."""
    from orchestrator.cli import telling  # noqa: PLC0415 - starts a client, which takes a second to import

    telling.cancel(run, as_json=as_json)
