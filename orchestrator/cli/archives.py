"""Commands about the archive of model calls: ``archive list`` and ``archive show``."""

from typing import Annotated

import typer

from orchestrator.cli import options

__all__ = ["register"]

Run = Annotated[str | None, typer.Option("--run", metavar="RUN", help="Only calls of the run with this id.")]
Tenant = Annotated[
    str | None, typer.Option("--tenant", help="Only calls for this tenant; with it, fewer are looked at.")
]
Day = Annotated[
    str | None, typer.Option("--day", metavar="YYYY-MM-DD", help="Only calls of this day, in UTC; with it, fewer too.")
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=100_000, help="At most this many.")]
Names = Annotated[list[str], typer.Argument(metavar="NAME...", help="As `orchestrator archive list` prints them.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    family = typer.Typer(
        name="archive",
        help="Read what models were asked and answered, where ORCHESTRATOR_ARCHIVE keeps it.",
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog="\b\nExamples:\n  orchestrator archive list --run triage-1a2b3c4d\n"
        "  orchestrator archive show 'acme/2027/01/31/triage-1a2b3c4d/answer#1.1.1.1.9f86d081.json'\n\n"
        "docs/archive.md says what a document has in it.",
    )
    family.command(
        name="list",
        epilog="\b\nExamples:\n  orchestrator archive list --run triage-1a2b3c4d\n"
        "  orchestrator archive list --tenant acme --day 2027-01-31 --json",
    )(listed)
    family.command(
        name="show",
        epilog="\b\nExamples:\n"
        "  orchestrator archive show 'acme/2027/01/31/triage-1a2b3c4d/answer#1.1.1.1.9f86d081.json'\n"
        "  orchestrator archive list --run triage-1a2b3c4d | xargs orchestrator archive show",
    )(show)
    app.add_typer(family)


def listed(
    *, run: Run = None, tenant: Tenant = None, day: Day = None, limit: Limit = 1_000, as_json: options.Json = False
) -> None:
    """Print the names of calls that are in the archive, one a line."""
    from orchestrator.cli import archived

    archived.show_names(run, tenant, day, limit, as_json=as_json)


def show(names: Names) -> None:
    """Print calls that are in the archive as JSON, one document after the other, decrypted if they are encrypted."""
    from orchestrator.cli import archived

    archived.show_documents(names)
