"""The command ``test``: runs the cases that authors write for their definitions."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import options

__all__ = ["register"]

Files = Annotated[list[Path], typer.Argument(metavar="FILE…", help="Files of cases, or folders of them.")]
Names = Annotated[list[str] | None, typer.Option("--case", metavar="NAME", help="Only this case. May be repeated.")]
Sweep = Annotated[
    bool, typer.Option("--kill-sweep", help="Run each case again, its worker ended after every step, and compare.")
]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        name="test",
        epilog="\b\nExamples:\n  orchestrator test definitions/cases\n"
        "  orchestrator test triage.cases.yaml --case 'a refund' --kill-sweep\n\n"
        "Waiting takes no time: the server's clock skips over it. Exit code 1 when a case fails.",
    )(run_cases)


def run_cases(files: Files, *, case: Names = None, kill_sweep: Sweep = False, as_json: options.Json = False) -> None:
    """Run cases written in YAML, with virtual time and mocked nodes."""
    from orchestrator.cli import cases

    raise typer.Exit(cases.test(files, names=case or (), kill_sweep=kill_sweep, as_json=as_json))
