"""Who answers a run's questions: the answers given as options, then whoever sits at the terminal."""

import asyncio
import json
import re
import sys
import threading
from collections import deque
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

from orchestrator.cli.output import say
from orchestrator.contracts import Awaiting, Message
from orchestrator.definition.model import NODE_ID

__all__ = ["Answers", "message_for", "new_message_id"]

_NAMED = re.compile(NODE_ID.removesuffix("$") + "=")


class Answers:
    """The answers at hand.

    Args:
        given: ``TEXT``, or ``NODE=TEXT``; each is used once, in order.
        nodes: Ids of the run's nodes, none if not known: ``a=b`` is an answer for node ``a`` only if there is one.
        interactive: Whether somebody can be asked.
        otherwise: The answer where none is at hand and nobody can be asked; none leaves the question open.
    """

    def __init__(
        self,
        given: Sequence[str] = (),
        *,
        nodes: frozenset[str] | None = None,
        interactive: bool = False,
        otherwise: str | None = None,
    ) -> None:
        self._named: dict[str, deque[str]] = {}
        self._any: deque[str] = deque()
        self._interactive = interactive
        self._otherwise = otherwise
        for text in given:
            node, _, rest = text.partition("=")
            if _NAMED.match(text) and (nodes is None or node in nodes):
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
        """An answer to ``question``; none when nobody here has one."""
        text = self._given(question)
        if text is None and self._interactive:
            text = await _ask(question)
            self._interactive = text is not None
        if text is None and self._otherwise is not None:
            text = self._otherwise
            say(f"  nobody is here to answer `{question.node}`: answering {text!r} (choose with --answer)")
        return None if text is None else message_for(text, question)

    def _given(self, question: Awaiting) -> str | None:
        for waiting in (self._named.get(question.node), self._any):
            if waiting:
                return waiting.popleft()
        return None


def message_for(text: str, question: Awaiting) -> Message:
    """The message that answers ``question`` with ``text``, which is JSON where it asks for an object or a list."""
    values: Any = None
    named = (question.answer_schema or {}).get("type")
    types = {named} if isinstance(named, str) else set(named or ())
    if types & {"object", "array"}:
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = None  # the refusal of the text says what is asked for
    return Message(
        text=text if values is None else None, values=values, node=question.node, message_id=new_message_id()
    )


def new_message_id() -> str:
    """An id that makes a message count once, even if it is sent again because the reply to it got lost."""
    return f"cli-{uuid4().hex}"


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

    say(f"\n{question.node} asks: {question.question}")
    sys.stderr.write("> ")
    sys.stderr.flush()
    threading.Thread(target=read, daemon=True).start()
    line = await typed
    return line.rstrip("\r\n") if line else None
