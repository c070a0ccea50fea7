"""Commands about money: ``budgets``, ``budgets run``, ``open``, ``reconcile`` and ``prune``."""

from typing import Annotated

import typer

from orchestrator.cli import options
from orchestrator.errors import RequestError

__all__ = ["register"]

Prefix = Annotated[
    str,
    typer.Option("--scope", metavar="BEGINNING", help="Only scopes that begin so: tenant:acme, user:, run:."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, max=10_000, help="At most this many.")]
AnyAge = Annotated[str | None, typer.Option("--older-than", metavar="10m", help="Only calls that began so long ago.")]
OlderThan = Annotated[
    str, typer.Option("--older-than", metavar="1h", help="Only calls that began so long ago; 1m or more.")
]
Book = Annotated[bool, typer.Option("--book", help="Count what was set aside as spent: it may have been charged.")]
Release = Annotated[bool, typer.Option("--release", help="Give it back: the provider's bill does not have them.")]
Missing = Annotated[
    bool, typer.Option("--missing", help="Also calls of runs that the namespace does not have (any more).")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask first.")]
Ended = Annotated[str, typer.Option("--older-than", metavar="90d", help="Only what ended so long ago; 1d or more.")]
Delete = Annotated[bool, typer.Option("--yes", "-y", help="Delete it; without this it is only counted.")]
RECONCILE_EPILOG = """\b
Examples:
  orchestrator budgets reconcile --book
  orchestrator budgets reconcile --release --older-than 1d --yes

Calls that a worker may be making at this moment are left alone: Temporal is asked which those are. So are calls of runs
that the namespace of TEMPORAL_NAMESPACE does not have, unless --missing is given.
"""
PRUNE_EPILOG = """\b
Examples:
  orchestrator budgets prune
  orchestrator budgets prune --older-than 30d --yes

Calls of runs that are open stay, and what runs, users, tenants … have spent in all. Sums of single days go with them.
"""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    family = typer.Typer(
        name="budgets",
        rich_markup_mode=None,
        epilog="\b\nExamples:\n  orchestrator budgets\n  orchestrator budgets --scope tenant:acme --json\n"
        "  orchestrator budgets run triage-1a2b3c4d\n\nThe ledger is in the database of ORCHESTRATOR_STORAGE_URL.",
    )
    family.callback(invoke_without_command=True)(budgets)
    family.command(name="run", epilog="\b\nExample:\n  orchestrator budgets run triage-1a2b3c4d")(of_run)
    family.command(name="open", epilog="\b\nExample:\n  orchestrator budgets open --older-than 10m")(open_calls)
    family.command(name="reconcile", epilog=RECONCILE_EPILOG)(reconcile)
    family.command(name="prune", epilog=PRUNE_EPILOG)(prune)
    app.add_typer(family)


def budgets(context: typer.Context, *, scope: Prefix = "", limit: Limit = 100, as_json: options.Json = False) -> None:
    """Show what runs, users, tenants … have spent on models, and what calls under way have set aside."""
    if context.invoked_subcommand is not None:
        return
    from orchestrator.cli import accounting

    accounting.show_scopes(scope, limit, as_json=as_json)


def of_run(run: options.RunArgument, *, limit: Limit = 1_000, as_json: options.Json = False) -> None:
    """Show each model call of a run: node, attempt, tokens and cost."""
    from orchestrator.cli import accounting

    accounting.show_run(run, limit, as_json=as_json)


def open_calls(*, older_than: AnyAge = None, limit: Limit = 1_000, as_json: options.Json = False) -> None:
    """List calls whose money is set aside: they are under way, or their worker died."""
    from orchestrator.cli import accounting

    accounting.show_open(older_than, limit, as_json=as_json)


def reconcile(
    *,
    book: Book = False,
    release: Release = False,
    older_than: OlderThan = "1h",
    missing: Missing = False,
    yes: Yes = False,
    as_json: options.Json = False,
) -> None:
    """End calls that nobody has ended, because their worker died.

    What was set aside for them stays so until somebody says what became of it.
    """
    from orchestrator.cli import reconciling

    if book == release:
        raise RequestError("say what becomes of them with one of --book and --release")
    how = "book" if book else "release"
    raise typer.Exit(reconciling.reconcile(how, older_than, missing=missing, yes=yes, as_json=as_json))


def prune(*, older_than: Ended = "90d", yes: Delete = False, as_json: options.Json = False) -> None:
    """Delete calls that ended long ago from the ledger, which grows with every call else."""
    from orchestrator.cli import pruning

    pruning.prune_ledger(older_than, yes=yes, as_json=as_json)
