"""Follows redirects as RFC 9110 has it, and takes nothing along to another origin that was meant for the first."""

from typing import Final

import httpx

from activities.secrets import masked
from activities.web.building import SAFE_METHODS, is_web, shown
from activities.web.credentials import Credentials
from orchestrator.errors import ProviderRejectedError

__all__ = ["redirected", "same_origin"]

_SEE_OTHER: Final = 303
_MAY_BECOME_GET: Final = frozenset({301, 302})
_HARMLESS: Final = frozenset({"accept", "accept-encoding", "accept-language", "user-agent"})
"""Headers that go along to another origin: whatever else an author wrote may be meant for the first alone."""
_OF_BODY: Final = ("content-type", "content-length", "content-encoding", "content-language")


def redirected(
    client: httpx.AsyncClient, response: httpx.Response, proof: Credentials, idempotency_header: str | None
) -> httpx.Request:
    """The request that ``response``, a redirect with a location, leads to.

    301 and 302 turn POST into GET, 303 all but HEAD; 307 and 308 keep method and body.

    Args:
        client: Sends it.
        response: The redirect; its own request is what is repeated.
        proof: What the first request was sent with, if this origin still is the first one's.
        idempotency_header: Name of the header that requests which change something carry.

    Raises:
        ProviderRejectedError: It leads to no web address, or somewhere the request must not go.
    """
    request, where = response.request, f"{response.request.method} {shown(response.request.url)}"
    target = _target(response, where)
    method = _method(response.status_code, request.method)
    timeout = request.extensions["timeout"]
    if same_origin(target, request.url):
        headers, content = request.headers.copy(), request.content
        if method != request.method:
            content = b""
            for name in (*_OF_BODY, *([idempotency_header] if idempotency_header else [])):
                headers.pop(name, None)
        if proof.query:
            target = target.copy_merge_params(dict(proof.query))
        headers.pop("content-length", None)
        return client.build_request(method, target, headers=headers, content=content or None, timeout=_seconds(timeout))
    _may_leave(request, method, target, proof, where)
    kept = {name: value for name, value in request.headers.items() if name in _HARMLESS}
    return client.build_request(method, target, headers=kept, timeout=_seconds(timeout))


def _target(response: httpx.Response, where: str) -> httpx.URL:
    try:
        target = response.request.url.copy_with(userinfo=b"").join(response.headers["location"])
        target = target.copy_with(userinfo=b"", fragment=None)
        web = is_web(target)
    except (httpx.InvalidURL, ValueError):
        web = False
        target = httpx.URL()
    if not web:
        raise ProviderRejectedError(f"{where} redirects to something that is no web address")
    return target


def _method(status: int, method: str) -> str:
    if (status == _SEE_OTHER and method != "HEAD") or (status in _MAY_BECOME_GET and method == "POST"):
        return "GET"
    return method


def _may_leave(request: httpx.Request, method: str, target: httpx.URL, proof: Credentials, where: str) -> None:
    """Refuses what must not go to another origin."""
    there = shown(target)
    if method not in SAFE_METHODS:
        raise ProviderRejectedError(
            f"{where} redirects to {there}, another origin: a {method} is not repeated there; use the final address"
        )
    if proof.hidden and request.url.scheme == "https" and target.scheme == "http":
        raise ProviderRejectedError(
            f"{where} redirects to {there}: a request with auth does not go on from https to http"
        )
    if proof.hidden and masked(str(target), proof.hidden) != str(target):
        raise ProviderRejectedError(
            f"{where} redirects to {there}, another origin, with the secret in its address; use the final address"
        )


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether two addresses have scheme, host and port in common."""
    return _origin(one) == _origin(other)


def _origin(url: httpx.URL) -> tuple[str, bytes, int | None]:
    port = url.port or {"http": 80, "https": 443}.get(url.scheme)
    return url.scheme, url.raw_host.lower(), port


def _seconds(timeout: dict[str, float | None]) -> float | None:
    return timeout.get("connect")
