"""Says of a model that its provider serves it no more, or not for long: to people, never to a run."""

from datetime import UTC, date, datetime

from orchestrator.models.info import ModelInfo

__all__ = ["retired_now", "retirement"]

_SOON_DAYS = 90
"""So long before the day from which a model is served no more, people are told."""


def retired_now(model: ModelInfo) -> bool:
    """Whether its provider serves it no more today, by UTC."""
    return model.is_retired(_today())


def retirement(model: ModelInfo, *, today: date | None = None) -> str | None:
    """What people are told of a model that is served no more, or not for long; none: it is there to stay.

    ``today`` is for a fixed calendar.
    """
    if model.retired:
        return f"{model.name} is marked as retired: its provider may serve it no more"
    day = today or _today()
    if model.retires is None or (model.retires - day).days > _SOON_DAYS:
        return None
    if model.is_retired(day):
        return f"{model.name} retired on {model.retires.isoformat()}: its provider serves it no more"
    return f"{model.name} retires on {model.retires.isoformat()}: from then on its provider serves it no more"


def _today() -> date:
    return datetime.now(UTC).date()
