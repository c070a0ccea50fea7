"""Performs Format."""

import json

from activities.strict_json import read_json
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import NodeError
from orchestrator.node_types.format import FormatConfig

__all__ = ["handle"]


def handle(config: FormatConfig, call: NodeCall) -> NodeOutput:
    """The text, whose template is filled in by now.

    Raises:
        NodeError: It was to be JSON, and is not.
    """
    if config.format != "json":
        return NodeOutput(output={"text": config.template, "data": None})
    try:
        data = read_json(config.template)
    except (ValueError, RecursionError) as error:
        raise NodeError(f"the text of node {call.node!r} is not JSON: {error}; write values with `| tojson`") from error
    return NodeOutput(output={"text": json.dumps(data, indent=2, ensure_ascii=False), "data": data})
