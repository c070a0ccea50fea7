"""What every node that runs a graph of its own has in its configuration: the graph, and what it is given."""

import re
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, Field, model_validator

from orchestrator.node_types.base import ConfigModel, VerbatimMark, WrittenMark

__all__ = ["BodiedConfig"]


_REFERENCE: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,99}(@[0-9A-Za-z.-]{1,100})?")


def _reference(value: str) -> str:
    if _REFERENCE.fullmatch(value) is None:
        raise ValueError("must be `name` or `name@1.2.0` of a definition")
    return value


class BodiedConfig(ConfigModel):
    """A graph written in place, or the name of a definition; and its inputs."""

    do: Annotated[dict[str, Any] | None, VerbatimMark()] = None
    """A graph: ``nodes``, ``edges``, ``state``, ``outputs`` and ``finally``, as in a definition."""
    definition: Annotated[Annotated[str, AfterValidator(_reference)] | None, VerbatimMark()] = None
    """In place of ``do``: ``name`` or ``name@version`` of a definition in the library."""
    inputs: Annotated[dict[str, Any], WrittenMark()] = Field(default={})
    """Name: template. All that the graph is given."""

    @model_validator(mode="after")
    def _one_graph(self) -> Self:
        if (self.do is None) == (self.definition is None):
            raise ValueError("needs either `do` or `definition`")
        return self
