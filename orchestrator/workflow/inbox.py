"""Questions that wait, messages that wait for a question, and which answers already counted."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Any

from orchestrator.contracts import Awaiting, Message
from orchestrator.errors import MessageError, NothingAwaitedError
from orchestrator.graph.answers import read_answer

__all__ = ["Applied", "Inbox", "Question"]

_MOST_QUEUED = 100
_MOST_REMEMBERED = 1000
_MOST_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Question:
    """A question that waits, and what to do with its answer: called with the value and the message."""

    awaiting: Awaiting
    answered: Callable[[Any, Message], None]


@dataclass(frozen=True, slots=True)
class Applied:
    """The visit that an answer went to."""

    node: str
    visit: int


class Inbox:
    """The messages of one run."""

    def __init__(self) -> None:
        self._questions: dict[tuple[str, int], Question] = {}
        self._queue: deque[Message] = deque()
        self._applied: dict[str, Applied] = {}

    @property
    def awaiting(self) -> tuple[Awaiting, ...]:
        """The questions that wait, oldest first; the first 40, so that a reply can hold them."""
        return tuple(question.awaiting for question in islice(self._questions.values(), _MOST_SHOWN))

    def ask(self, question: Question) -> None:
        """Let a question wait."""
        self._questions[question.awaiting.node, question.awaiting.visit] = question

    def withdraw(self, node: str, visit: int) -> None:
        """Stop a question from waiting."""
        self._questions.pop((node, visit), None)

    def already(self, message: Message) -> Applied | None:
        """Where a message with this id already counted, if it did."""
        return self._applied.get(message.message_id) if message.message_id else None

    def apply(self, message: Message) -> Applied:
        """Use a message as the answer to the question it is for.

        Raises:
            NothingAwaitedError: No question waits, or not the one it names.
            AnswerError: It does not fit the question, which goes on waiting.
        """
        if applied := self.already(message):
            return applied
        question, value = self.check(message)
        awaiting = question.awaiting
        self.withdraw(awaiting.node, awaiting.visit)
        applied = Applied(awaiting.node, awaiting.visit)
        if message.message_id:
            if len(self._applied) == _MOST_REMEMBERED:
                del self._applied[next(iter(self._applied))]
            self._applied[message.message_id] = applied
        question.answered(value, message)
        return applied

    def check(self, message: Message) -> tuple[Question, Any]:
        """The question that a message answers, and the answer; changes nothing.

        Raises:
            NothingAwaitedError: No question waits, or not the one it names.
            AnswerError: It does not fit the question.
        """
        question = self._for(message)
        return question, read_answer(question.awaiting.answer_schema, message.text, message.values)

    def keep(self, message: Message) -> None:
        """Queue a message until a question waits.

        Raises:
            MessageError: Too many wait already.
        """
        if message.message_id and any(kept.message_id == message.message_id for kept in self._queue):
            return
        if len(self._queue) == _MOST_QUEUED:
            raise MessageError(f"{_MOST_QUEUED} messages already wait for a question")
        self._queue.append(message)

    def deliver(self) -> list[tuple[Message, MessageError]]:
        """Try each queued message once, oldest first. Returns those that cannot be used, with the reason."""
        rejected: list[tuple[Message, MessageError]] = []
        for _ in range(len(self._queue)):
            message = self._queue.popleft()
            try:
                self.apply(message)
            except NothingAwaitedError:
                self._queue.append(message)
            except MessageError as error:
                rejected.append((message, error))
        return rejected

    def clear(self) -> list[Message]:
        """Forget every question and message. Returns the messages that nothing used."""
        self._questions.clear()
        unused = list(self._queue)
        self._queue.clear()
        return unused

    def _for(self, message: Message) -> Question:
        for question in self._questions.values():
            if message.node in (None, question.awaiting.node):
                return question
        if message.node is None:
            raise NothingAwaitedError("nothing waits for an answer now")
        waiting = ", ".join(f"`{awaiting.node}`" for awaiting in self.awaiting)
        raise NothingAwaitedError(
            f"`{message.node}` does not wait for an answer now" + (f"; these do: {waiting}" if waiting else "")
        )
