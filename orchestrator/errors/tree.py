"""The root of the errors, and those of what people ask for and of how it goes."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

__all__ = [
    "AnswerError",
    "DefinitionError",
    "DefinitionNotFoundError",
    "ExpiredError",
    "ExpressionBudgetError",
    "ExpressionError",
    "ExpressionSyntaxError",
    "InputError",
    "Issue",
    "LimitError",
    "MessageError",
    "MigrationError",
    "NodeError",
    "NodeTimeoutError",
    "NotParkedError",
    "NothingAwaitedError",
    "OrchestratorError",
    "OutputError",
    "RejectedError",
    "RequestError",
    "RunNotFoundError",
    "RunTimeoutError",
    "ServerUnavailableError",
    "SettingsError",
    "TemplateError",
    "TooLargeError",
    "UnsafeTextError",
    "WorkerMissingError",
    "shortened",
]

_MAX_MESSAGE = 2_000
_MAX_DETAILS_BYTES = 64_000
_MAX_ISSUE = {"path": 300, "message": 1_000, "hint": 500}
_CUT = " … "


def shortened(text: str, most: int) -> str:
    """``text`` in at most ``most`` characters, which are more than a few: its beginning and its end."""
    if len(text) <= most:
        return text
    end = (most - len(_CUT)) // 2
    return f"{text[: most - len(_CUT) - end]}{_CUT}{text[-end:]}"


def _bounded(details: Mapping[str, object] | None) -> dict[str, object]:
    """An error that Temporal cannot carry would be reported, and refused, for ever."""
    if not details:
        return {}
    size = len(json.dumps(details, default=str))
    return dict(details) if size <= _MAX_DETAILS_BYTES else {"omitted": f"{size} bytes"}


class OrchestratorError(Exception):
    """Base of every error this project raises on purpose.

    Args:
        message: One plain sentence: what, where, and what to do. Its middle is left out beyond 2,000 characters.
        details: Facts for machines; JSON values only, never secrets. Beyond 64,000 bytes only their size is kept.
    """

    code: ClassVar[str] = "INTERNAL"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        self.message = shortened(message, _MAX_MESSAGE)
        self.details = _bounded(details)
        super().__init__(self.message)


class RequestError(OrchestratorError):
    """The request has the wrong shape."""

    code = "REQUEST_INVALID"


@dataclass(frozen=True, slots=True)
class Issue:
    """One broken rule of a definition.

    ``path`` is where (``nodes[3].config.model``); ``line`` and ``column`` are 1-based in the file, when there is one.
    ``hint`` says what to do, or names the nearest right word. Text that is very long is cut in the middle.
    """

    code: str
    path: str
    message: str
    line: int | None = None
    column: int | None = None
    hint: str | None = None

    def __post_init__(self) -> None:
        for name, most in _MAX_ISSUE.items():
            text = getattr(self, name)
            if text is not None and len(text) > most:
                object.__setattr__(self, name, shortened(text, most))

    def as_dict(self) -> dict[str, object]:
        """The issue as JSON, without what is not known."""
        return {key: value for key, value in asdict(self).items() if value is not None}


class MigrationError(RequestError):
    """A run does not fit the definition that it should go on with."""

    code = "DOES_NOT_FIT"


class DefinitionError(OrchestratorError):
    """A definition breaks rules; ``issues`` has every one of them."""

    code = "DEFINITION_INVALID"

    def __init__(self, message: str, issues: Sequence[Issue] = ()) -> None:
        super().__init__(message, details={"issues": [issue.as_dict() for issue in issues]})
        self.issues = tuple(issues)


class DefinitionNotFoundError(OrchestratorError):
    """No definition has this name, or not in this version."""

    code = "DEFINITION_NOT_FOUND"


class InputError(OrchestratorError):
    """The run's inputs do not fit the definition."""

    code = "INPUT_INVALID"


class ExpressionError(OrchestratorError):
    """An expression could not be evaluated."""

    code = "EXPRESSION_FAILED"


class ExpressionSyntaxError(ExpressionError):
    """An expression cannot be read; ``line`` and ``column`` are 1-based within it."""

    code = "EXPRESSION_SYNTAX"

    def __init__(self, message: str, *, line: int = 1, column: int = 1) -> None:
        super().__init__(message, details={"line": line, "column": column})
        self.line = line
        self.column = column


class ExpressionBudgetError(ExpressionError):
    """An expression took more steps, or made a larger value, than it may."""

    code = "EXPRESSION_TOO_COSTLY"


class TemplateError(OrchestratorError):
    """A template could not be read or rendered."""

    code = "TEMPLATE_FAILED"


class LimitError(OrchestratorError):
    """A limit of the run was reached."""

    code = "LIMIT_REACHED"


class TooLargeError(LimitError):
    """A value is larger than what a run may carry."""

    code = "TOO_LARGE"


class MessageError(OrchestratorError):
    """A message cannot be used."""

    code = "MESSAGE_INVALID"


class NothingAwaitedError(MessageError):
    """Nothing waits for an answer, or not at that node."""

    code = "NOTHING_AWAITED"


class NotParkedError(MessageError):
    """No node is parked, or not that one: it was resolved already, or has not failed."""

    code = "NOT_PARKED"


class AnswerError(MessageError):
    """An answer does not fit what was asked."""

    code = "ANSWER_INVALID"


class NodeError(OrchestratorError):
    """A node failed for good."""

    code = "NODE_FAILED"


class NodeTimeoutError(NodeError):
    """A node took longer than it may."""

    code = "NODE_TIMED_OUT"


class ExpiredError(NodeError):
    """Nobody answered a question in time."""

    code = "EXPIRED"


class RejectedError(NodeError):
    """Somebody rejected what they were asked to approve."""

    code = "REJECTED"


class OutputError(NodeError):
    """A model's answer is not what its schema asks for, though it was asked again."""

    code = "OUTPUT_INVALID"


class UnsafeTextError(NodeError):
    """A safety check refuses a text that would go to a model, or that came from one."""

    code = "TEXT_REFUSED"


class RunTimeoutError(OrchestratorError):
    """The run took longer than ``limits.timeout``."""

    code = "RUN_TIMED_OUT"


class RunNotFoundError(OrchestratorError):
    """No run has this id."""

    code = "RUN_NOT_FOUND"


class ServerUnavailableError(OrchestratorError):
    """The Temporal server cannot be reached."""

    code = "SERVER_UNAVAILABLE"
    retryable = True


class WorkerMissingError(OrchestratorError):
    """No worker answers on the task queue."""

    code = "WORKER_MISSING"
    retryable = True


class SettingsError(OrchestratorError):
    """A setting is missing or wrong."""

    code = "SETTINGS_INVALID"
