"""One table for every adapter: which of our errors a refusal is, by its status and its words."""

import pytest

from activities.providers.statuses import OVERLOADED, Endpoint
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

KEY = "sk-very-secret"
ENDPOINT = Endpoint(name="acme", key_setting="ACME_KEY", address_setting="ACME_URL", hidden=(KEY, ""))


@pytest.mark.parametrize(
    ("status", "error_class", "charged"),
    [
        (400, ProviderRejectedError, False),
        (401, ProviderAuthError, False),
        (403, ProviderAuthError, False),
        (404, ProviderRejectedError, False),
        (408, ProviderTimeoutError, False),
        (409, ProviderUnavailableError, False),
        (413, ProviderRejectedError, False),
        (422, ProviderRejectedError, False),
        (429, ProviderRateLimitedError, False),
        (500, ProviderUnavailableError, False),
        (502, ProviderUnavailableError, True),
        (503, ProviderOverloadedError, False),
        (504, ProviderTimeoutError, True),
        (OVERLOADED, ProviderOverloadedError, False),
        (599, ProviderUnavailableError, False),
    ],
)
def test_a_status_says_what_went_wrong(status: int, error_class: type[ProviderError], *, charged: bool) -> None:
    error = ENDPOINT.refused(status, reason="so it is", headers={"retry-after": "4"})

    assert type(error) is error_class
    assert error.message.startswith(f"the model provider acme answered {status}: ")
    assert (error.retry_after_s, error.may_have_charged) == (4, charged)
    assert error.details == {"provider": "acme", "status": status}


@pytest.mark.parametrize(
    "words",
    [
        "context_length_exceeded",
        "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens",
        "prompt is too long: 208310 tokens > 200000 maximum",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000",
        "The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).",
        "Input is too long for requested model.",
        "the request exceeds the available context size. try increasing the context size",
        "Too many input tokens. Max input tokens: 8192, request input token count: 9000",
        "exceed_context_size_error",
    ],
)
def test_a_question_too_long_is_known_by_the_words_of_each_provider(words: str) -> None:
    assert type(ENDPOINT.refused(400, reason=words)) is ContextTooLongError
    assert type(ENDPOINT.refused(400, code=words)) is ContextTooLongError
    assert type(ENDPOINT.refused(429, reason=words)) is ProviderRateLimitedError


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (400, "content_filter"),
        (400, "The response was filtered due to the prompt triggering Azure OpenAI's content management policy."),
        (400, "Output blocked by content filtering policy"),
        (400, "Your request was rejected as a result of our safety system."),
        (403, "content_policy_violation"),
    ],
)
def test_filtered_content_is_known_by_its_words(status: int, words: str) -> None:
    assert type(ENDPOINT.refused(status, reason=words)) is ContentFilteredError


def test_a_limit_that_waiting_does_not_lift_is_a_rejection() -> None:
    assert type(ENDPOINT.refused(429, code="insufficient_quota")) is ProviderRejectedError
    assert type(ENDPOINT.refused(429, reason="tokens per minute")) is ProviderRateLimitedError


def test_the_key_is_hidden_wherever_the_provider_quotes_it() -> None:
    error = ENDPOINT.refused(400, reason=f"the key {KEY} is odd", details={"a": {"b": KEY}, "n": 1})

    assert error.message == "the model provider acme answered 400: the key *** is odd"
    assert error.details["a"] == {"b": "***"}
    assert KEY not in repr(ENDPOINT)
    assert ENDPOINT.refused(401, reason=f"{KEY[:-3]} is wrong").message.endswith("answered 401: check ACME_KEY")
    assert KEY not in ENDPOINT.filtered(KEY).message


def test_a_reason_is_short_and_on_one_line() -> None:
    message = ENDPOINT.refused(400, reason="a\nb\tc " * 500).message

    assert "\n" not in message
    assert len(message) < 400
    assert ENDPOINT.refused(400).message.endswith("400: no reason given")


def test_a_redirect_says_which_setting_to_mend() -> None:
    error = ENDPOINT.refused(307)

    assert type(error) is ProviderRejectedError
    assert error.message.endswith("redirects are not followed, set ACME_URL to the final address")


def test_what_has_no_status_has_an_error_as_well() -> None:
    said = [
        ENDPOINT.timed_out(),
        ENDPOINT.unreadable(),
        ENDPOINT.cut(),
        ENDPOINT.filtered("hate"),
        ENDPOINT.unreachable(may_have_charged=False),
        ENDPOINT.unable("embeddings"),
    ]

    assert [error.may_have_charged for error in said] == [True, True, True, True, False, False]
    assert [error.retryable for error in said] == [True, True, True, False, True, False]
    assert all("acme" in error.message for error in said)
