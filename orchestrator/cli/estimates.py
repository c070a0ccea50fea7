"""The command that says what a run would cost: ``estimate``. It needs no server."""

import typer

from orchestrator.cli import options

__all__ = ["register"]

EPILOG = """\b
Examples:
  orchestrator estimate triage
  orchestrator estimate definitions/triage.yaml -v message="My parcel is late" --json

Inputs that are not given count with their defaults, or as whatever fits the model. `run --estimate` shows the same,
and does not begin what costs more than it may."""


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(estimate)


def estimate(
    definition: options.DefinitionArgument,
    *,
    inputs: options.InputOption = None,
    value: options.Value = None,
    as_json: options.Json = False,
) -> None:
    """Print the least and the most that a run of a definition can cost."""
    from orchestrator.cli import estimating

    estimating.show(definition, inputs, value or (), as_json=as_json)
