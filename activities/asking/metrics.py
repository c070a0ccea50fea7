"""Counts and times the calls of models, where the worker has metrics."""

import time
from collections.abc import Generator
from contextlib import contextmanager

from temporalio import activity

from orchestrator.errors import OrchestratorError
from orchestrator.models import ModelInfo

__all__ = ["CALLS", "SECONDS", "measured"]

CALLS = "orchestrator_model_calls"
SECONDS = "orchestrator_model_seconds"


@contextmanager
def measured(model: ModelInfo) -> Generator[None]:
    """Count and time the call in the block by provider, model and outcome: ``ok``, or the code of its error."""
    began, outcome = time.monotonic(), "INTERNAL"
    try:
        yield
        outcome = "ok"
    except OrchestratorError as error:
        outcome = error.code
        raise
    finally:
        about = {"provider": model.provider, "model": model.wire_name, "outcome": outcome}
        meter = activity.metric_meter()
        meter.create_counter(CALLS, "Calls of models that have ended, by outcome").add(1, about)
        meter.create_histogram_float(SECONDS, "How long one call of a model took", "s").record(
            time.monotonic() - began, about
        )
