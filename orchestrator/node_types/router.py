"""Router: takes exactly one way, the first whose condition holds."""

from pydantic import Field

from orchestrator.node_types.base import Cel, ConfigModel, NodeType, Verbatim, Way


class Route(ConfigModel):
    """One way: to node ``to`` when the CEL expression ``when`` is true."""

    when: Cel
    to: Verbatim
    max_visits: int | None = Field(default=None, ge=1)
    """Needed when ``to`` lies before the router: the most times ``to`` runs each time its loop is entered."""


class RouterConfig(ConfigModel):
    """The routes in the order they are tried, and where to go when none holds."""

    routes: tuple[Route, ...] = Field(min_length=1)
    otherwise: Verbatim


def _ways(config: RouterConfig) -> tuple[Way, ...]:
    routes = tuple(
        Way(to=route.to, when=route.when, max_visits=route.max_visits, at=f"routes[{index}]")
        for index, route in enumerate(config.routes)
    )
    return (*routes, Way(to=config.otherwise, at="otherwise"))


ROUTER = NodeType(
    name="Router",
    summary="Takes exactly one way: the first route whose condition holds, else `otherwise`.",
    tier="control",
    config=RouterConfig,
    outputs=("to",),
    ways=_ways,
)
