"""The table of node types: one file each, one line each."""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.node_types.approval import APPROVAL
from orchestrator.node_types.base import NodeType
from orchestrator.node_types.data_input import DATA_INPUT
from orchestrator.node_types.for_each import FOR_EACH
from orchestrator.node_types.format import FORMAT
from orchestrator.node_types.http_request import HTTP_REQUEST
from orchestrator.node_types.model_invoke import MODEL_INVOKE
from orchestrator.node_types.router import ROUTER
from orchestrator.node_types.subworkflow import SUBWORKFLOW
from orchestrator.node_types.transform import TRANSFORM
from orchestrator.node_types.user_input import USER_INPUT
from orchestrator.node_types.wait import WAIT

__all__ = ["NODE_TYPES"]

NODE_TYPES: Mapping[str, NodeType] = MappingProxyType(
    {
        "Approval": APPROVAL,
        "DataInput": DATA_INPUT,
        "ForEach": FOR_EACH,
        "Format": FORMAT,
        "HttpRequest": HTTP_REQUEST,
        "ModelInvoke": MODEL_INVOKE,
        "Router": ROUTER,
        "Subworkflow": SUBWORKFLOW,
        "Transform": TRANSFORM,
        "UserInput": USER_INPUT,
        "Wait": WAIT,
    }
)
"""Every node type by the name that a definition uses."""
