"""Leaves a model alone that did not answer several times in a row, and lets one call try it again after a while.

Ours, and not a library's: pybreaker counts an error that it is told to leave alone as a success, and lets everybody
through at once when the time is up.
"""

import time
from collections.abc import Callable, Generator
from contextlib import contextmanager

from temporalio import activity

from orchestrator.errors import ProviderError, ProviderUnavailableError
from orchestrator.models import ModelInfo

__all__ = ["OPEN_GAUGE", "Breaker", "Breakers"]

OPEN_GAUGE = "orchestrator_model_circuit_open"
_FAILURES = 5
_REST_S = 30.0


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

    @contextmanager
    def guarding(self) -> Generator[None]:
        """A call of the model in the block.

        Raises:
            ProviderUnavailableError: The model is left alone; ``retry_after_s`` says for how much longer.
        """
        self._admit()
        try:
            yield
        except ProviderUnavailableError:
            self._failure()
            raise
        except ProviderError:
            self._success()  # it answered, and somebody else is at fault
            raise
        except BaseException:
            self._trying = False  # nothing was learnt
            raise
        self._success()

    def _admit(self) -> None:
        if self._opened is None:
            return
        left = self._opened + self._rest_s - self._clock()
        if left <= 0 and not self._trying:
            self._trying = True
            return
        raise ProviderUnavailableError(
            f"{self._what} did not answer {self._failed} times in a row and is left alone for a while",
            retry_after_s=max(left, 1.0),
        )

    def _failure(self) -> None:
        self._trying = False
        self._failed += 1
        if self._failed >= self._most:
            self._opened = self._clock()
            self._tell(1)

    def _success(self) -> None:
        self._trying = False
        self._failed = 0
        if self._opened is not None:
            self._opened = None
            self._tell(0)


class Breakers:
    """The breakers of a worker, one for each model; within an activity they show in its metrics.

    Args:
        failures: See ``Breaker``.
        rest_s: See ``Breaker``.
    """

    def __init__(self, failures: int = _FAILURES, rest_s: float = _REST_S) -> None:
        self._failures = failures
        self._rest_s = rest_s
        self._made: dict[tuple[str, str], Breaker] = {}

    def of(self, model: ModelInfo) -> Breaker:
        """The breaker of a model: of its provider, by the name that one knows it by."""
        key = (model.provider, model.wire_name)
        if key not in self._made:
            self._made[key] = Breaker(
                f"the model {model.name!r} of {model.provider}",
                failures=self._failures,
                rest_s=self._rest_s,
                tell=lambda opened: _show(model, opened),
            )
        return self._made[key]


def _show(model: ModelInfo, opened: int) -> None:
    gauge = activity.metric_meter().create_gauge(OPEN_GAUGE, "1 while a model is left alone because it is unwell")
    gauge.set(opened, {"provider": model.provider, "model": model.wire_name})
    if opened:
        activity.logger.warning("the model %s of %s is unwell and left alone for a while", model.name, model.provider)
    else:
        activity.logger.info("the model %s of %s answers again", model.name, model.provider)
