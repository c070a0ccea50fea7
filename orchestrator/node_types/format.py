"""Format: builds one text out of a template."""

from typing import Literal

from orchestrator.node_types.base import ConfigModel, NodeType, Text


class FormatConfig(ConfigModel):
    """The template, and what kind of text it gives."""

    template: Text
    format: Literal["text", "markdown", "json"] = "text"
    """``json``: the text must be JSON; it is laid out anew, and ``data`` holds its value. Else ``data`` is null."""


FORMAT = NodeType(
    name="Format",
    summary="Fills in a template and gives the text; with `format: json` also the value it stands for.",
    tier="quick",
    config=FormatConfig,
    outputs=("text", "data"),
    timeout=5.0,
)
