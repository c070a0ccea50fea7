"""What a soak runs: one kind of run for each thing that a run can be doing when its worker is killed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from temporalio.client import Client

from benchmarks.effects import Room
from benchmarks.story import persist, shows
from orchestrator.client import Orchestrator
from orchestrator.contracts import Message, ResolveRequest, RunResult
from orchestrator.errors import NothingAwaitedError, NotParkedError

__all__ = ["CHILD", "KINDS", "Kind", "Scene"]

Json = dict[str, Any]
ITEMS, VISITS, LONG_VISITS, MESSAGES = 5, 6, 30, 25
_SOON = {"retry": {"max_attempts": 10, "initial_delay": "100ms", "max_delay": "1s"}}


@dataclass(frozen=True)
class Scene:
    """A run under way, and the outside world as it is for that run. ``number`` is what it was given."""

    client: Client
    door: Orchestrator
    run: str
    room: Room
    number: int


@dataclass(frozen=True)
class Kind:
    """A kind of run: its graph, what people do to it, and how it must end.

    Attributes:
        definition: Its graph. ``inputs.far`` is the address of the world, ``inputs.n`` a number.
        effects: The visits that do something outside, each once.
        outputs: What a run that was given a number gives back.
        share: How many of its kind there are in a hundred or so.
        people: What people do to it, in that order.
        status: How it ends.
        undone: Visits that are compensated.
    """

    definition: Json
    effects: tuple[str, ...]
    outputs: Callable[[int], Json]
    share: int = 10
    people: Callable[[Scene], Awaitable[None]] | None = None
    status: str = "completed"
    undone: tuple[str, ...] = ()
    broken: frozenset[str] = frozenset()
    held: frozenset[str] = field(default_factory=frozenset[str])

    def wrong(self, result: RunResult, number: int) -> str:
        """What is not as it should be about the end of a run; empty if nothing is."""
        expected = self.status, self.outputs(number), self.undone
        got = result.status, result.outputs, result.undone
        return "" if got == expected else f"ended with {got} and not with {expected} ({result.error})"


def _call(name: str, body: Any, **rest: Any) -> Json:
    config = {"url": f"{{{{ inputs.far }}}}/{name}", "method": "POST", "json": body}
    return {"id": name, "type": "HttpRequest", "config": config, **rest}


def _graph(name: str, nodes: list[Json], *ways: tuple[str, str], **rest: Any) -> Json:
    edges = [{"from": source, "to": target} for source, target in ways]
    inputs = {"far": {"type": "string"}, "n": {"type": "integer"}, **rest.pop("inputs", {})}
    return {
        "name": f"soak-{name}",
        "version": "1.0.0",
        "inputs": inputs,
        "defaults": _SOON,
        "nodes": nodes,
        "edges": [*edges, *rest.pop("edges", [])],
        **rest,
    }


def _looped(name: str, node: Json, visits: int, **rest: Any) -> Json:
    again = {"from": node["id"], "to": node["id"], "when": f"state.n < {visits}", "max_visits": visits + 1}
    state = {"n": {"type": "integer", "initial": 0, "reducer": "add"}, **rest.pop("state", {})}
    write = {"n": 1, **node.get("write", {})}
    return _graph(name, [{**node, "write": write}], edges=[again], state=state, limits={"steps": visits + 10}, **rest)


async def _tell(call: Callable[[], Awaitable[object]]) -> None:
    """Say something until somebody hears it; the run may have ended over another that says the same."""
    try:
        await persist(call)
    except NothingAwaitedError as error:
        if "ended" not in error.message:
            raise


async def _submit(scene: Scene, message: Message) -> None:
    await _tell(lambda: scene.door.answer(scene.run, message))


async def _answers(scene: Scene) -> None:
    await persist(lambda: shows(scene.client, scene.run, RunStatus="awaiting_input"))
    message = Message(text=f"answer {scene.number}", message_id="m-1")
    await asyncio.gather(_submit(scene, message), _submit(scene, message))


async def _decides(scene: Scene) -> None:
    await persist(lambda: shows(scene.client, scene.run, RunStatus="awaiting_input"))
    message = Message(decision="modify", values={"amount": scene.number}, message_id="m-1", by="soak")
    await _submit(scene, message)


async def _talks(scene: Scene) -> None:
    """Sends everything at once, each message twice: they are kept, in this order, until something awaits them."""
    for number in range(MESSAGES):
        message = Message(text=f"message {number}", message_id=f"m-{number}")
        for _ in range(2):
            await _tell(lambda message=message: scene.door.send(scene.run, message))


async def _mends(scene: Scene) -> None:
    await persist(lambda: shows(scene.client, scene.run, RunStatus="needs_attention"))
    scene.room.broken.clear()
    request = ResolveRequest(action="retry", node="pay", config={"json": scene.number + 1}, by="soak")
    heard = False
    while not heard:
        try:
            await persist(lambda: scene.door.resolve(scene.run, request))
        except NotParkedError:  # said before, to a worker that was killed before it could answer
            return
        heard = True


async def _cancels(scene: Scene) -> None:
    await scene.room.arrival("ship")
    await persist(lambda: scene.door.cancel(scene.run))


_EACH = {
    "items": str(list(range(ITEMS))),
    "concurrency": 3,
    "inputs": {"far": "{{ inputs.far }}", "number": "{{ item }}"},
    "do": {"nodes": [_call("take", "{{ inputs.number }}")], "outputs": {"got": "{{ nodes.take.body.got }}"}},
}
CHILD = _graph("child", [_call("b", "{{ inputs.n }}"), _call("c", "{{ nodes.b.body.got }}")], ("b", "c")) | {
    "outputs": {"got": "{{ nodes.c.body.got }}"}
}
"""A definition that workers have to find in their folder."""

KINDS: Mapping[str, Kind] = {
    "chain": Kind(
        _graph(
            "chain",
            [
                _call("a", "{{ inputs.n }}"),
                _call("b", "{{ nodes.a.body.got }}"),
                {
                    "id": "sum",
                    "type": "Transform",
                    "config": {"operation": "expression", "input": "{{ nodes.b.body.got }}", "expression": "input + 1"},
                },
                _call("c", "{{ nodes.sum.result }}"),
            ],
            ("a", "b"),
            ("b", "sum"),
            ("sum", "c"),
            outputs={"got": "{{ nodes.c.body.got }}"},
        ),
        ("a#1", "b#1", "c#1"),
        lambda n: {"got": n + 1},
        share=25,
    ),
    "items": Kind(
        _graph(
            "items", [{"id": "items", "type": "ForEach", "config": _EACH}], outputs={"all": "{{ nodes.items.results }}"}
        ),
        tuple(f"items[{index}].take#1" for index in range(ITEMS)),
        lambda _: {"all": [{"got": index} for index in range(ITEMS)]},
    ),
    "loop": Kind(
        _looped("loop", _call("count", "{{ state.n }}"), VISITS, outputs={"n": "{{ state.n }}"}),
        tuple(f"count#{visit}" for visit in range(1, VISITS + 1)),
        lambda _: {"n": VISITS},
    ),
    "long loop": Kind(
        _looped("long-loop", _call("count", "{{ state.n }}"), LONG_VISITS, outputs={"n": "{{ state.n }}"}),
        tuple(f"count#{visit}" for visit in range(1, LONG_VISITS + 1)),
        lambda _: {"n": LONG_VISITS},
        share=5,
    ),
    "question": Kind(
        _graph(
            "question",
            [
                _call("a", "{{ inputs.n }}"),
                {"id": "ask", "type": "UserInput", "config": {"question": "What next?"}},
                _call("b", "{{ nodes.ask.text }}"),
            ],
            ("a", "ask"),
            ("ask", "b"),
            outputs={"got": "{{ nodes.b.body.got }}"},
        ),
        ("a#1", "b#1"),
        lambda n: {"got": f"answer {n}"},
        people=_answers,
    ),
    "conversation": Kind(
        _looped(
            "conversation",
            {
                "id": "ask",
                "type": "UserInput",
                "config": {"question": "What next?"},
                "write": {"said": "{{ output.text }}"},
            },
            MESSAGES,
            state={"said": {"type": "array", "initial": [], "reducer": "append"}},
            outputs={"said": "{{ state.said }}"},
        ),
        (),
        lambda _: {"said": [f"message {number}" for number in range(MESSAGES)]},
        people=_talks,
        share=5,
    ),
    "approval": Kind(
        _graph(
            "approval",
            [
                _call("a", 0),
                {"id": "may", "type": "Approval", "config": {"question": "May I?", "proposal": {"amount": 1}}},
                _call("b", "{{ nodes.may.value.amount }}"),
            ],
            ("a", "may"),
            ("may", "b"),
            outputs={"got": "{{ nodes.b.body.got }}"},
        ),
        ("a#1", "b#1"),
        lambda n: {"got": n},
        people=_decides,
    ),
    "parked": Kind(
        _graph(
            "parked",
            [_call("a", 0), _call("pay", "{{ inputs.n }}"), _call("end", "{{ nodes.pay.body.got }}")],
            ("a", "pay"),
            ("pay", "end"),
            outputs={"got": "{{ nodes.end.body.got }}"},
        ),
        ("a#1", "pay#1", "end#1"),
        lambda n: {"got": n + 1},
        people=_mends,
        broken=frozenset({"pay"}),
    ),
    "cancelled": Kind(
        _graph(
            "cancelled",
            [_call("book", 0, compensate="cancel"), _call("ship", 0), _call("cancel", 0), _call("note", 0)],
            ("book", "ship"),
            **{"finally": ["note"]},
        ),
        ("book#1", "ship#1", "cancel:book#1", "note#1"),
        lambda _: {},
        people=_cancels,
        status="cancelled",
        undone=("book",),
        held=frozenset({"ship"}),
    ),
    "child": Kind(
        _graph(
            "parent",
            [
                _call("a", "{{ inputs.n }}"),
                {
                    "id": "sub",
                    "type": "Subworkflow",
                    "config": {
                        "definition": "soak-child",
                        "mode": "child",
                        "inputs": {"far": "{{ inputs.far }}", "n": "{{ nodes.a.body.got }}"},
                    },
                },
                _call("d", "{{ nodes.sub.got }}"),
            ],
            ("a", "sub"),
            ("sub", "d"),
            outputs={"got": "{{ nodes.d.body.got }}"},
        ),
        ("a#1", "b#1", "c#1", "d#1"),
        lambda n: {"got": n},
    ),
}
"""Every kind of run, by name."""
