"""The command ``demo``."""

import typer

from orchestrator.cli import options

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog='Examples:\n\norchestrator demo\n\norchestrator demo --answer "no"')(demo)


def demo(*, answer: options.Answer = None, as_json: options.Json = False) -> None:
    """Run definitions/demo.yaml on a real server: no key, no Docker, nothing to set up."""
    from orchestrator.cli import demonstration  # noqa: PLC0415 - starts a client, which takes a second to import

    raise typer.Exit(demonstration.demo(answer or (), as_json=as_json))
