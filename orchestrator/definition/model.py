"""The definition language as data: what an author may write, and what stands for what is left out."""

from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PrivateAttr, StrictStr

from orchestrator.definition.blocks import BLOCK_NAME
from orchestrator.definition.source import Source
from orchestrator.graph.plan import Reducer
from orchestrator.node_types.aliases import canonical
from orchestrator.node_types.base import Duration
from orchestrator.safety import SafetySettings

__all__ = [
    "NAME",
    "NODE_ID",
    "VERSION",
    "BodyModel",
    "ChannelModel",
    "Defaults",
    "Definition",
    "EdgeModel",
    "LimitsModel",
    "NodeModel",
    "RetryModel",
    "SafetyModel",
]

NAME: Final = r"^[a-z0-9][a-z0-9-]{0,99}$"
VERSION: Final = r"^(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})\.(0|[1-9]\d{0,8})(-[0-9A-Za-z][0-9A-Za-z.-]{0,49})?$"
NODE_ID: Final = r"^[A-Za-z][A-Za-z0-9_]{0,99}$"
CHANNEL_TYPES: Final = ("string", "number", "integer", "boolean", "object", "array", "null", "any")


NodeName = Annotated[StrictStr, Field(pattern=NODE_ID)]
OnFailure = Literal["park", "fail"]
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
    cost_usd: float | None = Field(default=None, ge=0, le=1_000_000_000, allow_inf_nan=False)
    """US dollars; none means no cap."""


class NodeModel(_Model):
    """One node."""

    id: NodeName
    type: Annotated[StrictStr, AfterValidator(canonical)]
    """A node type, or another word for one: here it is always the name of the type."""
    description: str = Field(default="", max_length=2_000)
    config: dict[str, Any] = {}
    join: Literal["all", "any"] = "all"
    """With several ways in: `all` waits until each is known, `any` starts with the first that is taken."""
    cancel_others: bool = False
    """With `join: any`: stop the branches that have not arrived."""
    timeout: Duration | None = None
    total_timeout: Duration | None = None
    retry: RetryModel = RetryModel()
    cache: Duration | None = None
    """For how long the output is kept for the same question of the same tenant: of nodes that ask models."""
    write: dict[str, Any] = {}
    """Channel of shared state: what to write into it when the node has finished."""
    on_error: StrictStr | None = None
    """The node to go to when this one fails for good."""
    on_failure: OnFailure | None = None
    """When it fails for good and no way is open to it: `park` waits for somebody to resolve it, `fail` fails the run.
    """
    compensate: StrictStr | None = None
    """The node that undoes this one, should the run not complete."""
    trusted: StrictStr | None = Field(default=None, min_length=10, max_length=500)
    """Why what it gives may be trusted, though it comes from outside or from untrusted text."""


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


class SafetyModel(SafetySettings):
    """How careful the platform is: with what goes to models, and with text that nobody of ours wrote."""

    taint: Literal["refuse", "warn", "off"] | None = None
    """What becomes of a way on which untrusted text decides what an action does."""


class BodyModel(_Model):
    """A graph within a definition: the `do` of a node."""

    nodes: list[NodeModel] = Field(min_length=1)
    edges: list[EdgeModel] = []
    state: dict[NodeName, ChannelModel] = {}
    outputs: dict[NodeName, Any] = {}
    finally_: list[StrictStr] = Field(default=[], alias="finally")


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
    safety: SafetyModel = SafetyModel()
    nodes: list[NodeModel] = Field(min_length=1)
    edges: list[EdgeModel] = []
    state: dict[NodeName, ChannelModel] = {}
    on_failure: OnFailure = "park"
    """For the nodes that do not say otherwise."""
    finally_: list[StrictStr] = Field(default=[], alias="finally")
    """Nodes that run one after the other when the rest is over, however it ended."""
    blocks: dict[Annotated[StrictStr, Field(pattern=BLOCK_NAME)], StrictStr] = {}
    """Name, or ``name@1.2.0``: text that templates put in with ``{{ block("name") }}``."""
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
