"""Graphs in which something fails, or that are stopped."""

from collections.abc import Mapping
from types import MappingProxyType

from orchestrator.contracts import ResolveRequest
from tests.e2e.kills.cases.building import call, once, world
from tests.e2e.kills.driver import Case
from tests.e2e.kills.far_side import Answer
from tests.e2e.kills.people import arrived, cancel, mend, release, resolves, says
from tests.scenarios import edge

__all__ = ["FAILING"]

_ON_ERROR = Case(
    world(
        [
            call("a"),
            call("b", on_error="instead"),
            call("instead", "{{ nodes.b.error.code }}"),
            call("after"),
            call("tidy", "{{ run.status }}"),
        ],
        [edge("a", "b"), edge("b", "after")],
        outputs={"code": "{{ nodes.instead.body.got if nodes.instead is defined else '' }}"},
        **{"finally": ["tidy"]},
    ),
    broken={"b": Answer(404)},
    done=once("a#1", "instead#1", "tidy#1"),
    outputs={"code": "PROVIDER_REJECTED"},
)
_UNDONE = Case(
    world(
        [
            call("book", compensate="cancel"),
            call("rent", compensate="cancel"),
            call("pay"),
            call("cancel", "{{ output.body.path }}"),
            call("note", "{{ run.status }}"),
        ],
        [edge("book", "rent"), edge("rent", "pay")],
        on_failure="fail",
        **{"finally": ["note"]},
    ),
    broken={"pay": Answer(402)},
    done=once("book#1", "rent#1", "cancel:rent#1", "cancel:book#1", "note#1"),
    status="failed",
)
_CANCELLED = Case(
    world(
        [
            call("book", compensate="cancel"),
            call("rent", compensate="cancel"),
            call("ship"),
            call("cancel", "{{ output.body.path }}"),
            call("note", "{{ run.status }}"),
        ],
        [edge("book", "rent"), edge("rent", "ship")],
        **{"finally": ["note"]},
    ),
    held=frozenset({"ship"}),
    people=(arrived("ship"), cancel),
    done=once("book#1", "rent#1", "ship#1", "cancel:rent#1", "cancel:book#1", "note#1"),
    status="cancelled",
)
_TIMED_OUT = Case(
    world(
        [
            call("book", compensate="cancel"),
            call("ship"),
            call("cancel", "{{ output.body.path }}"),
            call("note", "{{ run.status }}"),
        ],
        [edge("book", "ship")],
        # Long enough to get to `ship` over a death on a busy machine.
        limits={"timeout": "10s"},
        **{"finally": ["note"]},
    ),
    held=frozenset({"ship"}),
    done=once("book#1", "ship#1", "cancel:book#1", "note#1"),
    status="timed_out",
)
_PARKED = Case(
    world(
        [call("a"), call("pay"), call("aside"), call("end")],
        [edge("a", "pay"), edge("a", "aside"), edge("pay", "end"), edge("aside", "end")],
        outputs={"paid": "{{ nodes.pay.body.got }}"},
    ),
    broken={"pay": Answer(402)},
    people=(
        says(RunStatus="needs_attention", CurrentNode="pay"),
        mend("pay"),
        resolves(ResolveRequest(action="retry", node="pay", config={"json": "again"}, by="ada")),
    ),
    done=once("a#1", "pay#1", "aside#1", "end#1"),
    outputs={"paid": "again"},
)
_OVERRIDDEN = Case(
    world(
        [call("a"), call("pay"), call("end", "{{ nodes.pay.body }}"), call("extra")],
        [edge("a", "pay"), edge("pay", "end"), edge("a", "extra")],
        outputs={"paid": "{{ nodes.end.body.got }}"},
    ),
    broken={"pay": Answer(402), "extra": Answer(402)},
    held=frozenset({"extra"}),
    people=(
        says(RunStatus="needs_attention", CurrentNode="pay"),
        resolves(ResolveRequest(action="override", node="pay", output={"body": "by hand"})),
        release,
        says(RunStatus="needs_attention", CurrentNode="extra"),
        resolves(ResolveRequest(action="skip", node="extra")),
    ),
    done=once("a#1", "end#1"),
    outputs={"paid": "by hand"},
)
FAILING: Mapping[str, Case] = MappingProxyType(
    {
        "on_error and finally": _ON_ERROR,
        "undone on failure": _UNDONE,
        "undone on cancellation": _CANCELLED,
        "undone on timeout": _TIMED_OUT,
        "parked and retried": _PARKED,
        "parked, overridden and skipped": _OVERRIDDEN,
    }
)
