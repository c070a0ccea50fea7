"""Counts and times the calls of models, where the worker has metrics. Simulated calls are none: nobody was asked.

The meters of Temporal's SDK count whole numbers only, so money is counted in nano-dollars, as the ledger does.
"""

import asyncio
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Literal

from temporalio import activity
from temporalio.common import MetricMeter

from orchestrator.errors import OrchestratorError
from orchestrator.models import NANO, ModelInfo, known_models

__all__ = [
    "CACHE",
    "CALLS",
    "COST",
    "FALLBACKS",
    "FIRST_TOKEN",
    "OTHER",
    "RATE_WAIT",
    "RETRIES",
    "SECONDS",
    "TOKENS",
    "FirstToken",
    "billed",
    "fell_back",
    "labels_of",
    "looked_up",
    "measured",
    "meter",
    "waited",
]

CALLS = "orchestrator_model_calls"
SECONDS = "orchestrator_model_seconds"
TOKENS = "orchestrator_model_tokens"
COST = "orchestrator_model_cost_nanodollars"
FIRST_TOKEN = "orchestrator_model_first_token_seconds"  # noqa: S105 - a metric
RETRIES = "orchestrator_model_retries"
FALLBACKS = "orchestrator_model_fallbacks"
RATE_WAIT = "orchestrator_model_rate_wait_seconds"
CACHE = "orchestrator_model_cache_lookups"

OTHER = "other"
"""The label of all models that no registry names."""


def labels_of(model: ModelInfo) -> dict[str, str]:
    """The labels ``provider`` and ``model`` of what is counted of a model.

    Any name behind ``<provider>/`` is a model, and definitions may take it from a request; each would make time series
    that stay. So only those of the registries have their own name.
    """
    known = any((it.provider, it.wire_name) == (model.provider, model.wire_name) for it in known_models().values())
    return {"provider": model.provider, "model": model.wire_name if known else OTHER}


def meter() -> MetricMeter:
    """What counts for the activity under way; outside of one, nothing does."""
    return activity.metric_meter() if activity.in_activity() else MetricMeter.noop


@contextmanager
def measured(model: ModelInfo) -> Generator[None]:
    """Count and time the call in the block by provider, model and outcome.

    That is ``ok``, the code of its error, or ``CANCELLED``. A call of an attempt after the first is a retry as well.
    """
    if activity.info().attempt > 1:
        meter().create_counter(RETRIES, "Calls of models in an attempt after the first").add(1, labels_of(model))
    began, outcome = time.monotonic(), "INTERNAL"
    try:
        yield
        outcome = "ok"
    except OrchestratorError as error:
        outcome = error.code
        raise
    except asyncio.CancelledError:
        outcome = "CANCELLED"
        raise
    finally:
        about = {**labels_of(model), "outcome": outcome}
        meter().create_counter(CALLS, "Calls of models that have ended, by outcome").add(1, about)
        _seconds(SECONDS, "How long one call of a model took", time.monotonic() - began, about)


def billed(model: ModelInfo, input_tokens: int | None, output_tokens: int | None, cost_usd: float | None) -> None:
    """Count what a call has taken: the tokens that its provider reported, and what was booked for it; none: unknown."""
    tokens = meter().create_counter(TOKENS, "Tokens of calls of models, as their providers report them")
    for direction, count in (("input", input_tokens), ("output", output_tokens)):
        if count:
            tokens.add(count, {**labels_of(model), "direction": direction})
    if cost_usd:
        cost = meter().create_counter(COST, "What calls of models cost, in nano-dollars (1e-9 US dollars)")
        cost.add(round(cost_usd * NANO), labels_of(model))


class FirstToken:
    """Times how long the first text of a stream takes, from now on.

    Args:
        model: Who was asked.
        counted: Whether it shows in the metrics.
    """

    def __init__(self, model: ModelInfo, *, counted: bool) -> None:
        self._model = model
        self._counted = counted
        self._began = time.monotonic()
        self._came = False

    def came(self) -> float | None:
        """Note that text has come: the seconds that the first took; none for every later one."""
        if self._came:
            return None
        self._came = True
        seconds = time.monotonic() - self._began
        if self._counted:
            _seconds(FIRST_TOKEN, "How long the first text of a stream took", seconds, labels_of(self._model))
        return seconds


def fell_back(model: ModelInfo, reason: str) -> None:
    """Count that ``model`` did not answer, for the ``reason`` (a code), so that the next of the chain is asked."""
    counter = meter().create_counter(FALLBACKS, "Calls that went on to the next model, by who did not answer and why")
    counter.add(1, {**labels_of(model), "reason": reason})


def waited(model: ModelInfo, seconds: float) -> None:
    """Note how long a call of a model that has a rate waited for its place in it."""
    _seconds(RATE_WAIT, "How long calls of a model with a rate waited for it", seconds, labels_of(model))


def looked_up(node_type: str, outcome: Literal["hit", "miss"]) -> None:
    """Count that an answer was looked for among those that are kept."""
    counter = meter().create_counter(CACHE, "Answers that were looked for in the cache, by node type and outcome")
    counter.add(1, {"type": node_type, "outcome": outcome})


def _seconds(name: str, description: str, seconds: float, about: Mapping[str, str]) -> None:
    meter().create_histogram_float(name, description, "s").record(seconds, about)
