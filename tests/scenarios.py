"""One small graph per feature of the interpreter: run on a real server, recorded, and replayed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["SCENARIOS", "Scenario", "data", "edge", "graph"]

Json = dict[str, Any]


def data(name: str, value: Any = None, **rest: Any) -> Json:
    """A node that gives ``value``."""
    return {"id": name, "type": "DataInput", "config": {"data": value}, **rest}


def edge(source: str, target: str, **rest: Any) -> Json:
    """An edge."""
    return {"from": source, "to": target, **rest}


def ask(name: str, question: str, answer: Json | None = None) -> Json:
    """A node that asks."""
    return {"id": name, "type": "UserInput", "config": {"question": question, "answer": answer}}


def model(name: str, prompt: str, **rest: Any) -> Json:
    """A node that calls the simulated model."""
    return {"id": name, "type": "ModelInvoke", "config": {"model": "simulated", "prompt": prompt}, **rest}


def compute(name: str, expression: str, given: Json, **rest: Any) -> Json:
    """A node that evaluates ``expression`` over ``given``, its root ``input``."""
    config = {"operation": "expression", "input": given, "expression": expression}
    return {"id": name, "type": "Transform", "config": config, **rest}


def graph(nodes: list[Json], edges: list[Json] | None = None, **rest: Any) -> Json:
    """A definition."""
    return {"name": "scenario", "version": "1.0.0", "nodes": nodes, "edges": edges or [], **rest}


@dataclass(frozen=True)
class Scenario:
    """A definition, what it is given, and what must come of it.

    ``path`` is compared as a set where branches run in parallel, so it is given sorted.
    """

    definition: Json
    outputs: Json
    path: tuple[str, ...]
    inputs: Json = field(default_factory=dict[str, Any])
    answers: tuple[Json, ...] = ()
    """Messages, each sent once its question waits."""


SCENARIOS: Mapping[str, Scenario] = MappingProxyType(
    {
        "sequence": Scenario(
            graph(
                [
                    data("a", {"text": "{{ inputs.message }}", "list": [1, {"x": 2}]}),
                    {"id": "b", "type": "Format", "config": {"template": "<{{ nodes.a.data.text | upper }}>"}},
                    model("c", "Repeat {{ nodes.b.text }}"),
                ],
                [edge("a", "b"), edge("b", "c")],
                inputs={"message": {"type": "string"}, "times": {"type": "integer", "default": 3}},
                outputs={
                    "typed": "{{ nodes.a.data.list }}",
                    "times": "{{ inputs.times }}",
                    "text": "{{ nodes.b.text }}!",
                },
            ),
            inputs={"message": "hi"},
            outputs={"typed": [1, {"x": 2}], "times": 3, "text": "<HI>!"},
            path=("a", "b", "c"),
        ),
        "conditions_and_dead_paths": Scenario(
            graph(
                [data("a", 5), data("big"), data("small"), data("after_small"), data("end")],
                [
                    edge("a", "big", when="output.data > 3"),
                    edge("a", "small", when="nodes.a.data <= 3"),
                    edge("small", "after_small"),
                    edge("after_small", "end"),
                    edge("big", "end"),
                ],
                outputs={"small": "{% if nodes.small is defined %}yes{% else %}no{% endif %}"},
            ),
            outputs={"small": "no"},
            path=("a", "big", "end"),
        ),
        "router": Scenario(
            graph(
                [
                    data("a", "refund"),
                    {
                        "id": "route",
                        "type": "Router",
                        "config": {
                            "routes": [
                                {"when": "nodes.a.data == 'question'", "to": "question"},
                                {"when": "nodes.a.data in ['refund', 'return']", "to": "refund"},
                            ],
                            "otherwise": "other",
                        },
                    },
                    data("question"),
                    data("refund"),
                    data("other"),
                ],
                [edge("a", "route")],
                outputs={"way": "{{ nodes.route.to }}"},
            ),
            outputs={"way": "refund"},
            path=("a", "refund", "route"),
        ),
        "loop": Scenario(
            graph(
                [
                    data(
                        "draft",
                        "{% if nodes.check is defined %}again{% else %}first{% endif %}",
                        write={"log": "{{ output.data }}"},
                    ),
                    data("check", 1, write={"count": 1}),
                    data("publish"),
                ],
                [
                    edge("draft", "check"),
                    edge("check", "draft", when="state.count < 3", max_visits=5),
                    edge("check", "publish"),
                ],
                state={
                    "count": {"type": "integer", "initial": 0, "reducer": "add"},
                    "log": {"type": "array", "initial": [], "reducer": "append"},
                },
                outputs={"log": "{{ state.log }}", "drafts": "{{ nodes.draft.visits }}"},
            ),
            outputs={
                "log": ["first", "again", "again"],
                "drafts": [{"data": "first"}, {"data": "again"}, {"data": "again"}],
            },
            path=("check", "check#2", "check#3", "draft", "draft#2", "draft#3", "publish"),
        ),
        "bounded_router_loop": Scenario(
            graph(
                [
                    data("work"),
                    {
                        "id": "again",
                        "type": "Router",
                        "config": {"routes": [{"when": "true", "to": "work", "max_visits": 3}], "otherwise": "end"},
                    },
                    data("end"),
                ],
                [edge("work", "again")],
            ),
            outputs={},
            path=("again", "again#2", "again#3", "end", "work", "work#2", "work#3"),
        ),
        "parallel_and_state": Scenario(
            graph(
                [
                    data("start"),
                    *[model(f"m{index}", f"number {index}", write={"seen": str(index)}) for index in range(6)],
                    data("join"),
                ],
                [edge("start", f"m{index}") for index in range(6)] + [edge(f"m{index}", "join") for index in range(6)],
                limits={"max_parallel": 2},
                state={"seen": {"type": "array", "initial": ["start"], "reducer": "append"}},
                outputs={"seen": "{{ state.seen }}"},
            ),
            outputs={"seen": ["start", "0", "1", "2", "3", "4", "5"]},
            path=("join", "m0", "m1", "m2", "m3", "m4", "m5", "start"),
        ),
        "join_any": Scenario(
            graph(
                [
                    data("start"),
                    data("fast"),
                    ask("slow", "Anybody there?"),
                    data("first", join="any", cancel_others=True),
                    data("end"),
                ],
                [
                    edge("start", "fast"),
                    edge("start", "slow"),
                    edge("fast", "first"),
                    edge("slow", "first"),
                    edge("first", "end"),
                ],
            ),
            outputs={},
            path=("end", "fast", "first", "start"),
        ),
        "questions": Scenario(
            graph(
                [
                    ask("name", "What is your name?"),
                    ask("age", "How old are you, {{ nodes.name.value }}?", {"type": "integer", "minimum": 0}),
                ],
                [edge("name", "age")],
                outputs={
                    "name": "{{ nodes.name.value }}",
                    "age": {"value": "{{ nodes.age.value }}", "type": "integer"},
                },
            ),
            answers=({"text": "Ada"}, {"text": "36", "node": "age", "message_id": "m-2"}),
            outputs={"name": "Ada", "age": 36},
            path=("age", "name"),
        ),
        "two_questions_at_once": Scenario(
            graph(
                [data("start"), ask("left", "Left?"), ask("right", "Right?"), data("end")],
                [edge("start", "left"), edge("start", "right"), edge("left", "end"), edge("right", "end")],
                outputs={"left": "{{ nodes.left.text }}", "right": "{{ nodes.right.text }}"},
            ),
            answers=({"text": "R", "node": "right"}, {"text": "L"}),
            outputs={"left": "L", "right": "R"},
            path=("end", "left", "right", "start"),
        ),
        "rest_between_tasks": Scenario(
            graph(
                [
                    {
                        "id": "r",
                        "type": "Router",
                        "config": {"routes": [{"when": "true", "to": "r", "max_visits": 700}], "otherwise": "end"},
                    },
                    data("end"),
                ]
            ),
            outputs={},
            path=tuple(sorted(["end", "r", *[f"r#{visit}" for visit in range(2, 701)]])),
        ),
        "for_each": Scenario(
            graph(
                [
                    {
                        "id": "each",
                        "type": "ForEach",
                        "config": {
                            "items": "inputs.names",
                            "inputs": {"greeting": "Hi {{ item }}"},
                            "concurrency": 2,
                            "on_item_error": "collect",
                            "do": {
                                "nodes": [
                                    ask("ask", "{{ inputs.greeting }}, how old are you?", {"type": "integer"}),
                                    model("say", "{{ item }} is {{ nodes.ask.value }}"),
                                    compute("half", "1 / input.n", {"n": "{{ nodes.ask.value }}"}),
                                ],
                                "edges": [edge("ask", "say"), edge("say", "half")],
                                "outputs": {"age": "{{ nodes.ask.value }}"},
                            },
                        },
                    }
                ],
                inputs={"names": {"type": "array"}},
                outputs={"ages": "{{ nodes.each.results }}", "errors": "{{ nodes.each.errors[0].index }}"},
            ),
            inputs={"names": ["Ada", "Bob", "Cy"]},
            answers=(
                {"text": "0", "node": "each[1].ask"},
                {"text": "3", "node": "each[2].ask"},
                {"text": "1", "node": "each[0].ask"},
            ),
            outputs={"ages": [{"age": 1}, None, {"age": 3}], "errors": 1},
            path=(
                "each",
                *(f"each[{index}].{name}" for index in (0,) for name in ("ask", "half", "say")),
                *("each[1].ask", "each[1].say"),
                *(f"each[2].{name}" for name in ("ask", "half", "say")),
            ),
        ),
        "subworkflow": Scenario(
            graph(
                [
                    {
                        "id": "sub",
                        "type": "Subworkflow",
                        "config": {
                            "inputs": {"text": "{{ inputs.text }}"},
                            "do": {
                                "nodes": [model("m", "{{ inputs.text }}"), data("bye")],
                                "outputs": {"said": "{{ nodes.m.model }}"},
                                "finally": ["bye"],
                            },
                        },
                    },
                    data("end"),
                ],
                [edge("sub", "end")],
                inputs={"text": {"type": "string"}},
                outputs={"said": "{{ nodes.sub.said }}"},
            ),
            inputs={"text": "hello"},
            outputs={"said": "simulated"},
            path=("end", "sub", "sub.bye", "sub.m"),
        ),
        "approvals": Scenario(
            graph(
                [
                    {
                        "id": "pay",
                        "type": "Approval",
                        "config": {
                            "question": "Pay?",
                            "proposal": {"amount": 3},
                            "expires": "1h",
                            "reminders": ["10m"],
                            "on_expiry": "late",
                            "on_reject": "no",
                        },
                    },
                    {"id": "wait", "type": "Wait", "config": {"for": "10ms"}},
                    *[data("paid"), data("late"), data("no")],
                ],
                [edge("pay", "wait"), edge("wait", "paid")],
                outputs={"decision": "{{ nodes.pay.decision | default('') }}"},
            ),
            answers=({"decision": "defer", "until": "5m"}, {"decision": "modify", "values": {"amount": 2}}),
            outputs={"decision": "modified"},
            path=("paid", "pay", "wait"),
        ),
        "error_way": Scenario(
            graph(
                [
                    compute("risky", "1 / 0", {}, on_error="sorry"),
                    *[data("fine"), data("sorry", "{{ nodes.risky.error.code }}"), data("bye", "{{ run.status }}")],
                ],
                [edge("risky", "fine")],
                **{"finally": ["bye"]},
            ),
            outputs={},
            path=("bye", "risky", "sorry"),
        ),
        "run_timeout_not_reached": Scenario(
            graph([model("a", "hello")], limits={"timeout": "1h", "steps": 10}),
            outputs={},
            path=("a",),
        ),
    }
)
