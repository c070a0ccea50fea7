"""Commands that look at runs: ``status``, ``progress``, ``result``, ``state`` and ``list``."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.statuses import ListedStatus

__all__ = ["register"]

After = Annotated[int, typer.Option("--after", min=0, help="Only events with a higher number than this.")]
Status = Annotated[ListedStatus | None, typer.Option("--status", help="Only runs with this status.")]
Name = Annotated[str | None, typer.Option("--name", help="Only runs of this definition.")]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog="\b\nExample:\n  orchestrator status hello-1a2b3c4d --json")(status)
    app.command(
        epilog="\b\nExamples:\n  orchestrator progress hello-1a2b3c4d --follow\n"
        "  orchestrator progress hello-1a2b3c4d --after 12 --json\n\n"
        "With --follow, --json prints one event per line."
    )(progress)
    app.command(
        epilog="\b\nExamples:\n  orchestrator result hello-1a2b3c4d\n"
        "  orchestrator result hello-1a2b3c4d --no-wait --json\n\n"
        "The exit code is that of the run: 0 completed, 1 not; with --no-wait also 6 when it waits for an answer, and "
        "7 when it needs attention."
    )(result)
    app.command(epilog="\b\nExample:\n  orchestrator state hello-1a2b3c4d")(state)
    app.command(
        name="list",
        epilog="\b\nExamples:\n  orchestrator list --status awaiting_input --limit 10\n"
        "  orchestrator list --status needs_attention --json",
    )(list_runs)


def status(run: options.RunArgument, *, as_json: options.Json = False) -> None:
    """Show where a run stands and what it waits for.

    Open questions, approvals and parked nodes are shown with the commands to type about them.
    """
    from orchestrator.cli import looking

    looking.status(run, as_json=as_json)


def progress(
    run: options.RunArgument,
    *,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run has ended.")] = False,
    after: After = 0,
    as_json: options.Json = False,
) -> None:
    """Show the events of a run."""
    from orchestrator.cli import looking

    looking.progress(run, after=after, follow=follow, as_json=as_json)


def result(
    run: options.RunArgument,
    *,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until the run has ended.")] = True,
    as_json: options.Json = False,
) -> None:
    """Wait for the result of a run and print it.

    With --no-wait, print how the run stands.
    """
    from orchestrator.cli import looking

    raise typer.Exit(looking.result(run, wait=wait, as_json=as_json))


def state(run: options.RunArgument) -> None:
    """Print everything a run knows, as JSON.

    Each node's status and output, shared state, inputs, and the result so far.
    """
    from orchestrator.cli import looking

    looking.state(run)


def list_runs(*, status: Status = None, name: Name = None, limit: Limit = 50, as_json: options.Json = False) -> None:
    """List the newest runs. The server's index may lag by a moment.

    With --status needs_attention each run is asked what is wrong, and since when.
    """
    from orchestrator.cli import listing

    listing.list_runs(status=status, name=name, limit=limit, as_json=as_json)
