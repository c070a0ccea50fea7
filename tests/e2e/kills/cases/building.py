"""What the cases are built from."""

from typing import Any

from tests.scenarios import graph

__all__ = ["Json", "approval", "call", "once", "world"]

Json = dict[str, Any]
_SOON = {"retry": {"max_attempts": 5, "initial_delay": "20ms", "max_delay": "50ms"}}


def call(name: str, body: Any = None, path: str | None = None, **rest: Any) -> Json:
    """A node that has something done outside."""
    config = {"url": f"{{{{ inputs.far }}}}/{path or name}", "method": "POST", "json": body}
    return {"id": name, "type": "HttpRequest", "config": config, **rest}


def approval(name: str, **config: Any) -> Json:
    """A node that asks for a decision."""
    return {"id": name, "type": "Approval", "config": {"question": "May I?", **config}}


def world(nodes: list[Json], edges: list[Json] | None = None, **rest: Any) -> Json:
    """A definition that is told where the world is."""
    inputs = {"far": {"type": "string"}, **rest.pop("inputs", {})}
    return graph(nodes, edges, inputs=inputs, defaults=_SOON, **rest)


def once(*visits: str) -> dict[str, int]:
    """Each of these visits, done once."""
    return dict.fromkeys(visits, 1)
