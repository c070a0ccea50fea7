"""What the errors of the server, and the ends of runs, mean."""

import contextlib
import re
from typing import Any, NoReturn, cast

from pydantic import ValidationError
from temporalio.api.errordetails.v1 import NamespaceNotFoundFailure
from temporalio.client import WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.exceptions import TimeoutError as TemporalTimeoutError
from temporalio.service import RPCError, RPCStatusCode

from orchestrator.contracts import ErrorInfo, RunResult
from orchestrator.errors import (
    AnswerError,
    DefinitionError,
    DefinitionNotFoundError,
    InputError,
    Issue,
    LimitError,
    MessageError,
    MigrationError,
    NothingAwaitedError,
    NotParkedError,
    OrchestratorError,
    RequestError,
    RunNotFoundError,
    RunTimeoutError,
    ServerUnavailableError,
    SettingsError,
    TooLargeError,
    WorkerMissingError,
)

__all__ = ["ended", "explain", "nobody_answers", "refused", "told"]

_REFUSALS: dict[str, type[OrchestratorError]] = {
    error.code: error
    for error in (
        MessageError,
        AnswerError,
        NothingAwaitedError,
        NotParkedError,
        RequestError,
        MigrationError,
        DefinitionNotFoundError,
        InputError,
        LimitError,
        TooLargeError,
    )
}

_LARGE = re.compile(r"size exceeds limit|larger than max", re.IGNORECASE)
"""What the server says of one value that is too large, and of a whole request that is."""
_CUT = re.compile(r"transport error|operation was canceled")


def nobody_answers(task_queue: str) -> WorkerMissingError:
    """What to say when no worker took what was asked of a run."""
    return WorkerMissingError(
        f"no worker answers on the task queue `{task_queue}`; start one (`orchestrator worker`, "
        "or `orchestrator dev`). Nothing is lost: runs go on when one is there"
    )


def explain(
    error: RPCError,
    run_id: str,
    *,
    namespace: str,
    task_queue: str,
    over: type[OrchestratorError] = NothingAwaitedError,
) -> NoReturn:
    """Raise what an error of the server means; ``over`` is what it means that the run has ended."""
    if _LARGE.search(error.message):
        raise TooLargeError(
            "what is sent is larger than the Temporal server takes: keep large values in files or at web addresses "
            f"that nodes read, and send where they are ({error.message})"
        ) from error
    match error.status:
        case RPCStatusCode.NOT_FOUND if _is_of_namespace(error):
            raise SettingsError(
                f"the Temporal server has no namespace `{namespace}`; set TEMPORAL_NAMESPACE to one "
                "that it has, or have it made"
            ) from error
        # An update that was taken, and whose run ended before it was carried out, is "not found" itself.
        case RPCStatusCode.NOT_FOUND if "completed" in error.message or "update" in error.message.lower():
            raise over(f"the run `{run_id}` has ended") from error
        case RPCStatusCode.NOT_FOUND:
            raise RunNotFoundError(f"no run has the id `{run_id}`; `orchestrator list` shows the runs") from error
        # A server that dies within a call has the connection reset below gRPC, which has no status for that.
        case RPCStatusCode.UNKNOWN | RPCStatusCode.CANCELLED if _CUT.search(error.message):
            raise ServerUnavailableError("the Temporal server went away during the request") from error
        case RPCStatusCode.FAILED_PRECONDITION | RPCStatusCode.DEADLINE_EXCEEDED | RPCStatusCode.CANCELLED:
            raise nobody_answers(task_queue) from error
        case RPCStatusCode.UNAVAILABLE:
            raise ServerUnavailableError(f"the Temporal server cannot be reached: {error.message}") from error
        case _:
            raise RequestError(f"the Temporal server refused the request: {error.message}") from error


def _is_of_namespace(error: RPCError) -> bool:
    return any(detail.Is(NamespaceNotFoundFailure.DESCRIPTOR) for detail in error.grpc_status.details)


def told(failure: WorkflowFailureError) -> RunResult | None:
    """The result that a failed run gave; none if it gave none."""
    cause = failure.cause
    if isinstance(cause, ApplicationError) and cause.details:
        with contextlib.suppress(ValidationError):
            return RunResult.model_validate(cause.details[0])
    return None


def ended(failure: WorkflowFailureError, last: RunResult) -> RunResult:
    """What a run that gave no result ended with, ``last`` being what it said before."""
    cause = failure.cause
    if isinstance(cause, CancelledError):
        return last.model_copy(update={"status": "cancelled"})
    status, info = "failed", ErrorInfo(code="INTERNAL", message=str(cause))
    if isinstance(cause, TerminatedError):
        info = ErrorInfo(code="TERMINATED", message="somebody terminated the run")
    elif isinstance(cause, TemporalTimeoutError):
        status = "timed_out"
        info = ErrorInfo(
            code=RunTimeoutError.code, message="the run took longer than whoever started it let Temporal wait"
        )
    return last.model_copy(update={"status": status, "error": info})


def refused(failure: WorkflowUpdateFailedError) -> NoReturn:
    """Raise why a run refused an update, as the error that the run itself raised."""
    cause = failure.cause
    if isinstance(cause, ApplicationError):
        found = cause.details[0] if cause.details else None
        details = cast("dict[str, object]", found) if isinstance(found, dict) else {}
        if cause.type == DefinitionError.code:
            raise DefinitionError(cause.message, _issues(details)) from failure
        raise _REFUSALS.get(cause.type or "", MessageError)(cause.message, details=details) from failure
    raise MessageError(f"the run refused it: {cause}") from failure


def _issues(details: dict[str, object]) -> list[Issue]:
    found = details.get("issues")
    return [Issue(**item) for item in cast("list[dict[str, Any]]", found)] if isinstance(found, list) else []
