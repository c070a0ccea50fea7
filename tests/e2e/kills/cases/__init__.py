"""One small graph for each feature, each with nodes that do something outside. A new feature is one more case here."""

from collections.abc import Mapping
from types import MappingProxyType

from tests.e2e.kills.cases.failing import FAILING
from tests.e2e.kills.cases.flow import FLOW
from tests.e2e.kills.cases.nested import NESTED
from tests.e2e.kills.cases.waiting import WAITING
from tests.e2e.kills.driver import Case

__all__ = ["CASES"]

CASES: Mapping[str, Case] = MappingProxyType({**FLOW, **NESTED, **WAITING, **FAILING})
