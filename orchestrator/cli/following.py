"""Follows a run: shows its events, answers its questions, and says how it stands when there is no more to do."""

import asyncio
from collections.abc import Sequence

from orchestrator.cli.answers import Answers
from orchestrator.cli.render import Screen
from orchestrator.client import Orchestrator
from orchestrator.contracts import Awaiting
from orchestrator.errors import AnswerError, NothingAwaitedError

__all__ = ["OVER", "follow"]

OVER = frozenset({"completed", "failed", "cancelled", "timed_out"})
_POLL_S = 0.1
_LOOKS_BETWEEN_CHECKS = 20


async def follow(runs: Orchestrator, run_id: str, screen: Screen, answers: Answers) -> tuple[Awaiting, ...]:
    """Watch a run until it has ended, or only waits for answers that are not to be had here.

    Returns:
        The questions left open; none when the run has ended.

    Raises:
        AnswerError: An answer at hand does not fit the question, which goes on waiting.
        WorkerMissingError: No worker answers.
    """
    after, idle = 0, 0
    while True:
        page = await runs.progress(run_id, after=after)
        fresh = [event for event in page.events if event.seq > after]
        for event in fresh:
            screen.event(event)
            after = event.seq
        if fresh:
            idle = 0
            continue
        if page.status in OVER:
            return ()
        if page.awaiting and await _answered(runs, run_id, page.awaiting, screen, answers):
            continue
        if page.status == "awaiting_input":
            return page.awaiting
        idle += 1
        # A run that the server itself has ended could not note that.
        if idle % _LOOKS_BETWEEN_CHECKS == 0 and (await runs.summary(run_id)).closed is not None:
            return ()
        await asyncio.sleep(_POLL_S)


async def _answered(
    runs: Orchestrator, run_id: str, awaiting: Sequence[Awaiting], screen: Screen, answers: Answers
) -> bool:
    """Whether one of the questions has got an answer."""
    for question in awaiting:
        screen.rest()
        message = await answers.find(question)
        if message is None:
            continue
        try:
            await runs.answer(run_id, message)
        except AnswerError as error:
            if not answers.asks:
                raise AnswerError(f"`{question.node}`: {error.message}. The run goes on waiting") from error
            screen.say(f"  {error.message}")
        except NothingAwaitedError as error:
            screen.say(f"  too late: {error.message}")
        return True
    return False
