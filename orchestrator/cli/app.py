"""The typer application: the commands by family, and what holds for all of them."""

import contextlib
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Annotated, NoReturn, TextIO, cast

import typer

from orchestrator import __version__
from orchestrator.cli import (
    archives,
    budgets,
    changing,
    completing,
    definitions,
    demo,
    develop,
    encrypting,
    estimates,
    interventions,
    messages,
    models,
    runs,
    shells,
    storages,
    testing,
    watching,
)
from orchestrator.cli.errors import FAILED, INTERRUPTED, OK, exit_table, report
from orchestrator.cli.output import open_streams, out, say
from orchestrator.cli.verbosity import Verbosity, masked
from orchestrator.errors import OrchestratorError, RequestError
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

_NO_TEXT = "surrogates not allowed"
"""Why bytes that Python could not read as text, and keeps as surrogates, cannot be sent."""

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
for family in (
    runs,
    watching,
    messages,
    interventions,
    changing,
    definitions,
    models,
    budgets,
    archives,
    storages,
    estimates,
    testing,
    develop,
    encrypting,
    demo,
    shells,
):
    family.register(app)


def _version(wanted: bool) -> None:  # noqa: FBT001 - typer calls it with the flag
    if wanted:
        out(f"orchestrator {__version__}")
        raise typer.Exit


@app.callback()
def everything(
    context: typer.Context,
    *,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Log what is asked of the server, and where errors come from.")
    ] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Runs LLM workflows, written as graphs in YAML, durably on Temporal."""
    del version
    if verbose:
        context.ensure_object(Verbosity).turn_on()


def call(arguments: Sequence[str] | None = None) -> int:
    """Run one command; without ``arguments``, that of this process. Returns one of the documented exit codes."""
    # Nothing may happen whose outcome nobody sees.
    if cast("TextIO | None", sys.stdout) is None:
        return _cannot_write("it is closed")
    open_streams()
    try:
        code = _perform(arguments)
        sys.stdout.flush()
    except OSError as error:
        # A reader that has seen enough, like `head`, needs no telling.
        return FAILED if isinstance(error, BrokenPipeError) else _cannot_write(error.strerror or "it failed")
    return code


def _perform(arguments: Sequence[str] | None) -> int:
    if completing.VARIABLE in os.environ:
        completing.prepare()
    with Verbosity() as verbosity:
        code = _result(arguments, verbosity)
        verbosity.done(code)
        return code


def _result(arguments: Sequence[str] | None, verbosity: Verbosity) -> int:
    try:
        app(args=arguments, prog_name="orchestrator", obj=verbosity)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else OK
    except KeyboardInterrupt:  # before the command itself had begun
        return INTERRUPTED
    except OrchestratorError as error:
        verbosity.failed()
        return report(error)
    except Exception as error:  # noqa: BLE001 - a bug of ours: its traceback is what helps
        if isinstance(error, UnicodeEncodeError) and error.reason == _NO_TEXT:
            verbosity.failed()
            encoding = sys.getfilesystemencoding()
            return report(RequestError(f"an argument, or a variable of the environment, is no text in {encoding}"))
        if isinstance(error, OSError):
            # What could not be written is not always kept: only another attempt tells whether this was the output.
            out("")
        say(masked(traceback.format_exc()))
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
