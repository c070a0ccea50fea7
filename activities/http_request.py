"""Performs HttpRequest."""

import asyncio
import ssl
from collections.abc import Mapping, Sequence
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import httpx

from activities.providers.retry_after import retry_after
from activities.runtime import Handler
from activities.secrets import SECRET_PREFIX, NamedSecrets
from activities.web.answers import body_of, headers_of, read
from activities.web.building import build, shown, web_address
from activities.web.credentials import NO_CREDENTIALS, Credentials, credentials, hidden_in
from activities.web.redirects import redirected, same_origin
from activities.weight import is_long
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import (
    OrchestratorError,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from orchestrator.node_types.http_request import HttpRequestConfig

__all__ = ["handler"]

_AUTH: Final = frozenset({401, 403})
_REQUEST_TIMEOUT: Final = 408
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500


def handler(
    client: httpx.AsyncClient,
    *,
    max_bytes: int,
    secrets: NamedSecrets | None = None,
    secret_hosts: Mapping[str, Sequence[str]] | None = None,
) -> Handler[HttpRequestConfig]:
    """Sends requests through ``client``; an answer of more than ``max_bytes``, unpacked, is an error.

    ``secrets`` are those that ``auth`` may name; without them, those of the environment. ``secret_hosts`` says for some
    which hosts they may be sent to.
    """
    # The client serves every run of the worker: a cookie that one was given must not travel with another.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))
    known = secrets or NamedSecrets(SECRET_PREFIX)

    async def handle(config: HttpRequestConfig, call: NodeCall) -> NodeOutput:
        url = web_address(config, call)
        proof = credentials(config.auth, url, known, secret_hosts or {})
        long = is_long([config.json_body, config.text, config.form, config.files, config.file], {})
        request = (
            await asyncio.to_thread(build, client, config, call, url, proof)
            if long
            else build(client, config, call, url, proof)
        )
        try:
            response, content, where = await _exchange(client, request, config, proof, max_bytes)
            body = await body_of(response, content, reading=config.read, hidden=proof.hidden, where=where)
        except OrchestratorError as error:
            raise hidden_in(error, proof.hidden) from None
        headers = headers_of(response, proof.hidden)
        return NodeOutput(output={"status": response.status_code, "headers": headers, "body": body})

    return handle


async def _exchange(
    client: httpx.AsyncClient, request: httpx.Request, config: HttpRequestConfig, proof: Credentials, max_bytes: int
) -> tuple[httpx.Response, bytearray, str]:
    """The last answer, its body, and what was asked for in the end."""
    where = _where(request)
    try:
        async with asyncio.timeout(config.timeout):
            for left in range(config.max_redirects, -1, -1):
                where = _where(request)
                response = await client.send(request, stream=True, follow_redirects=False)
                try:
                    if not left or not _is_redirect(response, config):
                        _check_status(response, config, where)
                        return response, await read(response, max_bytes, where), where
                finally:
                    await response.aclose()
                request, before = redirected(client, response, proof, config.idempotency_header), request
                if not same_origin(request.url, before.url):
                    proof = NO_CREDENTIALS._replace(hidden=proof.hidden)
    except (TimeoutError, httpx.TimeoutException) as error:
        raise ProviderUnavailableError(f"{where} did not answer within {config.timeout:g} seconds") from error
    except httpx.InvalidURL as error:  # httpx reads the location of a redirect too
        raise ProviderRejectedError(f"{where} redirects to something that is no web address") from error
    except httpx.LocalProtocolError as error:
        raise ProviderRejectedError(
            f"{where} cannot be sent: HTTP does not allow these headers; "
            "they hold no line breaks, and no content-length of their own"
        ) from error
    except httpx.TransportError as error:
        if (refusal := _certificate_refusal(error)) is not None:
            raise ProviderUnavailableError(f"{where} failed: its certificate is not accepted: {refusal}") from error
        raise ProviderUnavailableError(f"{where} failed: {type(error).__name__}") from error
    except httpx.HTTPError as error:
        raise ProviderRejectedError(f"{where} gave an answer that cannot be read: {type(error).__name__}") from error
    raise AssertionError("the last turn of the loop returns or raises")


def _certificate_refusal(error: BaseException) -> str | None:
    """What is wrong with the certificate of the server, if that is what ``error`` comes from."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return found.verify_message
        found = found.__cause__ or found.__context__
    return None


def _where(request: httpx.Request) -> str:
    return f"{request.method} {shown(request.url)}"


def _is_redirect(response: httpx.Response, config: HttpRequestConfig) -> bool:
    return response.has_redirect_location and response.status_code not in (config.expect_status or ())


def _check_status(response: httpx.Response, config: HttpRequestConfig, where: str) -> None:
    status = response.status_code
    wanted = config.expect_status
    if (status in wanted) if wanted is not None else response.is_success:
        return
    raise _status_error(response, where, config.max_redirects)


def _status_error(response: httpx.Response, where: str, max_redirects: int) -> ProviderError:
    status = response.status_code
    message = f"{where} answered {status} {response.reason_phrase}".rstrip()
    details: dict[str, Any] = {"status": status}
    wait = retry_after(response.headers)
    if status == _TOO_MANY:
        return ProviderRateLimitedError(message, retry_after_s=wait, details=details)
    if status == _REQUEST_TIMEOUT or status >= _SERVER_ERROR:
        return ProviderUnavailableError(message, retry_after_s=wait, details=details)
    if status in _AUTH:
        return ProviderAuthError(message, details=details)
    if response.has_redirect_location:
        followed = f"after {max_redirects} redirects" if max_redirects else "and max_redirects is 0"
        return ProviderRejectedError(
            f"{message}, {followed}; use the final address, or raise max_redirects", details=details
        )
    return ProviderRejectedError(f"{message}; add {status} to expect_status to read its body", details=details)
