"""The graphs that are measured, as definitions; ``benchmarks.handwritten`` does the same by hand."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic_core import to_json

__all__ = [
    "COUNT",
    "ITEM",
    "SAY",
    "conditional_chain",
    "conversation",
    "flow",
    "flow_config",
    "for_each",
    "node_id",
    "parallel",
    "quick_chain",
    "quick_config",
    "quick_loop",
    "reads_of",
    "waiting",
    "work_chain",
    "work_config",
    "work_loop",
    "write_definitions",
]


COUNT = {"operation": "expression", "input": {"n": "{{ state.n }}"}, "expression": "input.n + 1"}
"""Config of a quick node that counts on."""
SAY = {"model": "simulated", "prompt": "Say {{ state.n }}"}
"""Config of a work node that is told how often it ran."""
ITEM = {"model": "simulated", "prompt": "Say {{ item }}"}
"""Config of a work node that does an item."""


def node_id(number: int) -> str:
    """Ids of one length, so that a node takes as many bytes in a long graph as in a short one."""
    return f"n{number:03}"


def work_config(number: int, *, chained: bool = True) -> dict[str, Any]:
    """Config of a work node: asks the simulated model; in a chain, about the node before it."""
    about = f"{{{{ nodes.{node_id(number - 1)}.finish_reason }}}}" if chained and number else "start"
    return {"model": "simulated", "prompt": f"Say {about}"}


def quick_config(number: int) -> dict[str, Any]:
    """Config of a quick node: picks a field of what the node before it gave."""
    source = f"{{{{ nodes.{node_id(number - 1)}.result }}}}" if number else {"n": 1}
    return {"operation": "pick", "input": source, "fields": ["n"]}


def reads_of(number: int, field: str, value: Any) -> dict[str, Any]:
    """What the config of node ``number`` of a chain refers to: ``field`` of the node before it."""
    return {"nodes": {node_id(number - 1): {field: value}}} if number else {}


def work_chain(name: str, length: int) -> dict[str, Any]:
    """Work nodes one after the other."""
    nodes = [{"id": node_id(i), "type": "ModelInvoke", "config": work_config(i)} for i in range(length)]
    last = f"{{{{ nodes.{node_id(length - 1)}.finish_reason }}}}"
    return _definition(name, nodes) | {"edges": _edges(length), "outputs": {"last": last}}


def quick_chain(name: str, length: int) -> dict[str, Any]:
    """Quick nodes one after the other."""
    nodes = [{"id": node_id(i), "type": "Transform", "config": quick_config(i)} for i in range(length)]
    last = f"{{{{ nodes.{node_id(length - 1)}.result.n }}}}"
    return _definition(name, nodes) | {"edges": _edges(length), "outputs": {"last": last}}


def conditional_chain(name: str, length: int) -> dict[str, Any]:
    """The quick chain with a condition, always true, on each edge."""
    # Behind a condition no node is certain to have run, so there is no output to refer to.
    edges = [{**edge, "when": "output.result.n == 1"} for edge in _edges(length)]
    return {**quick_chain(name, length), "edges": edges, "outputs": {}}


def flow_config(number: int) -> dict[str, Any]:
    """Config of a task that computes a Fibonacci number: 10 is light, 33 takes about a second."""
    return {"model": "simulated", "prompt": f"fibo {number}"}


def flow(name: str, length: int, number: int) -> dict[str, Any]:
    """Tasks of one weight one after the other."""
    nodes = [{"id": node_id(i), "type": "ModelInvoke", "config": flow_config(number)} for i in range(length)]
    last = f"{{{{ nodes.{node_id(length - 1)}.text }}}}"
    return _definition(name, nodes) | {"edges": _edges(length), "outputs": {"last": last}}


def waiting(name: str) -> dict[str, Any]:
    """A work node, and then a question."""
    nodes = [
        {"id": node_id(0), "type": "ModelInvoke", "config": work_config(0)},
        {"id": "ask", "type": "UserInput", "config": {"question": "What next?"}},
    ]
    edges = [{"from": node_id(0), "to": "ask"}]
    return _definition(name, nodes) | {"edges": edges, "outputs": {"said": "{{ nodes.ask.text }}"}}


def parallel(name: str, width: int) -> dict[str, Any]:
    """Work nodes side by side, all at once."""
    nodes = [{"id": node_id(i), "type": "ModelInvoke", "config": work_config(i, chained=False)} for i in range(width)]
    last = f"{{{{ nodes.{node_id(width - 1)}.finish_reason }}}}"
    return _definition(name, nodes) | {"limits": {"max_parallel": width}, "outputs": {"last": last}}


def quick_loop(name: str, visits: int) -> dict[str, Any]:
    """A quick node that counts on from where its last visit stood."""
    node = {"id": "count", "type": "Transform", "config": COUNT, "write": {"n": "{{ output.result }}"}}
    return _counted(name, node, visits, "replace")


def work_loop(name: str, visits: int) -> dict[str, Any]:
    """A work node that is told how often it ran."""
    return _counted(name, {"id": "count", "type": "ModelInvoke", "config": SAY, "write": {"n": 1}}, visits, "add")


def conversation(name: str, messages: int) -> dict[str, Any]:
    """A question asked again and again."""
    node = {"id": "count", "type": "UserInput", "config": {"question": "What next?"}, "write": {"n": 1}}
    definition = _counted(name, node, messages, "add")
    return {**definition, "outputs": {**definition["outputs"], "last": "{{ nodes.count.text }}"}}


def for_each(name: str, items: int, concurrency: int) -> dict[str, Any]:
    """A work node for each item of a list, some at a time."""
    body = {
        "nodes": [{"id": "m", "type": "ModelInvoke", "config": ITEM}],
        "outputs": {"item": "{{ item }}", "index": "{{ index }}", "end": "{{ nodes.m.finish_reason }}"},
    }
    config = {"items": "inputs.items", "concurrency": concurrency, "max_items": items, "do": body}
    return _definition(name, [{"id": "all", "type": "ForEach", "config": config}]) | {
        "inputs": {"items": {"type": "array"}},
        "limits": {"steps": 2 * items + 10},
        "outputs": {"all": "{{ nodes.all.results }}"},
    }


def write_definitions(folder: Path, definitions: Mapping[str, Mapping[str, Any]]) -> None:
    """Put definitions, by name, where a worker finds them."""
    for name, definition in definitions.items():
        (folder / f"{name}.json").write_bytes(to_json(definition))


def _definition(name: str, nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {"name": name, "version": "1.0.0", "nodes": nodes}


def _counted(name: str, node: dict[str, Any], visits: int, reducer: str) -> dict[str, Any]:
    """A definition whose node runs until ``state.n`` says that it did so ``visits`` times."""
    again = {"from": "count", "to": "count", "when": f"state.n < {visits}", "max_visits": visits + 1}
    return _definition(name, [node]) | {
        "edges": [again],
        "limits": {"steps": visits + 10},
        "state": {"n": {"type": "integer", "initial": 0, "reducer": reducer}},
        "outputs": {"n": "{{ state.n }}"},
    }


def _edges(length: int) -> list[dict[str, Any]]:
    return [{"from": node_id(i), "to": node_id(i + 1)} for i in range(length - 1)]
