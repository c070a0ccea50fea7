"""Performs a node by its handler alone, as an activity would once templates are filled in."""

from typing import Any, TypeVar

from activities.runtime import Handler
from orchestrator.contracts import NodeCall
from orchestrator.node_types.base import ConfigModel
from tests.unit.loopback import call

__all__ = ["handled"]

Config = TypeVar("Config", bound=ConfigModel)


async def handled(
    handler: Handler[Config], model: type[Config], config: dict[str, Any], node_call: NodeCall | None = None
) -> dict[str, Any]:
    """The output of one attempt, by default of visit 1 of the node ``node``."""
    return (await handler(model.model_validate(config), node_call or call(model.__name__, config))).output
