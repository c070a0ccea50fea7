"""What each operation of Transform does: one function each, without a clock, random numbers or anything outside."""

from collections.abc import Mapping
from types import MappingProxyType

from activities.operations.evaluating import EVALUATING
from activities.operations.formats import FORMATS
from activities.operations.lists import LISTS
from activities.operations.maps import MAPS
from activities.operations.texts import TEXTS
from activities.operations.values import Perform

__all__ = ["OPERATIONS"]

OPERATIONS: Mapping[str, Perform] = MappingProxyType({**EVALUATING, **LISTS, **MAPS, **TEXTS, **FORMATS})
"""By the names of ``orchestrator.node_types.operations``."""
