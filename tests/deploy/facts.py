"""What the code has, to hold the artefacts against: settings and commands."""

import typer
import typer.core

from orchestrator.cli.app import app
from orchestrator.settings import Settings, variable_name

__all__ = ["COMMANDS", "SETTINGS"]


def _commands() -> set[str]:
    command = typer.main.get_command(app)
    assert isinstance(command, typer.core.TyperGroup)
    return set(command.commands)


COMMANDS = _commands()
"""The commands of the command line."""
SETTINGS = {variable_name(field) for field in Settings.model_fields}
"""The variables of all settings."""
