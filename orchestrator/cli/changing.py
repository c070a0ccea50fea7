"""Commands for definitions that change while runs go on: ``fork``, ``check-upgrade``, ``migrate`` and ``record``."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.cli.completing import definition_names

__all__ = ["register"]

At = Annotated[
    str,
    typer.Option(
        "--at",
        metavar="NODE[#VISIT][[ITEM]]",
        help="The first visit that is run anew: ask, ask#2, items[3], items#2[3], items[3].answer.",
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Change what is taken over: inputs.NAME, state.NAME or nodes.ID.FIELD. May be repeated.",
    ),
]
Definition = Annotated[
    str | None,
    typer.Option(
        "--definition",
        metavar="DEF",
        help="Go on with this one: a file, or NAME or NAME@VERSION.",
        autocompletion=definition_names,
    ),
]
Follow = Annotated[bool, typer.Option("--follow", "-f", help="Show its progress and its result, as `run` does.")]
NewDefinition = Annotated[
    str,
    typer.Argument(
        metavar="NEW",
        help="The new version: a file, or NAME or NAME@VERSION of one in the folder.",
        autocompletion=definition_names,
    ),
]
Against = Annotated[
    str, typer.Option("--against", metavar="running|last:N", help="Runs that go on, or the newest N of any status.")
]
To = Annotated[
    str,
    typer.Option(
        "--to",
        metavar="DEF",
        help="NAME@VERSION of one the worker can find, or a file.",
        autocompletion=definition_names,
    ),
]
CaseFile = Annotated[
    Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write it; else to standard output.")
]
CaseName = Annotated[str | None, typer.Option("--name", help="Name of the case; else the id of the run.")]

FORK_EPILOG = """\b
Examples:
  orchestrator fork triage-1a2b3c4d --at answer
  orchestrator fork triage-1a2b3c4d --at 'read[3].gist' --set inputs.urgency=4 --follow
  orchestrator fork triage-1a2b3c4d --at answer --definition definitions/triage.yaml

What is taken over was the other run's doing: if the fork fails later, it does not undo it."""
CHECK_EPILOG = """\b
Examples:
  orchestrator check-upgrade definitions/triage.yaml
  orchestrator check-upgrade triage@2.0.0 --against last:50 --json

Exit code 1 when a run is blocked, 0 when none is."""
MIGRATE_EPILOG = "\b\nExample:\n  orchestrator migrate triage-1a2b3c4d --to triage@2.0.0"
RECORD_EPILOG = """\b
Examples:
  orchestrator record triage-1a2b3c4d -o definitions/cases/triage-monday.yaml
  orchestrator record triage-1a2b3c4d > monday.yaml && orchestrator test monday.yaml"""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog=FORK_EPILOG)(fork)
    app.command(name="check-upgrade", epilog=CHECK_EPILOG)(check_upgrade)
    app.command(epilog=MIGRATE_EPILOG)(migrate)
    app.command(epilog=RECORD_EPILOG)(record)


def fork(  # noqa: PLR0913 - one parameter for each option
    run: options.RunArgument,
    *,
    at: At,
    changes: Set = None,
    definition: Definition = None,
    run_id: options.RunId = None,
    follow: Follow = False,
    answer: options.Answer = None,
    by: options.By = None,
    as_json: options.Json = False,
) -> None:
    """Start a run that takes over what another has finished.

    What comes before --at is taken over as it was recorded, neither run nor paid again; the rest is run. The new run is
    for whom the other was, within the same limits. Without --follow its id is printed.
    """
    from orchestrator.cli import forking

    command = forking.Command(run, at, changes or (), definition, run_id)
    if follow:
        raise typer.Exit(forking.follow(command, answer or (), by=by, as_json=as_json))
    forking.fork(command, as_json=as_json)


def check_upgrade(new: NewDefinition, *, against: Against = "running", as_json: options.Json = False) -> None:
    """Tell how far runs go the same way in a new version of their definition.

    Nothing is changed and nothing is run: what each run has done is played again on the new version. Each goes on the
    same path so far, fits from some node on, or is blocked.
    """
    from orchestrator.cli import upgrading

    raise typer.Exit(upgrading.check_upgrade(new, against=against, as_json=as_json))


def migrate(run: options.RunArgument, *, to: To, as_json: options.Json = False) -> None:
    """Move a run to another version of its definition, with its state.

    A run that does not fit is refused, and goes on as it was.
    """
    from orchestrator.cli import upgrading

    upgrading.migrate(run, to, as_json=as_json)


def record(run: options.RunArgument, *, output: CaseFile = None, name: CaseName = None) -> None:
    """Write a case from a run, for `test`.

    It has the run's inputs, what its nodes gave, what people said and when, and how it ended or stands.
    """
    from orchestrator.cli import recording

    recording.record(run, output=output, name=name)
