"""Leaves a model alone that did not answer several times in a row, and lets one call try it again after a while.

Ours, and not a library's: pybreaker counts an error that it is told to leave alone as a success, and lets everybody
through at once when the time is up.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass

from temporalio import activity

from activities.asking.metrics import labels_of, meter
from orchestrator.errors import ProviderError, ProviderUnavailableError
from orchestrator.models import ModelInfo

__all__ = ["OPEN_GAUGE", "Breaker", "Breakers", "Passage"]

OPEN_GAUGE = "orchestrator_model_circuit_open"
_FAILURES = 5
_REST_S = 30.0
_MOST = 500
"""Models that a worker has breakers of: their names may come from requests."""


@dataclass(slots=True)
class Passage:
    """A call that a breaker lets pass; ``trial``: the one that tries the model again.

    Whoever has not asked the model after all sets ``asked`` to false: then nothing is learnt of it.
    """

    trial: bool
    asked: bool = True


class Breaker:
    """The circuit breaker of one model: open means that it is not asked.

    Args:
        what: What it is called in errors.
        failures: Calls in a row that must fail because the provider is unwell.
        rest_s: Seconds that it is left alone then.
        clock: Seconds, only ever growing.
        tell: Is told 1 when it opens and 0 when it closes again.
    """

    def __init__(
        self,
        what: str,
        *,
        failures: int = _FAILURES,
        rest_s: float = _REST_S,
        clock: Callable[[], float] = time.monotonic,
        tell: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._what = what
        self._most = failures
        self._rest_s = rest_s
        self._clock = clock
        self._tell = tell
        self._failed = 0
        self._opened: float | None = None
        self._trying = False

    @property
    def is_open(self) -> bool:
        """Whether the model is left alone, or waits for the call that tries it again."""
        return self._opened is not None

    @contextmanager
    def guarding(self) -> Generator[Passage]:
        """A call of the model in the block.

        Raises:
            ProviderUnavailableError: The model is left alone; ``retry_after_s`` says for how much longer.
        """
        passage = self._admit()
        try:
            yield passage
        except ProviderUnavailableError:
            self._failure(passage)
            raise
        except ProviderError:
            self._success(passage)  # it answered, and somebody else is at fault
            raise
        except BaseException:
            self._leave(passage)  # nothing was learnt
            raise
        if passage.asked:
            self._success(passage)
        else:
            self._leave(passage)

    def _admit(self) -> Passage:
        if self._opened is None:
            return Passage(trial=False)
        left = self._opened + self._rest_s - self._clock()
        if left <= 0 and not self._trying:
            self._trying = True
            return Passage(trial=True)
        raise ProviderUnavailableError(
            f"{self._what} did not answer {self._failed} times in a row and is left alone for a while",
            retry_after_s=max(left, 1.0),
        )

    def _leave(self, passage: Passage) -> None:
        # A call from before it opened may end while another tries: that one's place is not its to give back.
        if passage.trial:
            self._trying = False

    def _failure(self, passage: Passage) -> None:
        self._leave(passage)
        self._failed += 1
        if self._failed >= self._most:
            self._opened = self._clock()
            self._tell(1)

    def _success(self, passage: Passage) -> None:
        self._leave(passage)
        self._failed = 0
        if self._opened is not None:
            self._opened = None
            self._tell(0)


class Breakers:
    """The breakers of a worker, one for each model; within an activity they show in its metrics.

    Args:
        failures: See ``Breaker``.
        rest_s: See ``Breaker``.
        most: Models at a time. With more, the one that was used the longest ago is forgotten, a closed one first.
    """

    def __init__(self, failures: int = _FAILURES, rest_s: float = _REST_S, *, most: int = _MOST) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._most = most
        self._made: dict[tuple[str, str], tuple[ModelInfo, Breaker]] = {}
        """The one that was used the longest ago is the first."""

    def of(self, model: ModelInfo) -> Breaker:
        """The breaker of a model: of its provider, by the name that one knows it by."""
        key = (model.provider, model.wire_name)
        _, breaker = self._made.pop(key, (None, None))
        if breaker is None:
            if len(self._made) >= self._most:
                self._forget_one()
            breaker = Breaker(
                f"the model {model.name!r} of {model.provider}",
                failures=self._failures,
                rest_s=self._rest_s,
                tell=lambda opened: self._told(model, opened),
            )
        self._made[key] = (model, breaker)
        return breaker

    def _forget_one(self) -> None:
        closed = (key for key, (_, breaker) in self._made.items() if not breaker.is_open)
        model, breaker = self._made.pop(next(closed, next(iter(self._made))))
        if breaker.is_open:
            self._show(model)

    def _told(self, model: ModelInfo, opened: int) -> None:
        self._show(model)
        if opened:
            activity.logger.warning(
                "the model %s of %s is unwell and left alone for a while", model.name, model.provider
            )
        else:
            activity.logger.info("the model %s of %s answers again", model.name, model.provider)

    def _show(self, model: ModelInfo) -> None:
        """Show how many models with the labels of this one are left alone: mostly it is the only one."""
        labels = labels_of(model)
        count = sum(breaker.is_open and labels_of(other) == labels for other, breaker in self._made.values())
        gauge = meter().create_gauge(OPEN_GAUGE, "Models that are left alone because they are unwell")
        # One type of node may find a model unwell, and another that it is well again: that is one series.
        gauge.set(count, {**labels, "activity_type": "any"})
