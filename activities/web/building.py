"""Builds requests: address, headers, body."""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast
from urllib.parse import urlencode

import httpx
from pydantic_core import to_json

from activities.files import File, file_of
from activities.web.credentials import Credentials
from orchestrator.contracts import NodeCall
from orchestrator.errors import NodeError
from orchestrator.node_types.http_request import HttpRequestConfig

__all__ = ["SAFE_METHODS", "build", "is_web", "shown", "web_address"]

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
"""Those that carry no idempotency key."""

_HOST: Final = re.compile(r"[A-Za-z0-9._:-]+")
_MAX_PORT: Final = 65_535


def web_address(config: HttpRequestConfig, call: NodeCall) -> httpx.URL:
    """The address that ``config`` asks for, without its ``query``.

    Raises:
        NodeError: It is no web address.
    """
    try:
        url = httpx.URL(config.url)
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise _not_sent(call, error) from error
    if not is_web(url):
        raise NodeError(f"the url of node {call.node!r} must begin with http:// or https:// and name a host")
    return url


def build(
    client: httpx.AsyncClient, config: HttpRequestConfig, call: NodeCall, url: httpx.URL, proof: Credentials
) -> httpx.Request:
    """The request that ``config`` asks for.

    Raises:
        NodeError: HTTP has no way to send it.
    """
    try:
        headers = httpx.Headers(config.headers)
        content = _content(config, headers, call)
        if config.idempotency_header and config.method not in SAFE_METHODS:
            headers.setdefault(config.idempotency_header, call.idempotency_key)
        headers.setdefault("accept-encoding", "gzip, deflate")
        headers.update(proof.headers)
        query = {name: _query_value(value) for name, value in config.query.items() if value is not None}
        query.update(proof.query)
        return client.build_request(
            config.method,
            url.copy_merge_params(query) if query else url,
            headers=headers,
            content=content,
            timeout=config.timeout,
        )
    except (httpx.InvalidURL, ValueError, TypeError) as error:
        raise _not_sent(call, error) from error


def _not_sent(call: NodeCall, error: Exception) -> NodeError:
    return NodeError(
        f"the url, query or headers of node {call.node!r} cannot be sent ({type(error).__name__}); "
        "headers take plain ASCII text"
    )


def is_web(url: httpx.URL) -> bool:
    """Whether ``url`` is one of http or https with a host that can be looked up."""
    host_fits = _HOST.fullmatch(url.raw_host.decode("ascii")) is not None
    return url.scheme in {"http", "https"} and host_fits and (url.port is None or 0 < url.port <= _MAX_PORT)


def shown(url: httpx.URL) -> str:
    """The address without what may be secret: credentials, query, fragment."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


def _content(config: HttpRequestConfig, headers: httpx.Headers, call: NodeCall) -> bytes | None:
    if "json_body" in config.model_fields_set:
        headers.setdefault("content-type", "application/json")
        return to_json(config.json_body)
    if config.text is not None:
        headers.setdefault("content-type", "text/plain; charset=utf-8")
        return config.text.encode()
    if config.file is not None:
        file = file_of(config.file, f"config.file of node {call.node!r}")
        headers.setdefault("content-type", file.content_type)
        return file.content
    if config.files is not None:
        return _multipart(config.form or {}, config.files, headers, call)
    if config.form is not None:
        headers.setdefault("content-type", "application/x-www-form-urlencoded")
        return urlencode(list(_fields(config.form))).encode("ascii")
    return None


def _multipart(form: Mapping[str, Any], files: Mapping[str, Any], headers: httpx.Headers, call: NodeCall) -> bytes:
    parts = list(_parts(files, call))
    fields: dict[str, list[str]] = {}
    for name, text in _fields(form):
        fields.setdefault(name, []).append(text)
    # The same on every attempt, since services compare bodies under one idempotency key; and nothing can hold it that
    # it is the digest of.
    digest = hashlib.sha256(to_json([fields, [(name, file[:2]) for name, file in parts]]))
    for _, file in parts:
        digest.update(file.content)
    headers["content-type"] = f"multipart/form-data; boundary={digest.hexdigest()[:40]}"
    encoded = httpx.Request(
        "POST",
        "http://encoder.invalid",
        headers={"content-type": headers["content-type"]},
        data=fields,
        files=[(name, (file.filename, file.content, file.content_type)) for name, file in parts],
    )
    return encoded.read()


def _parts(files: Mapping[str, Any], call: NodeCall) -> Iterator[tuple[str, File]]:
    for name, value in files.items():
        several = isinstance(value, list)
        for number, item in enumerate(cast("list[Any]", value) if several else [value]):
            place = f"config.files.{name}[{number}]" if several else f"config.files.{name}"
            yield name, file_of(item, f"{place} of node {call.node!r}")


def _fields(form: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in form.items():
        for item in cast("list[Any]", value) if isinstance(value, list) else [value]:
            if item is not None:
                yield name, item if isinstance(item, str) else to_json(item).decode()


def _query_value(value: Any) -> Any:
    if isinstance(value, (str, int, float)):
        return value
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [item if isinstance(item, (str, int, float)) else to_json(item).decode() for item in items]
    return to_json(value).decode()
