"""Counts runs as they begin and end. Nothing is counted again when a history is replayed."""

from temporalio import workflow

from orchestrator.contracts import RunStatus

__all__ = ["run_ended", "run_started"]

_MOST_NAMES = 200
_OTHER = "other"
_seen = set[str]()


def run_started(definition: str) -> None:
    """Count a run that begins; not one that goes on in a new workflow run."""
    counter = workflow.metric_meter().create_counter("orchestrator_runs_started", "Runs that have begun")
    counter.add(1, {"definition": _label(definition)})


def run_ended(definition: str | None, status: RunStatus, seconds: float) -> None:
    """Count a run that ends, ``seconds`` after its beginning; ``definition`` is none if it was never resolved."""
    meter = workflow.metric_meter()
    if definition is None:
        run_started(_OTHER)
    about = {"definition": _OTHER if definition is None else _label(definition), "status": status}
    meter.create_counter("orchestrator_runs_ended", "Runs that have ended, by status").add(1, about)
    meter.create_histogram_float("orchestrator_run_seconds", "How long runs took", "s").record(seconds, about)


def _label(definition: str) -> str:
    """``definition``, while there are few: names come from requests, and each makes a time series that stays."""
    if definition not in _seen and len(_seen) >= _MOST_NAMES:
        return _OTHER
    _seen.add(definition)
    return definition
