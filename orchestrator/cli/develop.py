"""Commands about the installation: ``dev``, ``worker``, ``register`` and ``doctor``."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import options

__all__ = ["register"]

CheckTimeout = Annotated[
    float, typer.Option("--timeout", min=0.1, max=60, metavar="SECONDS", help="The most that a check may take.")
]

Port = Annotated[int | None, typer.Option("--port", min=1, max=64_535, help="Port of the server; else 7233.")]
UiPort = Annotated[int | None, typer.Option("--ui-port", min=1, max=65_535, help="Port of the Web UI; else 1000 more.")]
Db = Annotated[Path | None, typer.Option("--db", metavar="FILE", help="File that keeps the runs; else the settings'.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        epilog="\b\nExamples:\n  orchestrator dev\n  orchestrator dev --port 7300 --db /tmp/runs.db\n\n"
        "A server that is there already is used, and left running."
    )(dev)
    app.command(
        epilog="\b\nExamples:\n  orchestrator worker\n"
        "  TEMPORAL_ADDRESS=temporal.example:7233 ORCHESTRATOR_DEFINITIONS_DIR=flows orchestrator worker\n\n"
        "Exit code 0 after an orderly stop, 1 when it could not go on, 2 for a wrong setting, 3 when no server answers."
    )(worker)
    app.command(
        name="register",
        epilog="\b\nExamples:\n  orchestrator register\n"
        "  TEMPORAL_ADDRESS=temporal.example:7233 orchestrator register\n\n"
        "Once for each server and namespace; again it changes nothing. `dev` and `demo` do it themselves.",
    )(register_attributes)
    app.command(
        epilog="\b\nExamples:\n  orchestrator doctor\n  orchestrator doctor --json --timeout 2\n\n"
        "Exit code 1 when a check fails, 0 when none does: warnings are no failures. No secret is shown."
    )(doctor)


def dev(*, port: Port = None, ui_port: UiPort = None, db: Db = None) -> None:
    """Run a server, its Web UI and a worker until stopped.

    Ctrl-C or SIGTERM stops them: nodes in flight may finish first. Runs are kept in a file.
    """
    from orchestrator.cli import serving

    serving.serve(port, ui_port, db)


def worker() -> None:
    """Run a worker until stopped, and no server.

    For production and containers; settings come from the environment. SIGTERM or Ctrl-C stops it: nodes in flight may
    finish first.
    """
    import worker as process

    raise typer.Exit(process.main())


def doctor(*, timeout: CheckTimeout = 5.0, as_json: options.Json = False) -> None:
    """Check what is there, what is missing, and how to mend it.

    Server, workers, search attributes, definitions, folders, keys, and every service that the settings name. Nothing is
    changed.
    """
    from orchestrator.cli.doctor import diagnosing

    raise typer.Exit(diagnosing.doctor(timeout, as_json=as_json))


def register_attributes(*, as_json: options.Json = False) -> None:
    """Register the search attributes that the server lacks.

    Without them runs go on, but `list` cannot choose by definition or status.
    """
    from orchestrator.cli import registering

    registering.register(as_json=as_json)
