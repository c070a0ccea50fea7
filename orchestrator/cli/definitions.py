"""Commands about definitions: ``validate``, ``graph``, ``nodes`` and ``new``. They need no server."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from orchestrator.cli import options
from orchestrator.cli.completing import definition_names, node_types
from orchestrator.cli.templates import TEMPLATES

__all__ = ["register"]

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE…", help="Definitions, or the names of some in the folder.", autocompletion=definition_names
    ),
]
Format = Annotated[Literal["mermaid", "text"], typer.Option("--format", help="How to draw it.")]
TypeArgument = Annotated[
    str | None, typer.Argument(metavar="TYPE", help="A node type; else all of them.", autocompletion=node_types)
]
NewName = Annotated[str, typer.Argument(metavar="NAME", help="Name of the definition: small letters, digits, dashes.")]
Template = Annotated[str, typer.Option("--template", "-t", help=f"What to begin with: {', '.join(TEMPLATES)}.")]
Folder = Annotated[Path | None, typer.Option("--dir", help="Folder to write to; else that of the definitions.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(
        epilog="\b\nExamples:\n  orchestrator validate definitions/*.yaml\n  orchestrator validate flow.yaml --json\n\n"
        "Every problem is listed, with its code, line and column. Exit code 4 when there is one."
    )(validate)
    app.command(epilog="\b\nExample:\n  orchestrator graph definitions/demo.yaml --format text")(graph)
    app.command(epilog="\b\nExamples:\n  orchestrator nodes\n  orchestrator nodes HttpRequest")(nodes)
    app.command(epilog="\b\nExample:\n  orchestrator new greeting && orchestrator run greeting -v name=Ada")(new)


def validate(files: Files, *, as_json: options.Json = False) -> None:
    """Check definitions and list every problem."""
    from orchestrator.cli import authoring

    raise typer.Exit(authoring.validate(files, as_json=as_json))


def graph(definition: options.DefinitionArgument, *, form: Format = "mermaid", as_json: options.Json = False) -> None:
    """Draw the graph of a definition."""
    from orchestrator.cli import authoring

    authoring.graph(definition, form=form, as_json=as_json)


def nodes(node_type: TypeArgument = None, *, as_json: options.Json = False) -> None:
    """List the node types, or show one in full."""
    from orchestrator.cli import catalogue

    catalogue.nodes(node_type, as_json=as_json)


def new(
    name: NewName,
    *,
    template: Template = "hello",
    folder: Folder = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite a file that is there.")] = False,
    as_json: options.Json = False,
) -> None:
    """Write a new definition to start from."""
    from orchestrator.cli import authoring

    authoring.new(name, template=template, folder=folder, force=force, as_json=as_json)
