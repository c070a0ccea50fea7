"""Questions that wait, messages that wait for a question, and which answers already counted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

from orchestrator.contracts import Awaiting, Message
from orchestrator.errors import AnswerError, MessageError, NothingAwaitedError

__all__ = ["Applied", "Inbox", "Question"]

_MOST_QUEUED = 100
_MOST_REMEMBERED = 1000
_MOST_SHOWN = 40
_MOST_ENDED = 200


@dataclass(slots=True)
class Question:
    """A question that waits.

    Attributes:
        awaiting: What it asks, as people see it.
        read: The answer in a message; raises ``AnswerError`` where it does not fit.
        answered: Called with the answer and the message. Says whether the question is over.
    """

    awaiting: Awaiting
    read: Callable[[Message], Any]
    answered: Callable[[Any, Message], bool]


@dataclass(frozen=True, slots=True)
class Applied:
    """The visit that an answer went to."""

    node: str
    visit: int


class Inbox:
    """The messages of one run."""

    def __init__(self) -> None:
        self._questions: dict[tuple[str, int], Question] = {}
        self._queue: list[Message] = []
        self._applied: dict[str, Applied] = {}
        self._ended: dict[str, str] = {}
        """How the last question of a node ended, for whoever answers too late."""

    @property
    def awaiting(self) -> tuple[Awaiting, ...]:
        """The questions that wait, oldest first, deferred ones last; the first 40, so that a reply can hold them."""
        return tuple(question.awaiting for question in islice(self._in_order(), _MOST_SHOWN))

    def ask(self, question: Question) -> None:
        """Let a question wait."""
        self._questions[question.awaiting.node, question.awaiting.visit] = question

    def withdraw(self, node: str, visit: int, why: str | None = None) -> None:
        """Stop a question from waiting; ``why`` is told to whoever answers it now."""
        if self._questions.pop((node, visit), None) is not None and why is not None:
            self._end(node, why)

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
        applied = Applied(awaiting.node, awaiting.visit)
        if message.message_id:
            if len(self._applied) == _MOST_REMEMBERED:
                del self._applied[next(iter(self._applied))]
            self._applied[message.message_id] = applied
        if question.answered(value, message):
            self.withdraw(awaiting.node, awaiting.visit, "was answered" + (f" by {message.by}" if message.by else ""))
        return applied

    def check(self, message: Message) -> tuple[Question, Any]:
        """The question that a message answers, and the answer; changes nothing.

        Raises:
            NothingAwaitedError: No question waits, or not the one it names.
            AnswerError: It does not fit the question, or comes from somebody who may not answer it.
        """
        question = self._for(message)
        who = question.awaiting.assignees
        if who and message.by not in who:
            named = ", ".join(who)
            sender = f"`{message.by}` is none of them" if message.by else "say who answers with `by`"
            raise AnswerError(f"`{question.awaiting.node}` can only be answered by {named}; {sender}")
        return question, question.read(message)

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
            message = self._queue.pop(0)
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

    def dump(self) -> dict[str, Any]:
        """What has to be remembered, as JSON; the questions ask themselves again."""
        return {
            "queue": [message.model_dump(mode="json", exclude_defaults=True) for message in self._queue],
            "applied": [[name, applied.node, applied.visit] for name, applied in self._applied.items()],
            "ended": self._ended,
        }

    def restore(self, dumped: Mapping[str, Any]) -> None:
        """Take over what ``dump`` gave, before what has come in since."""
        self._applied = {name: Applied(node, visit) for name, node, visit in dumped["applied"]} | self._applied
        self._ended = dict(dumped["ended"])
        since = list(self._queue)
        self._queue = [Message.model_validate(message) for message in dumped["queue"]]
        for message in since:
            self.keep(message)

    def _end(self, node: str, why: str) -> None:
        self._ended.pop(node, None)
        self._ended[node] = why
        if len(self._ended) > _MOST_ENDED:
            del self._ended[next(iter(self._ended))]

    def _in_order(self) -> list[Question]:
        questions = list(self._questions.values())
        if any(question.awaiting.deferred_until is not None for question in questions):
            questions.sort(key=lambda question: question.awaiting.deferred_until is not None)
        return questions

    def _for(self, message: Message) -> Question:
        if message.node is None:
            for question in self._in_order():
                return question
            raise NothingAwaitedError("nothing waits for an answer now")
        found = [question for (node, _), question in self._questions.items() if node == message.node]
        if found:
            return found[0]
        waiting = ", ".join(f"`{awaiting.node}`" for awaiting in self.awaiting)
        ended = self._ended.get(message.node)
        raise NothingAwaitedError(
            f"`{message.node}` does not wait for an answer now"
            + (f": it {ended}" if ended else "")
            + (f"; these do: {waiting}" if waiting else "")
        )
