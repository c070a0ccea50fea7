"""SaveToFile: content into a file of a folder that the worker allows."""

from typing import Annotated, Any, Literal

from pydantic import Field

from orchestrator.node_types.base import ConfigModel, NodeType, VerbatimMark
from orchestrator.node_types.trust import Trust


class SaveToFileConfig(ConfigModel):
    """Where to, what, and how it is written. There is no appending: a repeated attempt would append twice."""

    path: str = Field(min_length=1, max_length=4096)
    """Relative to the first of the worker's folders, or absolute and within one of them."""
    content: Any
    format: Literal["text", "json", "csv", "file"] = "text"
    """``csv`` takes a list of maps or of lists; ``file`` a file, such as an answer that HttpRequest kept as one."""
    mode: Literal["replace", "create"] = "replace"
    """``create``: a file that is there with another content is an error."""
    parents: Annotated[bool, VerbatimMark()] = False
    """Makes the folders that are missing."""


SAVE_TO_FILE = NodeType(
    name="SaveToFile",
    summary="Writes text, JSON, CSV or a file into one of the worker's folders, whole or not at all.",
    tier="work",
    config=SaveToFileConfig,
    outputs=("path", "bytes", "sha256"),
    timeout=60.0,
    trust=Trust(clean=("bytes", "sha256"), acts={"path": "the name of a file"}),
)
