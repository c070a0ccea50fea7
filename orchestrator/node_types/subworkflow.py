"""Subworkflow: runs another definition, or a graph written in place, as one node."""

from typing import Annotated, Literal, Self

from pydantic import model_validator

from orchestrator.node_types.base import NodeType, VerbatimMark
from orchestrator.node_types.bodied import BodiedConfig


class SubworkflowConfig(BodiedConfig):
    """The graph, its inputs, and whether it is part of this run."""

    mode: Annotated[Literal["inline", "child"], VerbatimMark()] = "inline"
    """``inline``: in this run. ``child``: in a run of its own, which needs ``definition``."""

    @model_validator(mode="after")
    def _child_has_a_name(self) -> Self:
        if self.mode == "child" and self.definition is None:
            raise ValueError("needs `definition` for `mode: child`: a run of its own is started by name")
        return self


SUBWORKFLOW = NodeType(
    name="Subworkflow",
    summary="Runs a graph written in place, or a definition by name, and gives its outputs.",
    tier="control",
    config=SubworkflowConfig,
    outputs=None,
    has_body=True,
)
