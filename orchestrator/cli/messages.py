"""Commands that talk to a run: ``send``, ``answer`` and ``cancel``."""

import typer

from orchestrator.cli import options

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        epilog='\b\nExamples:\n  orchestrator answer hello-1a2b3c4d "yes"\n'
        '  orchestrator answer hello-1a2b3c4d --node details --values \'{"order_id": "AB123456"}\' --by ada'
    )(answer)
    app.command(epilog='\b\nExample:\n  orchestrator send hello-1a2b3c4d "yes" --message-id m-1')(send)
    app.command(epilog="\b\nExample:\n  orchestrator cancel hello-1a2b3c4d")(cancel)


def answer(
    run: options.RunArgument,
    text: options.MessageText = None,
    *,
    values: options.MessageValues = None,
    node: options.MessageNode = None,
    message_id: options.MessageId = None,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Answer a question of a run.

    The answer is checked; what the run asks next is printed. `approve` decides on an approval.
    """
    from orchestrator.cli import telling

    telling.answer(run, telling.message(text, values, node, message_id, by), as_json=as_json)


def send(
    run: options.RunArgument,
    text: options.MessageText = None,
    *,
    values: options.MessageValues = None,
    node: options.MessageNode = None,
    message_id: options.MessageId = None,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Send a message to a run, unchecked.

    The run keeps it until a question waits for it; `progress` shows it as REJECTED when it cannot be used.
    """
    from orchestrator.cli import telling

    telling.send(run, telling.message(text, values, node, message_id, by), as_json=as_json)


def cancel(run: options.RunArgument, *, as_json: options.Json = False) -> None:
    """Ask a run to cancel.

    It stops what is under way, undoes finished nodes that have a `compensate` node, runs its `finally` nodes, and ends.
    """
    from orchestrator.cli import telling

    telling.cancel(run, as_json=as_json)
