"""Does what ``estimate``, and ``--estimate`` of ``run`` and ``start``, ask for."""

import sys
from collections.abc import Mapping, Sequence
from typing import Any, TextIO

from activities.providers.opening import anything_configured
from orchestrator.cli.output import data, say, table
from orchestrator.cli.requests import Wanted, find_definition, read_inputs
from orchestrator.compiler import compile_definition
from orchestrator.contracts import LimitsRequest
from orchestrator.definition.library import Library
from orchestrator.definition.limits import tighten
from orchestrator.definition.model import Definition
from orchestrator.errors import DefinitionNotFoundError, RequestError
from orchestrator.estimating import Estimate, NodeEstimate
from orchestrator.estimating import estimate as estimated
from orchestrator.models import Price, dollars
from orchestrator.settings import Settings, load_settings

__all__ = ["affordable", "show"]

_COLUMNS = ("node", "visits", "models", "least", "most")
_UNKNOWN = "not known"
_SMALL = 100_000
"""Nano-dollars, below which millionths are too coarse."""


def show(reference: str, inputs: str | None, values: Sequence[str], *, as_json: bool) -> None:
    """Print what a run of a definition can cost.

    Raises:
        DefinitionError: It breaks rules.
        DefinitionNotFoundError: It is not here.
        InputError: The inputs do not fit.
    """
    settings = load_settings()
    definition = find_definition(reference, settings.definitions_dir)
    found = _estimate(definition, read_inputs(inputs, values, definition), LimitsRequest(), settings)
    if as_json:
        data(_about(found))
        return
    _print(found, settings, sys.stdout)


def affordable(asked: Wanted, settings: Settings) -> None:
    """Tell what a run will cost before it begins.

    Raises:
        RequestError: It costs more than it may even at least, or its definition is not on this machine.
        OrchestratorError: The inputs do not fit the definition, or it breaks rules.
    """
    if asked.problem is not None and not isinstance(asked.problem, DefinitionNotFoundError):
        raise asked.problem
    if asked.definition is None:
        raise RequestError(
            f"what `{asked.name}` costs cannot be estimated: only the worker can find it. Give its file, or set "
            "ORCHESTRATOR_DEFINITIONS_DIR to the folder it is in"
        )
    found = _estimate(asked.definition, asked.request.inputs, asked.request.limits, settings)
    _print(found, settings, sys.stderr)
    if found.cap is not None and found.over_cap:
        raise RequestError(
            f"the run would cost {_dollars(found.least)} at least, more than the {_dollars(found.cap)} that it may "
            "(`limits.cost_usd` of the definition, or --max-cost); nothing was started",
            details={"least_usd": _number(found.least), "cap_usd": _number(found.cap)},
        )


def _estimate(definition: Definition, inputs: Mapping[str, Any], limits: LimitsRequest, settings: Settings) -> Estimate:
    find = Library(settings.definitions_dir).find
    plan = compile_definition(definition, find)
    return estimated(
        plan,
        inputs,
        limits=tighten(plan.limits, limits),
        child=lambda name: compile_definition(find(name), find),
        otherwise=Price(*settings.unknown_price) if settings.unknown_price else None,
    )


def _print(found: Estimate, settings: Settings, stream: TextIO) -> None:
    """The nodes that pay as a table; then, for people, what is not known of them and what they cost together."""
    if not found.nodes:
        say(f"a run of {found.definition} {found.version} asks no models and costs nothing")
        return
    table(_COLUMNS, map(_row, found.nodes), stream)
    for doubt in found.unknown:
        say(f"not known: {doubt.node}{f' ({doubt.model})' if doubt.model else ''}: {doubt.why}")
    say(f"a run of {found.definition} {found.version} costs {_dollars(found.least)} at least{_rest(found)}")
    if not anything_configured(settings):
        say("no model provider is configured here: a worker with these settings simulates them, which costs nothing")


def _rest(found: Estimate) -> str:
    if found.cap is not None and found.over_cap:
        return f", more than its cap of {_dollars(found.cap)}"
    cap = "" if found.cap is None else f" (its cap: {_dollars(found.cap)})"
    return (
        f", and nobody knows how much at most{cap}"
        if found.most is None
        else f" and {_dollars(found.most)} at most{cap}"
    )


def _row(node: NodeEstimate) -> tuple[str, ...]:
    few, many = node.least_visits, node.most_visits
    visits = f"{few:,}" if few == many else f"{few:,} to {many:,}"
    most = _UNKNOWN if node.most is None else _dollars(node.most)
    return node.node, visits, ", ".join(node.models), _dollars(node.least), most


def _about(found: Estimate) -> dict[str, Any]:
    return {
        "definition": found.definition,
        "version": found.version,
        "least_usd": _number(found.least),
        "most_usd": _number(found.most),
        "cap_usd": _number(found.cap),
        "nodes": [
            {
                "node": node.node,
                "type": node.type,
                "models": list(node.models),
                "least_visits": node.least_visits,
                "most_visits": node.most_visits,
                "least_usd": _number(node.least),
                "most_usd": _number(node.most),
            }
            for node in found.nodes
        ],
        "unknown": [{"node": it.node, "model": it.model, "why": it.why} for it in found.unknown],
    }


def _number(nano: int | None) -> float | None:
    return None if nano is None else float(dollars(nano))


def _dollars(nano: int) -> str:
    """With enough places that what is something is not shown as nothing."""
    return f"${dollars(nano):,.{6 if nano == 0 or nano >= _SMALL else 9}f}"
