"""The command ``completion``: what a shell has to read to complete the others."""

from typing import Annotated, Literal

import typer

from orchestrator.cli import completing
from orchestrator.cli.output import out

__all__ = ["register"]

Shell = Annotated[Literal["bash", "zsh", "fish"], typer.Argument(metavar="SHELL", help="bash, zsh or fish.")]
EPILOG = """\b
Examples:
  source <(orchestrator completion bash)
  orchestrator completion zsh > "${fpath[1]}/_orchestrator"
  orchestrator completion fish > ~/.config/fish/completions/orchestrator.fish

The first is for this shell only; in ~/.bashrc it is for every one. In zsh, `compinit` has to have run before."""


def register(app: typer.Typer) -> None:
    """Add the commands of this family."""
    app.command(epilog=EPILOG)(completion)


def completion(shell: Shell) -> None:
    """Print what a shell needs to complete our commands.

    It completes commands, options, names of definitions, node types, and ids of runs where a server answers at once.
    """
    out(completing.script(shell))
