"""The codec server: decrypts payloads for a browser that shows Temporal's Web UI, and for the ``temporal`` program."""

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

from google.protobuf.json_format import MessageToDict, Parse, ParseError
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from orchestrator.addresses import split
from orchestrator.encryption.codec import EncryptingCodec
from orchestrator.encryption.keys import keys_of
from orchestrator.errors import SettingsError
from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from orchestrator.settings import Settings, variable_name

__all__ = ["codec_app", "serve_codec"]

_MOST_BYTES = 20_000_000
_MOST_PAYLOADS = 10_000
"""In one request. Each takes thousands of bytes once it is read, however short it is."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_Work = Callable[[list[Payload]], Awaitable[list[Payload]]]


def codec_app(codec: PayloadCodec, *, token: str | None = None, origin: str | None = None) -> Starlette:
    """The application with ``POST /encode`` and ``POST /decode``, as Temporal's protocol has it.

    Args:
        codec: What encrypts and decrypts.
        token: What a caller must send (``Authorization: Bearer``); without it only names of this machine are served.
        origin: Origin of the Web UI whose pages may ask.
    """

    def endpoint(work: _Work) -> Callable[[Request], Awaitable[JSONResponse]]:
        async def answer(request: Request) -> JSONResponse:
            if (refusal := _refusal(request, token)) is not None:
                return refusal
            try:
                payloads = await _read(request)
                done = await work(list(payloads.payloads))
            except _BadRequestError as error:
                return JSONResponse({"error": str(error)}, status_code=400)
            except SettingsError as error:
                return JSONResponse({"error": error.message}, status_code=400)
            return JSONResponse(await asyncio.to_thread(MessageToDict, Payloads(payloads=done)))

        return answer

    routes = [
        Route("/encode", endpoint(codec.encode), methods=["POST"]),
        Route("/decode", endpoint(codec.decode), methods=["POST"]),
    ]
    cors = Middleware(
        CORSMiddleware,
        allow_origins=[origin] if origin else [],
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "x-namespace"],
        allow_credentials=True,
    )
    return Starlette(routes=routes, middleware=[cors])


async def serve_codec(
    address: str, settings: Settings, stop: asyncio.Event, *, begun: Callable[[], None] = lambda: None
) -> None:
    """Answers at ``address`` (``host:port``) until ``stop`` is set; calls ``begun`` once it does.

    Raises:
        SettingsError: There are no keys, nothing can listen there, or other machines could reach it without a token.
    """
    keys = keys_of(settings)
    if keys is None:
        names = f"{variable_name('encryption_keys')} or {variable_name('encryption_keys_file')}"
        raise SettingsError(f"The codec server has no keys: set {names} as for the workers.")
    token = settings.codec_token.get_secret_value() if settings.codec_token else None
    try:
        outside = not split(address).is_loopback
    except ValueError as error:
        raise SettingsError(f"The codec server cannot listen there: {error}.") from None
    if outside and token is None:
        raise SettingsError(
            f"Whoever reaches the codec server reads everything: set {variable_name('codec_token')} to listen at "
            f"{address}, or listen at 127.0.0.1."
        )
    listener = reserved(address, "the address of the codec server")
    async with serving(codec_app(EncryptingCodec(keys), token=token, origin=settings.codec_origin), listener):
        begun()
        await stop.wait()


class _BadRequestError(Exception):
    """What was sent cannot be read; says why."""


def _refusal(request: Request, token: str | None) -> JSONResponse | None:
    if token is None:
        # A page elsewhere may have its own name lead to this machine, and would then count as ours.
        host = urlsplit(f"//{request.headers.get('host', '')}").hostname
        if host in _LOOPBACK:
            return None
        return JSONResponse({"error": "without a token only localhost is served"}, status_code=403)
    given = request.headers.get("authorization", "")
    if hmac.compare_digest(given.encode(), f"Bearer {token}".encode()):
        return None
    return JSONResponse(
        {"error": "the token is missing or wrong (Authorization: Bearer …)"},
        status_code=401,
        headers={"WWW-Authenticate": "Bearer"},
    )


async def _read(request: Request) -> Payloads:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MOST_BYTES:
            raise _BadRequestError(f"the request takes more than {_MOST_BYTES:,} bytes")
    # Each has metadata, and nothing else in a request begins with a brace.
    if body.count(b"{") > 2 * _MOST_PAYLOADS + 1:
        raise _BadRequestError(f"the request has more than {_MOST_PAYLOADS:,} payloads")
    try:
        # Parsing takes an empty list for an object.
        if not body.lstrip().startswith(b"{"):
            raise ParseError("no object")  # noqa: TRY301 - told like all else that is none
        return await asyncio.to_thread(Parse, bytes(body), Payloads(), ignore_unknown_fields=True)
    except (ParseError, UnicodeDecodeError) as error:
        reason = str(error).partition("\n")[0][:200]
        raise _BadRequestError(f'expected JSON {{"payloads": [{{"metadata": …, "data": …}}]}}: {reason}') from None
