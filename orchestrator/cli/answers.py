"""Who answers a run's questions: the answers given as options, then whoever sits at the terminal."""

import asyncio
import re
import sys
import threading
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from orchestrator.cli.decisions import HOW_TO, decided
from orchestrator.cli.json_texts import loaded
from orchestrator.cli.output import say
from orchestrator.cli.requests import made
from orchestrator.cli.standing import about, wants_json
from orchestrator.contracts import Awaiting, Message
from orchestrator.definition.model import NODE_ID

__all__ = ["Answers", "message_for", "new_message_id"]

_ID = NODE_ID.removeprefix("^").removesuffix("$")
_STEP = rf"{_ID}(?:#\d+)?(?:\[\d+\])?"
_NAMED = re.compile(rf"({_ID})(?:#\d+)?(?:\[\d+\])?(?:\.{_STEP})*=")


class Answers:
    """The answers at hand.

    Args:
        given: ``TEXT``, or ``NODE=TEXT``, where NODE may be a path; each is used once, in order.
        nodes: Ids of the run's own nodes, none if not known: ``a=b`` is for node ``a`` only if there is one.
        interactive: Whether somebody can be asked.
        otherwise: The answer where none is at hand and nobody can be asked; none leaves the question open.
        by: Who answers.
    """

    def __init__(
        self,
        given: Sequence[str] = (),
        *,
        nodes: frozenset[str] | None = None,
        interactive: bool = False,
        otherwise: str | None = None,
        by: str | None = None,
    ) -> None:
        self._named: dict[str, deque[str]] = {}
        self._any: deque[str] = deque()
        self._interactive = interactive
        self._otherwise = otherwise
        self._by = by
        self._turned_away: set[tuple[str, int]] = set()
        for text in given:
            named = _NAMED.match(text)
            if named and (nodes is None or named[1] in nodes):
                node, _, rest = text.partition("=")
                self._named.setdefault(node, deque()).append(rest)
            else:
                self._any.append(text)

    @property
    def left(self) -> int:
        """How many of the given answers nobody asked for yet."""
        return len(self._any) + sum(map(len, self._named.values()))

    @property
    def asks(self) -> bool:
        """Whether the next answer comes from a person, who may try again."""
        return self._interactive

    async def find(self, question: Awaiting) -> Message | None:
        """An answer to ``question``; none when nobody here has one.

        Raises:
            AnswerError: What was given is no decision that an approval takes.
            RequestError: It is longer than a message may be.
        """
        text = self._given(question)
        if text is None and self._interactive:
            if not self._may_ask(question):
                return None
            text = await _ask(question)
            self._interactive = text is not None
        if text is None and self._otherwise is not None:
            text = self._otherwise
            say(f"  nobody is here to answer `{question.node}`: answering {text!r} (choose with --answer)")
        return None if text is None else message_for(text, question, by=self._by)

    def _given(self, question: Awaiting) -> str | None:
        for waiting in (self._named.get(question.node), self._any):
            if waiting:
                return waiting.popleft()
        return None

    def _may_ask(self, question: Awaiting) -> bool:
        """Whether the person here can answer now: a deferred question is left until it is due."""
        until = question.deferred_until
        if until is not None and (not until or datetime.fromisoformat(until) > datetime.now(UTC)):
            return False
        if not question.assignees or self._by in question.assignees:
            return True
        key = question.node, question.visit
        if key not in self._turned_away:
            self._turned_away.add(key)
            say(f"  `{question.node}` is for {', '.join(question.assignees)} to answer: say who you are with --by")
        return False


def message_for(text: str, question: Awaiting, *, by: str | None = None) -> Message:
    """The message that answers ``question`` with ``text``.

    The text is a decision where the question is an approval, and JSON where it asks for an object or a list.

    Raises:
        AnswerError: It is no decision that the approval takes.
        RequestError: It is longer than a message may be, or JSON with half a character in it.
    """
    if question.kind == "approval":
        fields = decided(text, question)
    else:
        values = _values(text, question)
        fields = {"text": text} if values is None else {"values": values}
    return made(Message, **fields, node=question.node, message_id=new_message_id(), by=by)


def _values(text: str, question: Awaiting) -> Any:
    if not wants_json(question):
        return None
    try:
        return loaded("the answer", text)
    except (ValueError, RecursionError):
        return None  # the refusal of the text says what is asked for


def new_message_id() -> str:
    """An id that makes a message count once, even if it is sent again because the reply to it got lost."""
    return f"cli-{uuid4().hex}"


def _prompt(question: Awaiting) -> None:
    asks = "asks for a decision" if question.kind == "approval" else "asks"
    say(f"\n{question.node} {asks}: {question.question}")
    for line in about(question):
        say(f"  {line}")
    if question.kind == "approval":
        takes = (how for name, how in HOW_TO.items() if not question.decisions or name in question.decisions)
        say(f"  type      {' | '.join(takes)}")


async def _ask(question: Awaiting) -> str | None:
    """What a person types; none at the end of input.

    A thread reads, since the worker may live in this process and has to go on; a daemon, since nothing can stop a read.
    """
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def settle(line: str) -> None:
        if not typed.done():
            typed.set_result(line)

    def read() -> None:
        line = sys.stdin.readline()
        loop.call_soon_threadsafe(settle, line)

    _prompt(question)
    sys.stderr.write("> ")
    sys.stderr.flush()
    threading.Thread(target=read, daemon=True).start()
    line = await typed
    return line.rstrip("\r\n") if line else None
