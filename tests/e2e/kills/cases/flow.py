"""Graphs that flow by themselves."""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.contracts import Message
from tests.e2e.kills.cases.building import call, once, world
from tests.e2e.kills.driver import Case
from tests.e2e.kills.far_side import Answer
from tests.e2e.kills.people import arrived, submits
from tests.scenarios import ask, data, edge

__all__ = ["FLOW"]

_CHAIN = Case(
    world(
        [
            call("a", {"n": 1}),
            call("b", {"after": "{{ nodes.a.body.path }}"}),
            {"id": "text", "type": "Format", "config": {"template": "{{ nodes.b.body.path | upper }}"}},
            call("c", {"after": "{{ nodes.text.text }}"}),
        ],
        [edge("a", "b"), edge("b", "text"), edge("text", "c")],
        outputs={"last": "{{ nodes.c.body.got.after }}"},
    ),
    done=once("a#1", "b#1", "c#1"),
    outputs={"last": "B"},
)
_PARALLEL = Case(
    world(
        [
            call("start"),
            *[call(name, write={"seen": name, "count": 1}) for name in ("b", "c", "d")],
            call("end", {"seen": "{{ state.seen }}"}),
        ],
        [edge("start", name) for name in "bcd"] + [edge(name, "end") for name in "bcd"],
        state={
            "seen": {"type": "array", "initial": [], "reducer": "append"},
            "count": {"type": "integer", "initial": 0, "reducer": "add"},
        },
        outputs={"seen": "{{ nodes.end.body.got.seen }}", "count": "{{ state.count }}"},
    ),
    done=once("start#1", "b#1", "c#1", "d#1", "end#1"),
    outputs={"seen": ["b", "c", "d"], "count": 3},
)
_LOOP = Case(
    world(
        [call("draft", write={"count": 1}), call("check"), call("publish")],
        [
            edge("draft", "check"),
            edge("check", "draft", when="state.count < 2", max_visits=5),
            edge("check", "publish"),
        ],
        state={"count": {"type": "integer", "initial": 0, "reducer": "add"}},
        outputs={"count": "{{ state.count }}"},
    ),
    done=once("draft#1", "draft#2", "check#1", "check#2", "publish#1"),
    outputs={"count": 2},
)
_ROUTER = Case(
    world(
        [
            call("a"),
            {
                "id": "route",
                "type": "Router",
                "config": {"routes": [{"when": "nodes.a.body.path == 'a'", "to": "left"}], "otherwise": "right"},
            },
            call("left"),
            call("right"),
        ],
        [edge("a", "route")],
        outputs={"way": "{{ nodes.route.to }}"},
    ),
    done=once("a#1", "left#1"),
    outputs={"way": "left"},
)
_RETRIES = Case(
    world(
        [call("busy"), data("between"), call("unwell")],
        [edge("busy", "between"), edge("between", "unwell")],
        outputs={"paths": ["{{ nodes.busy.body.path }}", "{{ nodes.unwell.body.path }}"]},
    ),
    answers={"busy": (Answer(429, retry_after=0.1),), "unwell": (Answer(503), Answer(500))},
    done=once("busy#1", "unwell#1"),
    outputs={"paths": ["busy", "unwell"]},
)
_CONTINUED = Case(
    world(
        [
            call("start"),
            call("turn", write={"count": 1}),
            {
                "id": "again",
                "type": "Router",
                "config": {
                    "routes": [{"when": "state.count < 8", "to": "turn", "max_visits": 20}],
                    "otherwise": "end",
                },
            },
            ask("sure", "Sure?"),
            call("end"),
            call("last", "{{ nodes.sure.value }}"),
        ],
        [
            edge("start", "turn"),
            edge("start", "sure"),
            edge("turn", "again"),
            edge("end", "last"),
            edge("sure", "last"),
        ],
        state={"count": {"type": "integer", "initial": 0, "reducer": "add"}},
        outputs={"count": "{{ state.count }}", "sure": "{{ nodes.last.body.got }}"},
    ),
    people=(arrived("end"), submits(Message(text="yes", node="sure", message_id="m-1"), times=2)),
    done=once("start#1", "end#1", "last#1", *(f"turn#{visit}" for visit in range(1, 9))),
    outputs={"count": 8, "sure": "yes"},
    settings={"ORCHESTRATOR_ROLLOVER_EVENTS": "50"},
)
_LARGE = Case(
    world(
        [
            call("a", "{{ inputs.long }}"),
            call("b", "{{ nodes.a.body.got }}"),
            call("c", "{{ nodes.b.body.got | length }}"),
        ],
        [edge("a", "b"), edge("b", "c")],
        inputs={"long": {"type": "string"}},
        outputs={"length": "{{ nodes.c.body.got }}"},
    ),
    inputs={"long": "x" * 200_000},
    done=once("a#1", "b#1", "c#1"),
    outputs={"length": "200000"},
)
FLOW: Mapping[str, Case] = MappingProxyType(
    {
        "chain": _CHAIN,
        "parallel branches with shared state": _PARALLEL,
        "loop": _LOOP,
        "router": _ROUTER,
        "retries": _RETRIES,
        "continued as new": _CONTINUED,
        "large values": _LARGE,
    }
)
