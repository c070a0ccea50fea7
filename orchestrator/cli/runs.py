"""Commands that start runs: ``run`` and ``start``."""

from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.cli import options

if TYPE_CHECKING:
    from orchestrator.cli.running import Command

__all__ = ["register"]

Embedded = Annotated[
    bool,
    typer.Option(
        "--embedded/--no-embedded",
        help="Without a server at the default address, start one for this run only (not when TEMPORAL_ADDRESS is set).",
    ),
]
Estimate = Annotated[
    bool,
    typer.Option("--estimate", help="First tell what it costs; do not begin if even the least is over its cap."),
]
RUN_EPILOG = """\b
Examples:
  orchestrator run definitions/hello.yaml -v name=Ada
  orchestrator run triage --input @ticket.json --answer "approve=yes" --by ada
  echo '{"name": "Ada"}' | orchestrator run hello --input @- --json

The value of -v is read as JSON where the input's type asks for a number, a truth value, an object or a list."""
START_EPILOG = """\b
Examples:
  orchestrator start triage -v message="My parcel is late" --id ticket-7
  RUN=$(orchestrator start hello -v name=Ada); orchestrator progress $RUN --follow"""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog=RUN_EPILOG)(run)
    app.command(epilog=START_EPILOG)(start)


def run(  # noqa: PLR0913 - one parameter for each option
    definition: options.DefinitionArgument,
    *,
    inputs: options.InputOption = None,
    value: options.Value = None,
    run_id: options.RunId = None,
    answer: options.Answer = None,
    by: options.By = None,
    tenant: options.Tenant = None,
    user: options.User = None,
    conversation: options.Conversation = None,
    tag: options.Tag = None,
    timeout: options.Timeout = None,
    max_steps: options.Steps = None,
    max_parallel: options.Parallel = None,
    max_cost: options.Cost = None,
    estimate: Estimate = False,
    embedded: Embedded = True,
    as_json: options.Json = False,
) -> None:
    """Run a definition to its end and print its result.

    Its progress is shown as it goes; its questions and approvals are asked at the terminal, or answered by --answer.
    When a node has failed for good, what to type about it is shown.
    """
    from orchestrator.cli import running

    context, limits = (tenant, user, conversation, tag), (timeout, max_steps, max_parallel, max_cost)
    command = _command(definition, inputs, value, run_id, context, limits)
    code = running.run(command, answer or (), by=by, may_embed=embedded, estimate=estimate, as_json=as_json)
    raise typer.Exit(code)


def start(  # noqa: PLR0913 - one parameter for each option
    definition: options.DefinitionArgument,
    *,
    inputs: options.InputOption = None,
    value: options.Value = None,
    run_id: options.RunId = None,
    tenant: options.Tenant = None,
    user: options.User = None,
    conversation: options.Conversation = None,
    tag: options.Tag = None,
    timeout: options.Timeout = None,
    max_steps: options.Steps = None,
    max_parallel: options.Parallel = None,
    max_cost: options.Cost = None,
    estimate: Estimate = False,
    as_json: options.Json = False,
) -> None:
    """Start a run and print its id, without waiting for it."""
    from orchestrator.cli import running

    context, limits = (tenant, user, conversation, tag), (timeout, max_steps, max_parallel, max_cost)
    command = _command(definition, inputs, value, run_id, context, limits)
    running.start(command, estimate=estimate, as_json=as_json)


def _command(
    definition: str,
    inputs: str | None,
    values: list[str] | None,
    run_id: str | None,
    context: tuple[str | None, str | None, str | None, list[str] | None],
    limits: tuple[str | None, int | None, int | None, float | None],
) -> "Command":
    """What ``run`` and ``start`` have in common; ``context`` and ``limits`` in the order of their options."""
    from orchestrator.cli.requests import pairs
    from orchestrator.cli.running import Command

    (tenant, user, conversation, tags), (timeout, steps, parallel, cost) = context, limits
    seconds: str | float | None = timeout
    if timeout is not None and timeout.replace(".", "", 1).isdecimal():
        seconds = float(timeout)
    return Command(
        definition,
        inputs,
        values or (),
        run_id,
        {"tenant": tenant, "user": user, "conversation_id": conversation, "tags": pairs("--tag", tags or ())},
        {"timeout": seconds, "steps": steps, "max_parallel": parallel, "cost_usd": cost},
    )
