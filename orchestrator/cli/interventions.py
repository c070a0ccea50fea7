"""Commands that step into a run: ``pause``, ``resume``, ``resolve`` and ``approve``."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.completing import definition_names, run_ids
from orchestrator.errors import RequestError

__all__ = ["register"]

NodeArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="NODE", help="The node, inside an item by its path: items[3].answer; else every parked one."
    ),
]
ApprovalArgument = Annotated[
    str | None, typer.Argument(metavar="NODE", help="The node that asks; not needed where only one does.")
]
SomeRun = Annotated[
    str | None, typer.Argument(metavar="RUN", help="Id of the run; none with --all.", autocompletion=run_ids)
]
Variable = Annotated[
    list[str] | None,
    typer.Option("--value", "-v", metavar="KEY=VALUE", help="A new value of shared state. May be repeated."),
]
Retry = Annotated[bool, typer.Option("--retry", help="Try again.")]
Override = Annotated[
    str | None, typer.Option("--override", metavar="JSON|@FILE|@-", help="Go on with this output, a JSON object.")
]
Skip = Annotated[bool, typer.Option("--skip", help="Go on as if no way led to it.")]
Fail = Annotated[bool, typer.Option("--fail", help="Let it fail: the run undoes, cleans up and ends.")]
Config = Annotated[
    str | None,
    typer.Option("--config", metavar="JSON|@FILE|@-", help="With --retry: fields of its config that are to change."),
]
Inputs = Annotated[
    str | None,
    typer.Option("--inputs", metavar="JSON|@FILE|@-", help="With --retry: inputs that are to change from now on."),
]
MoreCost = Annotated[
    float | None,
    typer.Option("--max-cost", min=0, metavar="DOLLARS", help="With --retry: the run's own cap from now on."),
]
Everything = Annotated[bool, typer.Option("--all", help="Every run that needs attention, in place of RUN.")]
Definition = Annotated[
    str | None,
    typer.Option("--definition", help="With --all: only runs of this definition.", autocompletion=definition_names),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="With --all: at most this many runs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="With --all: do not ask first.")]
Approve = Annotated[bool, typer.Option("--approve", help="Yes, as proposed.")]
Reject = Annotated[bool, typer.Option("--reject", help="No.")]
Modify = Annotated[str | None, typer.Option("--modify", metavar="JSON|@FILE|@-", help="Yes, with this instead.")]
Defer = Annotated[
    str | None, typer.Option("--defer", metavar="2h|DATE", help="Later: after that long, or at that date.")
]

RESOLVE_EPILOG = """\b
Examples:
  orchestrator resolve hello-1a2b3c4d --retry
  orchestrator resolve hello-1a2b3c4d search --retry --config '{"url": "https://other.example"}'
  orchestrator resolve hello-1a2b3c4d 'items[3].answer' --override '{"text": "none"}' --by ada --comment "by hand"
  orchestrator resolve hello-1a2b3c4d --retry --max-cost 2.50
  orchestrator resolve --all --definition hello --retry

With --all the runs are shown first, and you are asked. Repeating is safe: what is no longer parked is left alone.
"""
APPROVE_EPILOG = """\b
Examples:
  orchestrator approve hello-1a2b3c4d --approve --by ada
  orchestrator approve hello-1a2b3c4d review --reject --comment "too long"
  orchestrator approve hello-1a2b3c4d --modify '{"text": "Dear Ada"}'
  orchestrator approve hello-1a2b3c4d --defer 2h"""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog="\b\nExample:\n  orchestrator pause hello-1a2b3c4d")(pause)
    app.command(
        epilog="\b\nExamples:\n  orchestrator resume hello-1a2b3c4d\n"
        "  orchestrator resume hello-1a2b3c4d -v tone=formal"
    )(resume)
    app.command(epilog=RESOLVE_EPILOG)(resolve)
    app.command(epilog=APPROVE_EPILOG)(approve)


def pause(run: options.RunArgument, *, as_json: options.Json = False) -> None:
    """Pause a run.

    What is under way finishes, and nothing new starts until `resume`. Answers are kept, and deadlines go on.
    """
    from orchestrator.cli import pausing

    pausing.pause(run, as_json=as_json)


def resume(run: options.RunArgument, *, value: Variable = None, as_json: options.Json = False) -> None:
    """End the pause of a run.

    Values of its shared state can be changed with it; one that does not fit leaves the run paused.
    """
    from orchestrator.cli import pausing

    pausing.resume(run, value or (), as_json=as_json)


def resolve(  # noqa: PLR0913 - one parameter for each option
    run: SomeRun = None,
    node: NodeArgument = None,
    *,
    retry: Retry = False,
    override: Override = None,
    skip: Skip = False,
    fail: Fail = False,
    config: Config = None,
    inputs: Inputs = None,
    max_cost: MoreCost = None,
    by: options.By = None,
    comment: options.Comment = None,
    everything: Everything = False,
    definition: Definition = None,
    limit: Limit = 100,
    yes: Yes = False,
    as_json: options.Json = False,
) -> None:
    """Say what becomes of a parked node.

    A node that has failed for good is parked, and waits for this. `status` shows the parked nodes of a run,
    `list --status needs_attention` the runs that have some.
    """
    from orchestrator.cli import resolving

    request = resolving.request_for(
        node,
        retry=retry,
        override=override,
        skip=skip,
        fail=fail,
        config=config,
        inputs=inputs,
        max_cost=max_cost,
        by=by,
        comment=comment,
    )
    if everything:
        if run is not None:
            raise RequestError("give RUN, or --all, not both")
        raise typer.Exit(resolving.resolve_all(request, name=definition, limit=limit, yes=yes, as_json=as_json))
    if run is None:
        raise RequestError("which run? Give RUN, or --all")
    if definition is not None or yes:
        raise RequestError("--definition and --yes go with --all only")
    resolving.resolve(run, request, as_json=as_json)


def approve(  # noqa: PLR0913 - one parameter for each option
    run: options.RunArgument,
    node: ApprovalArgument = None,
    *,
    yes: Approve = False,
    no: Reject = False,
    modify: Modify = None,
    defer: Defer = None,
    by: options.By = None,
    comment: options.Comment = None,
    message_id: options.MessageId = None,
    as_json: options.Json = False,
) -> None:
    """Decide on an approval that a run waits for.

    `status` shows what is proposed, and who may decide. The decision is checked; what the run asks next is printed.
    """
    from orchestrator.cli import telling

    given = telling.decision(
        approve=yes, reject=no, modify=modify, defer=defer, node=node, by=by, comment=comment, message_id=message_id
    )
    telling.approve(run, given, as_json=as_json)
