"""Commands about models: ``models`` and ``models test``. They need no server."""

from typing import Annotated

import typer

from orchestrator.cli import options

__all__ = ["register"]

Filter = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        "-f",
        metavar="TEXT",
        help="Only models with TEXT in the name, of the provider TEXT, or with the ability TEXT. May be repeated.",
    ),
]
Ready = Annotated[bool, typer.Option("--ready", help="Only models whose provider is configured.")]
ModelArgument = Annotated[
    str | None,
    typer.Argument(
        metavar="MODEL", help="A name of the list, or PROVIDER/NAME; else the first that is ready.", show_default=False
    ),
]
Patience = Annotated[float, typer.Option("--timeout", min=0.1, max=600, help="Most seconds to wait for the answer.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    family = typer.Typer(
        name="models",
        rich_markup_mode=None,
        epilog="\b\nExamples:\n  orchestrator models\n  orchestrator models --filter claude --filter tools\n"
        "  orchestrator models --ready --json\n\nMore models, prices and endpoints come from the file of "
        "ORCHESTRATOR_MODELS_FILE.",
    )
    family.callback(invoke_without_command=True)(models)
    family.command(
        name="test",
        epilog="\b\nExamples:\n  orchestrator models test\n  orchestrator models test openai/gpt-4o-mini\n\n"
        "It asks the real provider, which costs a fraction of a cent.",
    )(ask_one)
    app.add_typer(family)


def models(
    context: typer.Context, *, filters: Filter = None, ready: Ready = False, as_json: options.Json = False
) -> None:
    """List the models that definitions may name: windows, abilities, prices, and whether their provider has a key."""
    if context.invoked_subcommand is not None:
        return
    from orchestrator.cli import modelling

    modelling.list_models(filters or [], ready=ready, as_json=as_json)


def ask_one(model: ModelArgument = None, *, timeout: Patience = 60.0, as_json: options.Json = False) -> None:
    """Ask a model for one word, and show how long it took and what it cost."""
    from orchestrator.cli import modelling

    modelling.ask_one(model, timeout, as_json=as_json)
