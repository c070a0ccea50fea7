"""Follows a run: shows its events, answers its questions, and says how it stands when there is no more to do."""

from collections.abc import Sequence

from orchestrator.cli.answers import Answers
from orchestrator.cli.render import Screen
from orchestrator.cli.standing import parked_lines
from orchestrator.client import Orchestrator
from orchestrator.contracts import Awaiting, ProgressPage
from orchestrator.errors import AnswerError, NothingAwaitedError

__all__ = ["follow"]


async def follow(
    runs: Orchestrator, run_id: str, screen: Screen, answers: Answers, *, address: str | None = None
) -> ProgressPage | None:
    """Watch a run until it has ended, or only waits for what is not to be had here.

    A parked node is somebody else's to resolve: at a terminal, what to type is said and the run is watched on.

    Args:
        runs: The server.
        run_id: The run.
        screen: Where events are shown.
        answers: The answers at hand.
        address: Address of the server, where other commands would not find it by themselves.

    Returns:
        What the run waits for: open questions, or parked nodes; none when it has ended.

    Raises:
        AnswerError: An answer at hand does not fit the question, which goes on waiting.
        WorkerMissingError: No worker answers.
    """
    advised: set[tuple[str, str, int, int]] = set()
    async for page in runs.watch(run_id):
        for event in page.events:
            screen.event(event)
        if answers.asks:
            _advise(run_id, page, screen, advised, address)
        if page.events or (page.awaiting and await _answered(runs, run_id, page.awaiting, screen, answers)):
            continue
        if page.status == "awaiting_input":
            return page
        if page.status == "needs_attention" and not answers.asks and not screen.busy(page):
            return page
    return None


def _advise(
    run_id: str, page: ProgressPage, screen: Screen, advised: set[tuple[str, str, int, int]], address: str | None
) -> None:
    """Say once for each parked node what to type."""
    for run, parked in ((run_id, page.parked), *((child.run, child.parked) for child in page.children)):
        for item in parked:
            key = run, item.node, item.visit, item.tries
            if key in advised:
                continue
            advised.add(key)
            screen.rest()
            for line in parked_lines(run, [item], address=address):
                screen.say(f"  {line}")


async def _answered(
    runs: Orchestrator, run_id: str, awaiting: Sequence[Awaiting], screen: Screen, answers: Answers
) -> bool:
    """Whether one of the questions has got an answer."""
    for question in awaiting:
        screen.rest()
        try:
            message = await answers.find(question)
            if message is None:
                continue
            await runs.answer(run_id, message)
        except AnswerError as error:
            if not answers.asks:
                raise AnswerError(f"`{question.node}`: {error.message}. The run goes on waiting") from error
            screen.say(f"  {error.message}")
        except NothingAwaitedError as error:
            screen.say(f"  too late: {error.message}")
        return True
    return False
