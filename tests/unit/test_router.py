"""Router: its configuration and the ways it declares."""

import pytest
from pydantic import ValidationError

from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import Way
from orchestrator.node_types.router import RouterConfig


def test_it_declares_its_routes_in_order_and_the_other_way_last() -> None:
    router = NODE_TYPES["Router"]
    config = RouterConfig.model_validate(
        {"routes": [{"when": "a > 1", "to": "x", "max_visits": 3}, {"when": "b", "to": "y"}], "otherwise": "z"}
    )
    assert router.ways is not None
    assert router.ways(config) == (
        Way(to="x", when="a > 1", max_visits=3, at="routes[0]"),
        Way(to="y", when="b", at="routes[1]"),
        Way(to="z", at="otherwise"),
    )


def test_the_workflow_itself_performs_it() -> None:
    assert NODE_TYPES["Router"].activity is None


@pytest.mark.parametrize(
    "config", [{"routes": [], "otherwise": "z"}, {"routes": [{"when": "a", "to": "x"}]}, {"routes": [{"to": "x"}]}]
)
def test_a_way_that_is_missing_is_refused(config: object) -> None:
    with pytest.raises(ValidationError):
        RouterConfig.model_validate(config)
