"""Errors of what lies outside: providers, the storage, and the money they take."""

from collections.abc import Mapping

from orchestrator.errors.tree import OrchestratorError

__all__ = [
    "BudgetExceededError",
    "ContentFilteredError",
    "ContextTooLongError",
    "PriceUnknownError",
    "ProviderAuthError",
    "ProviderError",
    "ProviderOverloadedError",
    "ProviderRateLimitedError",
    "ProviderRejectedError",
    "ProviderTimeoutError",
    "ProviderUnavailableError",
    "StorageUnavailableError",
    "StreamSupersededError",
]


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


class StreamSupersededError(OrchestratorError):
    """A newer attempt writes the text of this visit; nothing more of this one will be shown."""

    code = "STREAM_SUPERSEDED"
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
