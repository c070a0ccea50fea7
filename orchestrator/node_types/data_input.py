"""DataInput: introduces constants, or gives inputs another shape."""

from typing import Any

from orchestrator.node_types.base import ConfigModel, NodeType


class DataInputConfig(ConfigModel):
    """The data, any JSON value; templates in it are filled in."""

    data: Any


DATA_INPUT = NodeType(
    name="DataInput",
    summary="Gives `data` as it stands, with its templates filled in.",
    tier="quick",
    config=DataInputConfig,
    outputs=("data",),
    timeout=5.0,
)
