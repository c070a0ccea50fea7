"""The command ``demo``."""

import typer

from orchestrator.cli import options

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog='\b\nExamples:\n  orchestrator demo\n  orchestrator demo --answer "no"')(demo)


def demo(*, answer: options.Answer = None, as_json: options.Json = False) -> None:
    """Run definitions/demo.yaml: no key, no Docker needed.

    Starts a server with its Web UI, a worker and a small web service, all in this process or its children.
    """
    from orchestrator.cli import demonstration

    raise typer.Exit(demonstration.demo(answer or (), as_json=as_json))
