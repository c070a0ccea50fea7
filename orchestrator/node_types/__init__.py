"""The table of node types: one file each, one line each."""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.node_types.approval import APPROVAL
from orchestrator.node_types.base import NodeType
from orchestrator.node_types.data_input import DATA_INPUT
from orchestrator.node_types.database_insert import DATABASE_INSERT
from orchestrator.node_types.database_query import DATABASE_QUERY
from orchestrator.node_types.embed import EMBED
from orchestrator.node_types.for_each import FOR_EACH
from orchestrator.node_types.format import FORMAT
from orchestrator.node_types.http_request import HTTP_REQUEST
from orchestrator.node_types.installed import NodeTypes
from orchestrator.node_types.model_invoke import MODEL_INVOKE
from orchestrator.node_types.router import ROUTER
from orchestrator.node_types.save_to_file import SAVE_TO_FILE
from orchestrator.node_types.send_email import SEND_EMAIL
from orchestrator.node_types.subworkflow import SUBWORKFLOW
from orchestrator.node_types.transform import TRANSFORM
from orchestrator.node_types.user_input import USER_INPUT
from orchestrator.node_types.wait import WAIT

__all__ = ["BUILT_IN", "NODE_TYPES"]

BUILT_IN: Mapping[str, NodeType] = MappingProxyType(
    {
        "Approval": APPROVAL,
        "DataInput": DATA_INPUT,
        "DatabaseInsert": DATABASE_INSERT,
        "DatabaseQuery": DATABASE_QUERY,
        "Embed": EMBED,
        "ForEach": FOR_EACH,
        "Format": FORMAT,
        "HttpRequest": HTTP_REQUEST,
        "ModelInvoke": MODEL_INVOKE,
        "Router": ROUTER,
        "SaveToFile": SAVE_TO_FILE,
        "SendEmail": SEND_EMAIL,
        "Subworkflow": SUBWORKFLOW,
        "Transform": TRANSFORM,
        "UserInput": USER_INPUT,
        "Wait": WAIT,
    }
)
"""The node types of this project by the name that a definition uses."""

NODE_TYPES = NodeTypes(BUILT_IN)
"""Every node type by the name that a definition uses: the built-in ones, then those of installed packages."""
