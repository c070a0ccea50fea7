"""The one error tree. Every class carries a stable ``code`` and says whether trying again can help.

OrchestratorError
├── RequestError                a start, query or message whose shape is wrong
│   └── MigrationError          a run does not fit the definition it should go on with
├── DefinitionError             a definition that breaks rules (carries every issue)
├── DefinitionNotFoundError
├── InputError                  inputs that fail the definition's schema
├── ExpressionError
│   ├── ExpressionSyntaxError
│   └── ExpressionBudgetError
├── TemplateError
├── LimitError                  a bound of the definition or the platform was reached
│   └── TooLargeError
├── MessageError                a message that cannot be used
│   ├── NothingAwaitedError
│   ├── NotParkedError          nothing is parked that could be resolved
│   └── AnswerError
├── NodeError                   a node that failed for good
│   ├── NodeTimeoutError
│   ├── ExpiredError            nobody answered in time
│   └── RejectedError           somebody said no
├── RunTimeoutError
├── RunNotFoundError
├── ServerUnavailableError      the Temporal server cannot be reached
├── WorkerMissingError          nobody answers on the task queue
├── SettingsError
└── ProviderError               an outside system
    ├── ProviderRejectedError
    │   ├── ContextTooLongError
    │   └── ContentFilteredError
    ├── ProviderAuthError
    ├── ProviderRateLimitedError
    └── ProviderUnavailableError
        ├── ProviderOverloadedError
        └── ProviderTimeoutError
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import ClassVar

__all__ = [
    "AnswerError",
    "BudgetExceededError",
    "ContentFilteredError",
    "ContextTooLongError",
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
    "PriceUnknownError",
    "ProviderAuthError",
    "ProviderError",
    "ProviderOverloadedError",
    "ProviderRateLimitedError",
    "ProviderRejectedError",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "RejectedError",
    "RequestError",
    "RunNotFoundError",
    "RunTimeoutError",
    "ServerUnavailableError",
    "SettingsError",
    "StorageUnavailableError",
    "TemplateError",
    "TooLargeError",
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


class ProviderError(OrchestratorError):
    """An outside system answered with an error.

    Args:
        message: See ``OrchestratorError``.
        retry_after_s: Seconds to wait before the next try, where it said so.
        may_have_charged: The request may have been carried out, and be paid for, though nothing came back.
        details: See ``OrchestratorError``.
    """

    code = "PROVIDER_FAILED"

    def __init__(
        self,
        message: str,
        *,
        retry_after_s: float | None = None,
        may_have_charged: bool = False,
        details: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, details=details)
        self.retry_after_s = retry_after_s
        self.may_have_charged = may_have_charged


class ProviderRejectedError(ProviderError):
    """The request itself is wrong; sending it again cannot help."""

    code = "PROVIDER_REJECTED"


class ProviderAuthError(ProviderError):
    """The key is missing, wrong, or not allowed to do this."""

    code = "PROVIDER_AUTH"


class ProviderRateLimitedError(ProviderError):
    """Too many requests; ``retry_after_s`` is what the provider asked for, in seconds."""

    code = "PROVIDER_RATE_LIMITED"
    retryable = True


class ProviderUnavailableError(ProviderError):
    """The provider is unwell; the same request may succeed later."""

    code = "PROVIDER_UNAVAILABLE"
    retryable = True


class ProviderOverloadedError(ProviderUnavailableError):
    """The provider has more to do than it can; it is the same for everybody who asks."""

    code = "PROVIDER_OVERLOADED"


class ProviderTimeoutError(ProviderUnavailableError):
    """The provider did not answer in time."""

    code = "PROVIDER_TIMEOUT"


class ContextTooLongError(ProviderRejectedError):
    """The question, with the room for its answer, is longer than the model's window."""

    code = "CONTEXT_TOO_LONG"


class ContentFilteredError(ProviderRejectedError):
    """The provider refuses this content, of the question or of the answer."""

    code = "CONTENT_FILTERED"


class StorageUnavailableError(OrchestratorError):
    """What is kept beside Temporal cannot be reached; nothing that needs it is done meanwhile."""

    code = "STORAGE_UNAVAILABLE"
    retryable = True


class BudgetExceededError(OrchestratorError):
    """A call would pass a cap.

    Args:
        scope: Whose cap it is, such as ``run:…``.
        cap: The cap, in nano-dollars (1e-9 USD), like all that follow.
        spent: What the scope has spent.
        reserved: What calls under way have reserved in it.
        asked: What the refused call would have reserved.
    """

    code = "BUDGET_EXCEEDED"

    def __init__(self, scope: str, *, cap: int, spent: int, reserved: int, asked: int) -> None:
        figures = {"cap": cap, "spent": spent, "reserved": reserved, "asked": asked}
        dollars = {name: value / 1_000_000_000 for name, value in figures.items()}
        super().__init__(
            f"the budget of {scope} is used up: of ${dollars['cap']:.6f}, ${dollars['spent']:.6f} are spent and "
            f"${dollars['reserved']:.6f} reserved; this call may cost up to ${dollars['asked']:.6f}",
            details={"scope": scope, **{f"{name}_usd": value for name, value in dollars.items()}},
        )


class PriceUnknownError(OrchestratorError):
    """Nobody knows what a model costs, so nothing can be reserved for it."""

    code = "PRICE_UNKNOWN"
