"""Performs Transform."""

from pydantic_core import PydanticSerializationError

from activities.operations import OPERATIONS
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import NodeError
from orchestrator.node_types.transform import TransformConfig

__all__ = ["OPERATIONS", "handle"]


def handle(config: TransformConfig, call: NodeCall) -> NodeOutput:
    """The result of the operation.

    Raises:
        NodeError: The input is not what the operation works on.
        ExpressionError: An expression could not be evaluated.
    """
    try:
        result = OPERATIONS[config.operation](config)
    except NodeError as error:
        raise NodeError(f"node {call.node!r}, operation {config.operation!r}: {error.message}") from error
    except (UnicodeEncodeError, PydanticSerializationError) as error:
        raise NodeError(f"node {call.node!r}, operation {config.operation!r}: its text has half a character") from error
    return NodeOutput(output={"result": result})
