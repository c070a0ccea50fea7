"""Does what ``watch`` asks for: the live view on a terminal, lines elsewhere."""

import os
import sys

from orchestrator.cli.errors import OK
from orchestrator.cli.looking import progress
from orchestrator.cli.output import say
from orchestrator.cli.session import Session, on_server
from orchestrator.cli.standing import command
from orchestrator.statuses import ENDED

__all__ = ["watch"]


def watch(run_id: str, *, by: str | None, as_json: bool) -> int:
    """Show a run until somebody has seen enough. Returns the exit code.

    Raises:
        RunNotFoundError: There is no such run.
        ServerUnavailableError: The server does not answer.
        WorkerMissingError: No worker answers.
    """
    if as_json or not _can_draw():
        progress(run_id, after=0, follow=True, as_json=as_json)
        return OK
    status = on_server(lambda session: _view(session, run_id, by))
    if status not in ENDED:
        say(f"{run_id}: {status.replace('_', ' ')}; it goes on (`{command('watch', run_id)}`)")
    else:
        say(f"{run_id}: {status.replace('_', ' ')}")
    return OK


def _can_draw() -> bool:
    # Textual draws on standard error.
    return all(stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)) and os.environ.get(
        "TERM", "dumb"
    ) not in {"", "dumb"}


async def _view(session: Session, run_id: str, by: str | None) -> str:
    """Show the run on the whole terminal. Returns its status when somebody leaves."""
    from orchestrator.cli.live.feed import Feed
    from orchestrator.cli.live.screen import RunView

    feed = Feed(session.orchestrator, run_id)
    await feed.begin()
    await RunView(session.orchestrator, feed, by=by, client=session.client).run_async()
    return feed.picture.status
