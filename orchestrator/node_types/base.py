"""What a node type declares: its name, tier, configuration, outputs and patience."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import to_json

from orchestrator.graph.durations import parse_duration
from orchestrator.graph.plan import EdgeKind, Retry, Tier
from orchestrator.node_types.trust import Trust

__all__ = [
    "MODEL_PATIENCE_S",
    "Cel",
    "CelMark",
    "ConfigModel",
    "Duration",
    "NodeType",
    "Text",
    "Verbatim",
    "VerbatimMark",
    "Way",
    "WrittenMark",
    "cel_fields",
    "fixed_fields",
    "unrendered_fields",
]


MODEL_PATIENCE_S = 900.0
"""Seconds for an attempt to ask models. A provider may think in silence for ten minutes (ORCHESTRATOR_MODEL_TIMEOUT),
and an attempt that ends before it is paid for in vain. This leaves five for a fallback, or to ask again."""


@dataclass(frozen=True, slots=True)
class CelMark:
    """Marks a config field that holds a CEL expression, not a template.

    ``names`` are what the expression may refer to; none means the run's data, as in the condition of an edge.
    """

    names: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class VerbatimMark:
    """Marks a config field that is taken as it stands: no template, no expression."""


@dataclass(frozen=True, slots=True)
class WrittenMark:
    """Marks a config field that is no template itself, though what is in it may hold some."""


def _seconds(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return parse_duration(value) if number or isinstance(value, str) else value


def _as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else to_json(value).decode()


Cel = Annotated[str, CelMark()]
Verbatim = Annotated[str, VerbatimMark()]
Text = Annotated[str, BeforeValidator(_as_text)]
"""Text; what is not text (a reference to a list, a number in YAML) becomes its JSON. Null is refused."""
Duration = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "pattern": r"^([0-9]+(\.[0-9]+)?(ms|[dhms]))+$"},
                {"type": "number", "exclusiveMinimum": 0},
            ],
            "description": "500ms, 60s, 5m, 2h, 7d, 1h30m, or a number of seconds",
        }
    ),
]
"""Seconds; authors may write ``1h30m``."""


class ConfigModel(BaseModel):
    """Base of every node type's configuration. Strings may be templates unless marked ``Cel`` or ``Verbatim``."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def unrendered_fields(config: type[ConfigModel]) -> frozenset[str]:
    """Names, as an author writes them, of the top-level fields that hold no template: expressions and verbatim text."""
    return _marked(config, (CelMark, VerbatimMark))


def cel_fields(config: type[ConfigModel]) -> frozenset[str]:
    """Names, as an author writes them, of the top-level fields that may hold an expression."""
    return _marked(config, (CelMark,))


def fixed_fields(config: type[ConfigModel]) -> frozenset[str]:
    """Names, as an author writes them, of the top-level fields whose shape is known before the node runs."""
    return _marked(config, (CelMark, VerbatimMark, WrittenMark))


def _marked(config: type[ConfigModel], marks: tuple[type, ...]) -> frozenset[str]:
    return frozenset(
        info.alias or name
        for name, info in config.model_fields.items()
        if any(isinstance(mark, marks) for mark in info.metadata)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """A way out that a node's own configuration declares. ``at`` is where in the config, for error messages."""

    to: str
    when: str | None = None
    max_visits: int | None = None
    at: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeType:
    """One row of the table of node types.

    ``outputs`` names the fields of ``nodes.<id>``; none means that they depend on the configuration.
    ``timeout`` is the patience per attempt in seconds, where neither node nor definition says otherwise.
    ``ways`` lists the ways out that the configuration declares; such a node has no ``edges`` of its own, and takes
    exactly one way. ``asides`` are the fields of the configuration that name a node to go to instead, and on which end
    of a visit that way is taken. ``has_body``: the configuration has a graph of its own, in ``do`` or named by
    ``definition``, which is given ``inputs``; ``body_roots`` is what a ``do`` sees beside what every graph sees.
    ``pays``: a visit costs money, so its activity is told whose it is. ``trust``: how text that nobody of ours wrote
    passes through it; unless it says otherwise, its output is as trustworthy as what it reads.
    """

    name: str
    summary: str
    tier: Tier
    config: type[ConfigModel]
    outputs: tuple[str, ...] | None
    timeout: float = 60.0
    retry: Retry = field(default_factory=Retry)
    ways: Callable[[Any], tuple[Way, ...]] | None = None
    asides: Mapping[str, EdgeKind] = field(default_factory=dict[str, EdgeKind])
    has_body: bool = False
    body_roots: tuple[str, ...] = ()
    pays: bool = False
    trust: Trust = field(default_factory=Trust)

    @property
    def activity(self) -> str | None:
        """Name of the activity that performs it; none for a control node, which the workflow performs itself."""
        return None if self.tier == "control" else self.name
