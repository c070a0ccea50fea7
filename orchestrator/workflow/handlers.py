"""What every handler needs: an update handler that raises anything but an ApplicationError wedges the run."""

from collections.abc import Awaitable, Callable, Coroutine
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from temporalio import workflow
from temporalio.exceptions import ApplicationError

from orchestrator.errors import OrchestratorError

__all__ = ["at_rest", "refusal", "speaks_plainly"]

Self = TypeVar("Self")
Params = ParamSpec("Params")
Reply = TypeVar("Reply")


def refusal(error: OrchestratorError) -> ApplicationError:
    """Our error as whoever sent an update gets it."""
    return ApplicationError(error.message, error.details, type=error.code, non_retryable=True)


def speaks_plainly(
    handler: Callable[Concatenate[Self, Params], Awaitable[Reply]],
) -> Callable[Concatenate[Self, Params], Coroutine[Any, Any, Reply]]:
    """Turns whatever an update handler raises into an error that the sender gets."""

    @wraps(handler)
    async def wrapper(self: Self, *args: Params.args, **kwargs: Params.kwargs) -> Reply:
        try:
            return await handler(self, *args, **kwargs)
        except OrchestratorError as error:
            raise refusal(error) from None
        except ApplicationError:
            raise
        except Exception as error:
            workflow.logger.exception("an update handler failed")
            raise ApplicationError(f"{type(error).__name__}: {error}", type="INTERNAL", non_retryable=True) from error

    return wrapper


def at_rest() -> bool:
    """True: conditions are looked at when nothing is left to do in this task, so what follows at once has been done."""
    return True
