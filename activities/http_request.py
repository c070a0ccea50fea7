"""Performs HttpRequest."""

import asyncio
import re
from http.cookiejar import DefaultCookiePolicy
from typing import Any, cast

import httpx
from pydantic_core import to_json

from activities.collecting import uncollected
from activities.providers.retry_after import retry_after
from activities.runtime import Handler
from activities.strict_json import read_json
from activities.weight import is_long
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import (
    NodeError,
    ProviderAuthError,
    ProviderError,
    ProviderRateLimitedError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from orchestrator.node_types.http_request import HttpRequestConfig

__all__ = ["handler"]

_SAFE_METHODS = frozenset({"GET", "HEAD"})
_HIDDEN_HEADERS = frozenset({"set-cookie", "set-cookie2"})
_AUTH = frozenset({401, 403})
_HOST = re.compile(r"[A-Za-z0-9._:-]+")
_MAX_PORT = 65_535
_REQUEST_TIMEOUT = 408
_TOO_MANY = 429
_SERVER_ERROR = 500
_SHORT_BODY = 100_000
"""Bytes of an answer that are read, as JSON or text, within a millisecond."""


def handler(client: httpx.AsyncClient, *, max_bytes: int) -> Handler[HttpRequestConfig]:
    """Sends requests through ``client``; an answer of more than ``max_bytes``, unpacked, is an error."""
    # The client serves every run of the worker: a cookie that one was given must not travel with another.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))

    async def handle(config: HttpRequestConfig, call: NodeCall) -> NodeOutput:
        long = is_long([config.json_body, config.text], {})
        request = await asyncio.to_thread(_request, client, config, call) if long else _request(client, config, call)
        where = f"{request.method} {_shown(request.url)}"
        try:
            async with asyncio.timeout(config.timeout):
                response = await client.send(request, stream=True, follow_redirects=False)
                try:
                    _check_status(response, config, where)
                    content = await _read(response, max_bytes, where)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx.TimeoutException) as error:
            raise ProviderUnavailableError(f"{where} did not answer within {config.timeout:g} seconds") from error
        except httpx.LocalProtocolError as error:
            raise ProviderRejectedError(
                f"{where} cannot be sent: HTTP does not allow these headers; "
                "they hold no line breaks, and no content-length of their own"
            ) from error
        except httpx.TransportError as error:
            raise ProviderUnavailableError(f"{where} failed: {type(error).__name__}") from error
        except httpx.HTTPError as error:
            raise ProviderRejectedError(
                f"{where} gave an answer that cannot be read: {type(error).__name__}"
            ) from error
        headers = {name: value for name, value in response.headers.items() if name not in _HIDDEN_HEADERS}
        long = len(content) > _SHORT_BODY
        body = (
            await asyncio.to_thread(_long_body, response, content, where) if long else _body(response, content, where)
        )
        return NodeOutput(output={"status": response.status_code, "headers": headers, "body": body})

    return handle


def _request(client: httpx.AsyncClient, config: HttpRequestConfig, call: NodeCall) -> httpx.Request:
    try:
        url = httpx.URL(config.url)
        headers = httpx.Headers(config.headers)
        content = _content(config, headers)
        if config.idempotency_header and config.method not in _SAFE_METHODS:
            headers.setdefault(config.idempotency_header, call.idempotency_key)
        query = {name: _query_value(value) for name, value in config.query.items() if value is not None}
        request = client.build_request(
            config.method,
            url.copy_merge_params(query) if query else url,
            headers=headers,
            content=content,
            timeout=config.timeout,
        )
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise NodeError(
            f"the url, query or headers of node {call.node!r} cannot be sent ({type(error).__name__}); "
            "headers take plain ASCII text"
        ) from error
    if not _is_web(request.url):
        raise NodeError(f"the url of node {call.node!r} must begin with http:// or https:// and name a host")
    return request


def _is_web(url: httpx.URL) -> bool:
    host_fits = _HOST.fullmatch(url.raw_host.decode("ascii")) is not None
    return url.scheme in {"http", "https"} and host_fits and (url.port is None or 0 < url.port <= _MAX_PORT)


def _content(config: HttpRequestConfig, headers: httpx.Headers) -> bytes | None:
    if "json_body" in config.model_fields_set:
        headers.setdefault("content-type", "application/json")
        return to_json(config.json_body)
    if config.text is not None:
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return config.text.encode()
    return None


def _query_value(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [item if isinstance(item, (str, int, float)) else to_json(item).decode() for item in items]
    return to_json(value).decode()


def _shown(url: httpx.URL) -> str:
    """The address without what may be secret: credentials, query, fragment."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _check_status(response: httpx.Response, config: HttpRequestConfig, where: str) -> None:
    status = response.status_code
    wanted = config.expect_status
    if (status in wanted) if wanted is not None else response.is_success:
        return
    raise _status_error(response, where)


def _status_error(response: httpx.Response, where: str) -> ProviderError:
    status = response.status_code
    message = f"{where} answered {status} {response.reason_phrase}".rstrip()
    details: dict[str, object] = {"status": status}
    wait = retry_after(response.headers)
    if status == _TOO_MANY:
        return ProviderRateLimitedError(message, retry_after_s=wait, details=details)
    if status == _REQUEST_TIMEOUT or status >= _SERVER_ERROR:
        return ProviderUnavailableError(message, retry_after_s=wait, details=details)
    if status in _AUTH:
        return ProviderAuthError(message, details=details)
    if response.is_redirect:
        return ProviderRejectedError(f"{message}; redirects are not followed, use the final address", details=details)
    return ProviderRejectedError(f"{message}; add {status} to expect_status to read its body", details=details)


async def _read(response: httpx.Response, max_bytes: int, where: str) -> bytearray:
    content = bytearray()
    async for chunk in response.aiter_bytes():
        content += chunk
        if len(content) > max_bytes:
            raise ProviderRejectedError(
                f"{where} answered with more than {max_bytes} bytes", details={"limit": max_bytes}
            )
    return content


def _long_body(response: httpx.Response, content: bytearray, where: str) -> Any:
    with uncollected():
        return _body(response, content, where)


def _body(response: httpx.Response, content: bytearray, where: str) -> Any:
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if not content:
        return None
    try:
        if kind == "application/json" or kind.endswith("+json"):
            return read_json(content)
        return content.decode(response.charset_encoding or "utf-8")
    except (ValueError, LookupError, RecursionError) as error:
        raise ProviderRejectedError(
            f"{where} answered with {len(content)} bytes that are not what its content type ({kind or 'none'}) says, "
            "or not text"
        ) from error
