"""Nodes that more than one test of this folder needs."""

from typing import Any

from tests.scenarios import compute

__all__ = ["N", "Node", "broken", "call", "child", "for_each", "risky", "shout", "sub", "ticking"]

Node = dict[str, Any]
N: Node = {"n": {"type": "integer", "default": 0}}


def shout(name: str, text: str, **rest: Any) -> Node:
    """A quick node that gives ``text`` in upper case."""
    return {"id": name, "type": "Transform", "config": {"operation": "uppercase", "input": text}, **rest}


def broken(name: str, **rest: Any) -> Node:
    """A quick node that always fails."""
    return compute(name, "1 / 0", {}, **rest)


def risky(name: str, given: Any, **rest: Any) -> Node:
    """A quick node that fails for 0."""
    return compute(name, "6 / input.n", {"n": given}, **rest)


def call(name: str, url: str, **rest: Any) -> Node:
    """A work node that asks a web server."""
    return {"id": name, "type": "HttpRequest", "config": {"url": url}, **rest}


def for_each(name: str, items: Any, nodes: list[Node], outputs: Node, **more: Any) -> Node:
    """A ForEach; ``more`` are fields of its config, of its body (``edges``, ``finally``, ``state``), or of the node."""
    body = {"nodes": nodes, "outputs": outputs} | {
        key: more.pop(key) for key in ("edges", "finally", "state") if key in more
    }
    node = {key: more.pop(key) for key in ("on_error", "on_failure", "compensate", "join") if key in more}
    return {"id": name, "type": "ForEach", "config": {"items": items, "do": body, **more}, **node}


def sub(name: str, nodes: list[Node], outputs: Node, **more: Any) -> Node:
    """An inline Subworkflow."""
    found = for_each(name, "", nodes, outputs, **more)
    del found["config"]["items"]
    return {**found, "type": "Subworkflow"}


def child(name: str, definition: str, **inputs: Any) -> Node:
    """A Subworkflow in a run of its own."""
    return {"id": name, "type": "Subworkflow", "config": {"definition": definition, "mode": "child", "inputs": inputs}}


def ticking(name: str, visits: int) -> tuple[Node, Node]:
    """A work node that runs ``visits`` times, and its back edge: history grows by six events each time."""
    node = {"id": name, "type": "ModelInvoke", "config": {"model": "simulated", "prompt": "tick"}}
    return node, {"from": name, "to": name, "when": "true", "max_visits": visits}
