"""Commands that look at runs: ``status``, ``progress``, ``watch``, ``stream``, ``result``, ``state`` and ``list``."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.completing import definition_names
from orchestrator.statuses import ListedStatus

__all__ = ["register"]

After = Annotated[int, typer.Option("--after", min=0, help="Only events with a higher number than this.")]
Status = Annotated[ListedStatus | None, typer.Option("--status", help="Only runs with this status.")]
Name = Annotated[
    str | None, typer.Option("--name", help="Only runs of this definition.", autocompletion=definition_names)
]
Tenant = Annotated[str | None, typer.Option("--tenant", help="Only runs for this tenant.")]
Since = Annotated[str | None, typer.Option("--since", metavar="2h|DATE", help="Only runs that started then or later.")]
Until = Annotated[str | None, typer.Option("--until", metavar="2h|DATE", help="Only runs that started before.")]
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
        epilog="\b\nExamples:\n  orchestrator watch hello-1a2b3c4d --by ada\n"
        "  orchestrator watch hello-1a2b3c4d | tee events.txt\n\n"
        "Keys: arrows move, a answers or decides, r resolves, p pauses, c resumes, q leaves."
    )(watch)
    app.command(
        epilog="\b\nExamples:\n  orchestrator stream hello-1a2b3c4d\n"
        "  orchestrator stream hello-1a2b3c4d --after 1795287016123457 --json\n\n"
        "With --json it prints a record per line, with its id: DELTA, SUPERSEDED, FINISHED or LOST (docs/streaming.md)."
    )(stream)
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
        "  orchestrator list --name triage --tenant acme --since 2h\n"
        "  orchestrator list --since 2027-01-31 --until 2027-02-01T12:00:00Z\n"
        "  orchestrator list --status needs_attention --json\n\n"
        "A date without an offset is in UTC.",
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


def watch(run: options.RunArgument, *, by: options.By = None, as_json: options.Json = False) -> None:
    """Watch a run live, and answer and resolve in it.

    Leaving with q leaves the run alone. Where the output is not a terminal, or with --json, it prints events line by
    line, as `progress --follow` does.
    """
    from orchestrator.cli.live import opening

    raise typer.Exit(opening.watch(run, by=by, as_json=as_json))


def stream(
    run: options.RunArgument,
    *,
    after: Annotated[int, typer.Option("--after", min=0, help="Only records with a higher id than this.")] = 0,
    as_json: options.Json = False,
) -> None:
    """Print what the models of a run write, as they write it, until the run has ended.

    One node after the other; what another one writes meanwhile comes after it. What a worker wrote that died begins
    again when another one takes over.
    """
    from orchestrator.cli import streaming

    streaming.stream(run, after=after, as_json=as_json)


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


def list_runs(
    *,
    status: Status = None,
    name: Name = None,
    tenant: Tenant = None,
    since: Since = None,
    until: Until = None,
    limit: Limit = 50,
    as_json: options.Json = False,
) -> None:
    """List the newest runs. The server's index may lag by a moment.

    With --status needs_attention each run is asked what is wrong, and since when.
    """
    from orchestrator.cli import listing

    choice = listing.Choice(
        name=name,
        tenant=tenant,
        since=listing.moment("--since", since),
        until=listing.moment("--until", until),
        limit=limit,
    )
    listing.list_runs(choice, status=status, as_json=as_json)
