"""Commands about the storage: ``storage downgrade``."""

from typing import Annotated

import typer

__all__ = ["register"]

To = Annotated[
    str, typer.Option("--to", metavar="TABLES", help="As its changelog calls them: those of release 0.1.0 are 0003.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it; without, only what would be lost is told.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    family = typer.Typer(
        name="storage",
        help="Look after the database of ORCHESTRATOR_STORAGE_URL: money, kept answers and streams.",
        no_args_is_help=True,
        rich_markup_mode=None,
        epilog="\b\nExamples:\n  orchestrator storage downgrade --to 0003\n\n"
        "docs/deployment.md says when that is needed.",
    )
    # Or typer takes the only command of a family for the family itself.
    family.callback()(lambda: None)
    family.command(
        name="downgrade",
        epilog="\b\nExamples:\n  orchestrator storage downgrade --to 0003\n"
        "  orchestrator storage downgrade --to 0003 --yes",
    )(back)
    app.add_typer(family)


def back(to: To, *, yes: Yes = False) -> None:
    """Bring the tables back to those of an older release, while no worker is there."""
    from orchestrator.cli import downgrading

    downgrading.bring_back(to, yes=yes)
