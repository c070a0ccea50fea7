"""Exit codes, and how an error becomes one."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from orchestrator.cli.output import say, table
from orchestrator.errors import DefinitionError, Issue, OrchestratorError

__all__ = ["EXIT_CODES", "ISSUE_COLUMNS", "code_for", "exit_table", "issue_rows", "report"]

OK, FAILED, USAGE, AWAY, INVALID, NOT_FOUND, WAITING, PARKED, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130

EXIT_CODES: Mapping[int, str] = MappingProxyType(
    {
        OK: "done; a run that was waited for has completed",
        FAILED: "the run failed, was cancelled or timed out; or something else went wrong",
        USAGE: "usage error: an option, a setting or a request is not well formed, or is too large",
        AWAY: "the Temporal server or a worker is away",
        INVALID: "a definition, an input or an answer is invalid, or does not fit the run",
        NOT_FOUND: "no such run, definition, node type, waiting question or parked node",
        WAITING: "the run waits for an answer that nobody can give here",
        PARKED: "the run needs attention: a node has failed for good and waits to be resolved",
        INTERRUPTED: "interrupted",
    }
)
"""The one table of exit codes; ``--help`` and ``docs/cli.md`` show the same."""

ISSUE_COLUMNS = ("code", "line", "where", "problem", "hint")
_BY_CODE: Mapping[str, int] = MappingProxyType(
    {
        "ANSWER_INVALID": INVALID,
        "DEFINITION_INVALID": INVALID,
        "DEFINITION_NOT_FOUND": NOT_FOUND,
        "DOES_NOT_FIT": INVALID,
        "INPUT_INVALID": INVALID,
        "MESSAGE_INVALID": USAGE,
        "NOTHING_AWAITED": NOT_FOUND,
        "NOT_PARKED": NOT_FOUND,
        "REQUEST_INVALID": USAGE,
        "RUN_NOT_FOUND": NOT_FOUND,
        "SERVER_UNAVAILABLE": AWAY,
        "SETTINGS_INVALID": USAGE,
        "TOO_LARGE": USAGE,
        "WORKER_MISSING": AWAY,
    }
)


def code_for(code: str) -> int:
    """The exit code for an error's ``code``."""
    return _BY_CODE.get(code, FAILED)


def exit_table() -> str:
    """The exit codes as lines of text, for ``--help``."""
    return "\n".join(f"{code:>5}  {meaning}" for code, meaning in EXIT_CODES.items())


def issue_rows(issues: Iterable[Issue]) -> Iterator[tuple[str, ...]]:
    """The issues as rows under ``ISSUE_COLUMNS``."""
    for issue in issues:
        place = f"{issue.line}:{issue.column}" if issue.line else ""
        yield issue.code, place, issue.path, issue.message, issue.hint or ""


def report(error: OrchestratorError) -> int:
    """Print an error in one line, and the issues of a definition below it. Returns the exit code."""
    say(f"error {error.code}: {' '.join(error.message.split())}")
    if isinstance(error, DefinitionError) and error.issues:
        table(ISSUE_COLUMNS, issue_rows(error.issues), sys.stderr)
    return code_for(error.code)
