"""Turns what a model endpoint refuses with into our errors: one table of statuses for every adapter."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from activities.providers.retry_after import retry_after
from orchestrator.errors import (
    ContentFilteredError,
    ContextTooLongError,
    ProviderAuthError,
    ProviderError,
    ProviderOverloadedError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderTimeoutError,
    ProviderUnavailableError,
)

__all__ = ["MOST_BYTES", "OVERLOADED", "UNREADABLE", "Endpoint"]

OVERLOADED = 529
"""What Anthropic answers when it has too much to do; no standard names it."""
MOST_BYTES = 134_217_728
"""The most that is read of an answer where a setting does not say otherwise: 2,000 vectors are half that large."""
UNREADABLE = (ValueError, RecursionError)
"""What comes of reading JSON that is none, that has another form than it should, or that is nested too deeply."""
_MAX_REASON = 300
_MOST_READ = 10_000
"""Characters of a refusal that are looked at: it may be as long as any answer."""

_BY_STATUS: Mapping[int, type[ProviderError]] = {
    HTTPStatus.UNAUTHORIZED: ProviderAuthError,
    HTTPStatus.FORBIDDEN: ProviderAuthError,
    HTTPStatus.REQUEST_TIMEOUT: ProviderTimeoutError,
    HTTPStatus.CONFLICT: ProviderUnavailableError,
    HTTPStatus.TOO_MANY_REQUESTS: ProviderRateLimitedError,
    HTTPStatus.SERVICE_UNAVAILABLE: ProviderOverloadedError,
    HTTPStatus.GATEWAY_TIMEOUT: ProviderTimeoutError,
    OVERLOADED: ProviderOverloadedError,
}
_PASSED_ON = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""A proxy lost the model behind it, which may go on writing."""

# No two providers have the same name for these, and the endpoints that imitate one have names of their own.
_TOO_LONG = re.compile(
    r"context_length_exceeded|context_window_exceeded|exceed_context_size"
    r"|maximum context length|available context size|model's context|context (?:length|window|limit)"
    r"|(?:prompt|input|question|context|request) (?:is )?too long"
    r"|input token count .{0,80}exceeds|exceeds? the maximum number of (?:input )?tokens|too many (?:input )?tokens",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content_filter|content_policy|content policy|content management policy|responsible_?ai_?policy"
    r"|content was (?:blocked|filtered)|blocked by (?:the |our )?(?:content|safety|guardrail)|safety system",
    re.IGNORECASE,
)
_NO_MONEY = re.compile(r"insufficient_quota|billing_hard_limit|billing_not_active|credit balance", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """What our errors say of a model endpoint, and what they never do.

    Attributes:
        name: The provider, as definitions write it before the slash.
        key_setting: Which setting holds its key, for advice.
        address_setting: Which setting holds its address, for advice.
        hidden: Keys that its own messages may quote.
        most_bytes: The most that is read of an answer, unpacked.
    """

    name: str
    key_setting: str
    address_setting: str
    hidden: tuple[str, ...] = field(default=(), repr=False)
    most_bytes: int = MOST_BYTES

    def refused(
        self,
        status: int,
        *,
        reason: str = "",
        code: str = "",
        headers: Mapping[str, str] | None = None,
        may_have_charged: bool = False,
        details: Mapping[str, object] | None = None,
    ) -> ProviderError:
        """The error for an answer that is a refusal.

        Args:
            status: Its HTTP status; for an error within a stream the status it stands for, such as ``OVERLOADED``.
            reason: What it says, in its own words; keys in it are hidden.
            code: Its own name of the fault, such as ``context_length_exceeded``.
            headers: Its headers, names in lower case: they may say how long to wait.
            may_have_charged: A part of the answer was there already.
            details: More for whoever looks into it, such as a request id.
        """
        reason, code = reason[:_MOST_READ], code[:_MAX_REASON]
        error_class = _class_of(status, f"{code} {reason}")
        error = error_class(
            self._sentence(status, reason, error_class),
            retry_after_s=retry_after(headers or {}),
            may_have_charged=may_have_charged or status in _PASSED_ON,
            details={"provider": self.name, "status": status, **({"code": code} if code else {}), **(details or {})},
        )
        error.details = self._masked(error.details)
        return error

    def timed_out(self) -> ProviderTimeoutError:
        """The error for an answer, or its next piece, that did not come in time."""
        return ProviderTimeoutError(f"the model provider {self.name} did not answer in time", may_have_charged=True)

    def unreachable(self, *, may_have_charged: bool) -> ProviderUnavailableError:
        """The error for a connection that failed; ``may_have_charged``: after the request had been sent."""
        return ProviderUnavailableError(
            f"the model provider {self.name} cannot be reached: check {self.address_setting} and the network",
            may_have_charged=may_have_charged,
        )

    def unreadable(self) -> ProviderUnavailableError:
        """The error for an answer that is not what the provider's interface promises."""
        return ProviderUnavailableError(
            f"the model provider {self.name} answered with something that cannot be read", may_have_charged=True
        )

    def too_large(self) -> ProviderUnavailableError:
        """The error for an answer that has more bytes than are read of one."""
        return ProviderUnavailableError(
            f"the model provider {self.name} answered with more than {self.most_bytes} bytes, and the rest was not "
            "read: ask for less at a time, or raise ORCHESTRATOR_MODEL_MAX_RESPONSE_BYTES",
            may_have_charged=True,
            details={"provider": self.name, "most_bytes": self.most_bytes},
        )

    def cut(self) -> ProviderUnavailableError:
        """The error for a stream that ended before its answer was whole."""
        return ProviderUnavailableError(
            f"the model provider {self.name} broke off in the middle of its answer", may_have_charged=True
        )

    def filtered(self, reason: str = "") -> ContentFilteredError:
        """The error for an answer that the provider holds back because of what is in it."""
        why = f": {self._shown(reason)}" if reason else ""
        return ContentFilteredError(
            f"the model provider {self.name} refuses this content{why}",
            may_have_charged=True,
            details={"provider": self.name},
        )

    def unsendable(self) -> ProviderRejectedError:
        """The error for a question that is no text: it holds half a character, as JSON can."""
        return ProviderRejectedError(
            f"the question for the model provider {self.name} is no text: it holds half a character (a lone surrogate)",
            details={"provider": self.name},
        )

    def unable(self, what: str) -> ProviderRejectedError:
        """The error for something that the provider does not have, such as ``embeddings``."""
        return ProviderRejectedError(f"the model provider {self.name} has no {what}", details={"provider": self.name})

    def _sentence(self, status: int, reason: str, error_class: type[ProviderError]) -> str:
        said = f"the model provider {self.name} answered {status}"
        if error_class is ProviderAuthError:
            # What it says here often quotes the key, or a part of it.
            return f"{said}: check {self.key_setting}"
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            return f"{said}: redirects are not followed, set {self.address_setting} to the final address"
        return f"{said}: {self._shown(reason) or 'no reason given'}"

    def _shown(self, text: str) -> str:
        return self._masked(" ".join(text.split()))[:_MAX_REASON]

    def _masked(self, value: Any) -> Any:
        if isinstance(value, str):
            for key in self.hidden:
                value = value.replace(key, "***") if key else value
            return value
        if isinstance(value, Mapping):
            return {name: self._masked(part) for name, part in value.items()}  # pyright: ignore[reportUnknownVariableType]
        return value


def _class_of(status: int, words: str) -> type[ProviderError]:
    if status == HTTPStatus.TOO_MANY_REQUESTS and _NO_MONEY.search(words):
        return ProviderRejectedError
    found = _BY_STATUS.get(status)
    if found is not None and found is not ProviderAuthError:
        return found
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ProviderUnavailableError
    if _FILTERED.search(words):
        return ContentFilteredError
    if found is None and _TOO_LONG.search(words):
        return ContextTooLongError
    return found or ProviderRejectedError
