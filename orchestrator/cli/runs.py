"""Commands that start runs: ``run`` and ``start``."""

from typing import Annotated, Any

import typer

from orchestrator.cli import options

__all__ = ["register"]

Embedded = Annotated[
    bool,
    typer.Option(
        "--embedded/--no-embedded",
        help="Without a server at the default address, start one for this run only (not when TEMPORAL_ADDRESS is set).",
    ),
]
RUN_EPILOG = """\b
Examples:
  orchestrator run definitions/hello.yaml -v name=Ada
  orchestrator run triage --input @ticket.json --answer "approve=yes"
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
    tenant: options.Tenant = None,
    user: options.User = None,
    conversation: options.Conversation = None,
    tag: options.Tag = None,
    timeout: options.Timeout = None,
    max_steps: options.Steps = None,
    max_parallel: options.Parallel = None,
    max_cost: options.Cost = None,
    embedded: Embedded = True,
    as_json: options.Json = False,
) -> None:
    """Run a definition to its end and print its result.

    Its progress is shown as it goes; its questions are asked at the terminal, or answered by --answer.
    """
    from orchestrator.cli import running

    context, limits = _about(tenant, user, conversation, tag), _limits(timeout, max_steps, max_parallel, max_cost)
    command = running.Command(definition, inputs, value or (), run_id, context, limits)
    raise typer.Exit(running.run(command, answer or (), may_embed=embedded, as_json=as_json))


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
    as_json: options.Json = False,
) -> None:
    """Start a run and print its id, without waiting for it."""
    from orchestrator.cli import running

    context, limits = _about(tenant, user, conversation, tag), _limits(timeout, max_steps, max_parallel, max_cost)
    command = running.Command(definition, inputs, value or (), run_id, context, limits)
    running.start(command, as_json=as_json)


def _about(tenant: str | None, user: str | None, conversation: str | None, tags: list[str] | None) -> dict[str, Any]:
    from orchestrator.cli.requests import pairs

    return {"tenant": tenant, "user": user, "conversation_id": conversation, "tags": pairs("--tag", tags or ())}


def _limits(timeout: str | None, steps: int | None, parallel: int | None, cost: float | None) -> dict[str, Any]:
    seconds: str | float | None = timeout
    if timeout is not None and timeout.replace(".", "", 1).isdecimal():
        seconds = float(timeout)
    return {"timeout": seconds, "steps": steps, "max_parallel": parallel, "cost_usd": cost}
