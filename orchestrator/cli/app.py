"""The typer application: the commands by family, and what holds for all of them."""

import contextlib
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn, TextIO, cast

import typer

from orchestrator import __version__
from orchestrator.cli import changing, definitions, demo, develop, interventions, messages, runs, testing, watching
from orchestrator.cli.errors import FAILED, OK, exit_table, report
from orchestrator.cli.output import out, say
from orchestrator.errors import OrchestratorError
from orchestrator.leave import leave

__all__ = ["app", "call", "main"]

# Click keeps the lines of a paragraph that begins with \b as they are.
EPILOG = f"""\b
Examples:
  orchestrator demo
  orchestrator new greeting
  orchestrator run greeting -v name=Ada

\b
Exit codes:
{exit_table()}"""

app = typer.Typer(
    name="orchestrator",
    help="Runs LLM workflows, written as graphs in YAML, durably on Temporal.",
    epilog=EPILOG,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
for family in (runs, watching, messages, interventions, changing, definitions, testing, develop, demo):
    family.register(app)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if wanted:
        out(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def everything(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Runs LLM workflows, written as graphs in YAML, durably on Temporal."""
    del version


def call(arguments: Sequence[str] | None = None) -> int:
    """Run one command; without ``arguments``, that of this process. Returns one of the documented exit codes."""
    # Python has no stream where it was started with a closed one. Nothing may happen whose outcome nobody sees.
    if cast("TextIO | None", sys.stdout) is None:
        return _cannot_write("it is closed")
    try:
        code = _perform(arguments)
        sys.stdout.flush()
    except OSError as error:
        # A reader that has seen enough, like `head`, needs no telling.
        return FAILED if isinstance(error, BrokenPipeError) else _cannot_write(error.strerror or "it failed")
    return code


def _perform(arguments: Sequence[str] | None) -> int:
    try:
        app(args=arguments, prog_name="orchestrator")
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else OK
    except OrchestratorError as error:
        return report(error)
    except Exception as error:  # noqa: BLE001 - a bug of ours: its traceback is what helps
        if isinstance(error, OSError):
            # What could not be written is not always kept: only another attempt tells whether this was the output.
            out("")
        traceback.print_exc()
        return FAILED
    return OK


def _cannot_write(reason: str) -> int:
    if cast("TextIO | None", sys.stderr) is not None:
        with contextlib.suppress(OSError):
            say(f"error: cannot write to standard output: {reason}")
    return FAILED


def main() -> NoReturn:
    """Run the command line of this process and leave it with one of the documented exit codes."""
    leave(call())
