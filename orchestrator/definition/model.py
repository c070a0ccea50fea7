"""The definition language as data: what an author may write, and what stands for what is left out."""

from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PrivateAttr, StrictStr, WithJsonSchema

from orchestrator.definition.source import Source
from orchestrator.graph.durations import parse_duration
from orchestrator.graph.plan import Reducer

__all__ = [
    "NAME",
    "NODE_ID",
    "VERSION",
    "ChannelModel",
    "Defaults",
    "Definition",
    "Duration",
    "EdgeModel",
    "LimitsModel",
    "NodeModel",
    "RetryModel",
]

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,99}$"
VERSION: Final = r"^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z][0-9A-Za-z.-]{0,49})?$"
NODE_ID: Final = r"^[A-Za-z][A-Za-z0-9_]{0,99}$"
CHANNEL_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null", "any")


def _seconds(value: Any) -> Any:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return parse_duration(value) if number or isinstance(value, str) else value


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

NodeName = Annotated[StrictStr, Field(pattern=NODE_ID)]
MaxVisits = Annotated[int, Field(ge=1, le=100_000)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RetryModel(_Model):
    """How often, and how long apart, a node is tried. What is left out comes from the defaults, then the node type."""

    max_attempts: int | None = Field(default=None, ge=1, le=1_000)
    """How many times in all; 1 means no retry."""
    strategy: Literal["fixed", "linear", "exponential"] | None = None
    initial_delay: Duration | None = None
    multiplier: float | None = Field(default=None, ge=1, le=100)
    max_delay: Duration | None = None
    jitter: bool | None = None


class Defaults(_Model):
    """What holds for every node that does not say otherwise."""

    timeout: Duration | None = None
    """For each attempt."""
    total_timeout: Duration | None = None
    """For all attempts together."""
    retry: RetryModel = RetryModel()


class LimitsModel(_Model):
    """What a run may use."""

    steps: int = Field(default=10_000, ge=1, le=1_000_000)
    """Visits of nodes."""
    timeout: Duration | None = None
    """For the whole run; none means no end."""
    max_parallel: int = Field(default=100, ge=1, le=1_000)
    """Nodes under way at the same time."""
    cost_usd: float | None = Field(default=None, ge=0)
    """US dollars; none means no cap."""


class NodeModel(_Model):
    """One node."""

    id: NodeName
    type: StrictStr
    description: str = Field(default="", max_length=2_000)
    config: dict[str, Any] = {}
    join: Literal["all", "any"] = "all"
    """With several ways in: `all` waits until each is known, `any` starts with the first that is taken."""
    cancel_others: bool = False
    """With `join: any`: stop the branches that have not arrived."""
    timeout: Duration | None = None
    total_timeout: Duration | None = None
    retry: RetryModel = RetryModel()
    write: dict[str, Any] = {}
    """Channel of shared state: what to write into it when the node has finished."""


class EdgeModel(_Model):
    """One way from a node to another."""

    source: Annotated[StrictStr, Field(alias="from")]
    target: Annotated[StrictStr, Field(alias="to")]
    when: StrictStr | None = None
    """CEL expression; the edge is taken when it is true."""
    max_visits: MaxVisits | None = None
    """Marks an edge that leads back: the most times its target runs each time the loop is entered."""


class ChannelModel(_Model):
    """One channel of shared state."""

    type: Literal["string", "number", "integer", "boolean", "object", "array", "null", "any"] = "any"
    initial: Any = None
    """Value at the start; left out, it is the empty value of the type."""
    reducer: Reducer = "replace"


class Definition(_Model):
    """A whole definition."""

    name: Annotated[StrictStr, Field(pattern=NAME)]
    version: Annotated[StrictStr, Field(pattern=VERSION)] = "1.0.0"
    description: str = Field(default="", max_length=10_000)
    access: Literal["PRIVATE", "AUTHED", "PUBLIC", "SHARED", "ADMIN_ONLY"] = "PRIVATE"
    inputs: dict[NodeName, dict[str, Any]] = {}
    """Name: JSON Schema of the value, with `default` for an input that may be left out."""
    limits: LimitsModel = LimitsModel()
    defaults: Defaults = Defaults()
    nodes: list[NodeModel] = Field(min_length=1)
    edges: list[EdgeModel] = []
    state: dict[NodeName, ChannelModel] = {}
    outputs: dict[NodeName, Any] = {}
    """Name: template; or `{value: template, type: …}` with any keywords of JSON Schema beside `value`."""

    _source: Source = PrivateAttr(default_factory=lambda: Source({}))

    @property
    def source(self) -> Source:
        """What it was read from: the data as written, and where in the text everything stands."""
        return self._source

    def with_source(self, source: Source) -> "Definition":
        """The same definition that knows what it was read from."""
        copy = self.model_copy()
        copy._source = source  # noqa: SLF001 - its own class
        return copy
