"""Graphs that wait for people, for time, or for the end of a pause."""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.contracts import Message
from tests.e2e.kills.cases.building import approval, call, once, world
from tests.e2e.kills.driver import Case
from tests.e2e.kills.people import arrived, asked, finished, pause, release, resume, says, signals, submits
from tests.scenarios import ask, edge

__all__ = ["WAITING"]

_QUESTIONS = Case(
    world(
        [call("a"), ask("name", "Who?"), call("b", "{{ nodes.name.value }}"), ask("sure", "Sure?"), call("c")],
        [edge("a", "name"), edge("name", "b"), edge("b", "sure"), edge("sure", "c")],
        outputs={"name": "{{ nodes.b.body.got }}", "sure": "{{ nodes.sure.value }}"},
    ),
    people=(
        asked("name"),
        submits(Message(text="Ada", message_id="m-1")),
        asked("sure"),
        signals(Message(text="yes", message_id="m-2")),
    ),
    done=once("a#1", "b#1", "c#1"),
    outputs={"name": "Ada", "sure": "yes"},
)
_APPROVALS = Case(
    world(
        [
            call("a"),
            approval("first", proposal={"amount": 1}),
            call("b", "{{ nodes.first.value.amount }}"),
            approval("second", on_reject="stop"),
            call("c"),
            call("stop"),
        ],
        [edge("a", "first"), edge("first", "b"), edge("b", "second"), edge("second", "c")],
        outputs={"amount": "{{ nodes.b.body.got }}"},
    ),
    people=(
        asked("first"),
        submits(Message(decision="modify", values={"amount": 2}, message_id="m-1", by="ada"), times=2),
        asked("second"),
        signals(Message(decision="reject", message_id="m-2", comment="no")),
    ),
    done=once("a#1", "b#1", "stop#1"),
    outputs={"amount": 2},
)
_WAITS = Case(
    world(
        [
            call("a"),
            {"id": "pause", "type": "Wait", "config": {"for": "300ms"}},
            {
                "id": "ask",
                "type": "UserInput",
                "config": {"question": "Anybody?", "expires": "500ms", "reminders": ["200ms"], "on_expiry": "alone"},
            },
            call("together"),
            call("alone"),
        ],
        [edge("a", "pause"), edge("pause", "ask"), edge("ask", "together")],
        outputs={"way": "{{ nodes.alone.body.path if nodes.alone is defined else 'together' }}"},
    ),
    done=once("a#1", "alone#1"),
    outputs={"way": "alone"},
)
_PAUSED = Case(
    world(
        [call("a"), call("b", "{{ state.word }}"), call("c")],
        [edge("a", "b"), edge("b", "c")],
        state={"word": {"type": "string", "initial": "before"}},
        outputs={"word": "{{ nodes.b.body.got }}"},
    ),
    held=frozenset({"a"}),
    people=(
        arrived("a"),
        pause,
        says(RunStatus="paused"),
        release,
        finished("a"),
        resume(word="after"),
    ),
    done=once("a#1", "b#1", "c#1"),
    outputs={"word": "after"},
)
WAITING: Mapping[str, Case] = MappingProxyType(
    {
        "questions": _QUESTIONS,
        "approvals": _APPROVALS,
        "waiting and expiry": _WAITS,
        "paused and resumed": _PAUSED,
    }
)
