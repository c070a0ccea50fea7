"""Turns the errors of AWS's client into ours."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast

from botocore.eventstream import ParserError  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.exceptions import (  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    ConnectTimeoutError,
    CredentialRetrievalError,
    EndpointConnectionError,
    EventStreamError,
    HTTPClientError,
    NoAuthTokenError,
    NoCredentialsError,
    ParamValidationError,
    PartialCredentialsError,
    ProxyConnectionError,
    ReadTimeoutError,
    SSLError,
    SSOError,
    TokenRetrievalError,
)
from botocore.parsers import ResponseParserError  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from urllib3.exceptions import HTTPError
from urllib3.exceptions import TimeoutError as ConnectionTimeoutError

from activities.providers.statuses import UNREADABLE, Endpoint
from orchestrator.errors import ProviderAuthError, ProviderError, ProviderRejectedError

__all__ = ["CLIENT_ERRORS", "broken", "translated"]

CLIENT_ERRORS = (
    BotoCoreError,
    ClientError,
    ParserError,
    ResponseParserError,
    HTTPError,
    *UNREADABLE,
    TypeError,
    LookupError,
    AttributeError,
)
"""Everything that AWS's client raises, and what an answer of another form than it should be makes us raise."""

_NO_CREDENTIALS = (
    NoCredentialsError,
    PartialCredentialsError,
    CredentialRetrievalError,
    NoAuthTokenError,
    TokenRetrievalError,
    SSOError,
)
_NOT_CONNECTED = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, SSLError)

_STATUS: Mapping[str, int] = {
    "throttlingexception": HTTPStatus.TOO_MANY_REQUESTS,
    "toomanyrequestsexception": HTTPStatus.TOO_MANY_REQUESTS,
    "servicequotaexceededexception": HTTPStatus.TOO_MANY_REQUESTS,
    "modelnotreadyexception": HTTPStatus.SERVICE_UNAVAILABLE,
    "serviceunavailableexception": HTTPStatus.SERVICE_UNAVAILABLE,
    "modeltimeoutexception": HTTPStatus.GATEWAY_TIMEOUT,
    "modelerrorexception": HTTPStatus.INTERNAL_SERVER_ERROR,
    "modelstreamerrorexception": HTTPStatus.INTERNAL_SERVER_ERROR,
    "internalserverexception": HTTPStatus.INTERNAL_SERVER_ERROR,
    "validationexception": HTTPStatus.BAD_REQUEST,
    "accessdeniedexception": HTTPStatus.FORBIDDEN,
}
"""What the name of an error says better than its status: a model that is not ready is a 429 with AWS, for one."""


def translated(error: Exception, endpoint: Endpoint) -> ProviderError:
    """An error of AWS's client in our words."""
    if isinstance(error, ClientError):
        return _refused(error, endpoint, may_have_charged=isinstance(error, EventStreamError))
    if isinstance(error, (*_NO_CREDENTIALS, ParamValidationError)):
        return _not_asked(error, endpoint)
    if isinstance(error, _NOT_CONNECTED):
        return endpoint.unreachable(may_have_charged=False)
    if isinstance(error, ReadTimeoutError | ConnectionTimeoutError):
        return endpoint.timed_out()
    if isinstance(error, ConnectionClosedError | HTTPClientError | HTTPError):
        return endpoint.unreachable(may_have_charged=True)
    return endpoint.unreadable()


def broken(error: Exception, endpoint: Endpoint) -> ProviderError:
    """What went wrong within a stream, in our words."""
    if isinstance(error, ClientError):
        return _refused(error, endpoint, may_have_charged=True)
    if isinstance(error, ReadTimeoutError | ConnectionTimeoutError):
        return endpoint.timed_out()
    return endpoint.cut() if isinstance(error, HTTPClientError | HTTPError) else endpoint.unreadable()


def _not_asked(error: Exception, endpoint: Endpoint) -> ProviderError:
    """For what the client itself refuses to send."""
    if isinstance(error, _NO_CREDENTIALS):
        return ProviderAuthError(
            "there are no AWS credentials to ask Bedrock with: give the worker a role, a profile or AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY",
            details={"provider": endpoint.name},
        )
    return ProviderRejectedError(
        f"the request does not fit the model provider {endpoint.name}: {' '.join(str(error).split())[:300]}",
        details={"provider": endpoint.name},
    )


def _refused(error: ClientError, endpoint: Endpoint, *, may_have_charged: bool) -> ProviderError:
    answer = cast("Mapping[str, Any]", error.response)
    told, about = answer.get("Error", {}), answer.get("ResponseMetadata", {})
    code = str(told.get("Code") or "")
    status = _STATUS.get(code.lower()) or about.get("HTTPStatusCode") or HTTPStatus.OK
    request_id = about.get("RequestId")
    return endpoint.refused(
        int(status if status != HTTPStatus.OK else HTTPStatus.INTERNAL_SERVER_ERROR),
        reason=str(told.get("Message") or ""),
        code=code,
        headers=about.get("HTTPHeaders"),
        may_have_charged=may_have_charged,
        details={"request_id": request_id} if request_id else None,
    )
