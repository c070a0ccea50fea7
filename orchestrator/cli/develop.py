"""The command ``dev``."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["register"]

Port = Annotated[int | None, typer.Option("--port", min=1, max=64_535, help="Port of the server; else 7233.")]
UiPort = Annotated[int | None, typer.Option("--ui-port", min=1, max=65_535, help="Port of the Web UI; else 1000 more.")]
Db = Annotated[Path | None, typer.Option("--db", metavar="FILE", help="File that keeps the runs; else the settings'.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        epilog="Examples:\n\norchestrator dev\n\norchestrator dev --port 7300 --db /tmp/runs.db\n\n"
        "A server that is there already is used, and left running."
    )(dev)


def dev(*, port: Port = None, ui_port: UiPort = None, db: Db = None) -> None:
    """Run a server with its Web UI and a worker until Ctrl-C or SIGTERM. Runs are kept in a file."""
    from orchestrator.cli import serving  # noqa: PLC0415 - starts a client, which takes a second to import

    serving.serve(port, ui_port, db)
