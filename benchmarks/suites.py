"""All that can be measured in the laboratory, by the names that ``--only`` takes."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from benchmarks.flows import FLOW_DEFINITIONS, flows
from benchmarks.items import ITEM_DEFINITIONS, items
from benchmarks.latency import latency
from benchmarks.measures import CORE, CORE_DEFINITIONS, Measure
from benchmarks.peers.measure import peers
from benchmarks.recovery import recovery
from benchmarks.streams import streams
from benchmarks.waiting import waiting

__all__ = ["DEFINITIONS", "MEASURES"]

DEFINITIONS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {**CORE_DEFINITIONS, **ITEM_DEFINITIONS, **FLOW_DEFINITIONS}
)
"""Everything that the measures run, by name."""
MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        **CORE,
        "items": Measure("what an item of a ForEach and a visit of a loop take", items),
        "latency": Measure("from the start call to the first node", latency),
        "flows": Measure("40 light, 10 long and 400 light tasks", flows),
        "waiting": Measure("memory of the worker for a waiting run", waiting),
        "recovery": Measure("from SIGKILL of a worker to the next node on another", recovery),
        "streams": Measure("from the provider's sending a token to its reader", streams),
        "peers": Measure("the same chain in LangGraph and in DBOS", peers),
    }
)
"""The measures, in the order in which they are taken."""
