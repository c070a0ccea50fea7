"""A run's inputs against its definition."""

from collections.abc import Mapping
from typing import Any

from orchestrator.definition.model import Definition
from orchestrator.definition.words import did_you_mean
from orchestrator.graph.inputs import filled_inputs

__all__ = ["check_inputs"]


def check_inputs(definition: Definition, given: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a run: ``given`` with the defaults filled in, in the definition's order.

    Raises:
        InputError: Some are missing, unknown or do not fit; the message names them, and of unknown ones the first 20.
    """
    return filled_inputs(definition.inputs, given, definition.name, did_you_mean)
