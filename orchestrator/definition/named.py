"""Definitions that a node names: found in the library, and given the inputs that they declare."""

from collections.abc import Callable
from typing import Any, Final

from orchestrator.definition.draft import Draft
from orchestrator.definition.model import Definition
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, Issue, RequestError
from orchestrator.graph.plan import Path

__all__ = ["MOST_NESTED", "Find", "look_up", "nested_too_deep"]

Find = Callable[[str], Definition]
"""Gives the definition that ``name`` or ``name@version`` stands for; raises what ``Library.load`` raises."""
MOST_NESTED: Final = 10
"""How many graphs may stand in each other."""


def look_up(draft: Draft, number: int, find: Find | None) -> tuple[Definition | None, list[Issue]]:
    """The definition that a node names, if it can be found, and what is wrong with the name or with its inputs."""
    config = draft.definition.nodes[number].config
    name, path = config["definition"], (*draft.node_path(number), "config", "definition")
    if find is None:
        if config.get("mode") == "child":
            return None, []
        message = f"The definition `{name}` cannot be looked for here: there is no folder of definitions"
        return None, [draft.issue("DEF045", path, message)]
    try:
        found = find(name)
    except (DefinitionNotFoundError, RequestError) as error:
        return None, [draft.issue("DEF045", path, error.message[:1].upper() + error.message[1:])]
    except DefinitionError as error:
        return None, [draft.issue("DEF045", path, f"The definition `{name}` is broken: {error.message}")]
    return found, _wrong_inputs(draft, number, found)


def _wrong_inputs(draft: Draft, number: int, named: Definition) -> list[Issue]:
    node = draft.definition.nodes[number]
    given: dict[str, Any] = node.config.get("inputs", {})
    path = (*draft.node_path(number), "config")
    issues: list[Issue] = []
    for name in given:
        if name not in named.inputs:
            message = f"`{named.name}` has no input `{name}`"
            hint = did_you_mean(name, named.inputs)
            issues.append(draft.issue("DEF046", (*path, "inputs", name), message, hint, key=True))
    for name, spec in named.inputs.items():
        needed = "default" not in spec and spec.get("required") is not False
        if needed and name not in given:
            message = f"`{named.name}` needs the input `{name}`"
            place = (*path, "inputs") if "inputs" in node.config else (*path, "definition")
            issues.append(draft.issue("DEF046", place, message, "Add it to `inputs`."))
    return issues


def nested_too_deep(draft: Draft, path: Path) -> Issue:
    """The issue of a graph that stands in too many others."""
    message = f"More than {MOST_NESTED} graphs stand in each other here"
    return draft.issue("DEF047", path, message, "Use `mode: child`, which starts a run of its own.")
