"""Follows a run: shows its events, answers its questions, and says how it stands when there is no more to do."""

from collections.abc import Sequence

from orchestrator.cli.answers import Answers
from orchestrator.cli.render import Screen
from orchestrator.client import Orchestrator
from orchestrator.contracts import Awaiting
from orchestrator.errors import AnswerError, NothingAwaitedError

__all__ = ["follow"]


async def follow(runs: Orchestrator, run_id: str, screen: Screen, answers: Answers) -> tuple[Awaiting, ...]:
    """Watch a run until it has ended, or only waits for answers that are not to be had here.

    Returns:
        The questions left open; none when the run has ended.

    Raises:
        AnswerError: An answer at hand does not fit the question, which goes on waiting.
        WorkerMissingError: No worker answers.
    """
    async for page in runs.watch(run_id):
        for event in page.events:
            screen.event(event)
        if page.events or (page.awaiting and await _answered(runs, run_id, page.awaiting, screen, answers)):
            continue
        if page.status == "awaiting_input":
            return page.awaiting
    return ()


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
