"""Performs DataInput."""

from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.node_types.data_input import DataInputConfig

__all__ = ["handle"]


def handle(config: DataInputConfig, _call: NodeCall) -> NodeOutput:
    """The data, whose templates are filled in by now."""
    return NodeOutput(output={"data": config.data})
