"""Reads answers: unpacked within bounds, and as what their content type says, with secrets masked."""

import asyncio
import codecs
import zlib
from collections.abc import AsyncGenerator, Sequence
from email.message import Message
from typing import Any, Final, Literal
from urllib.parse import unquote

import httpx

from activities.collecting import uncollected
from activities.files import file_value
from activities.secrets import masked
from activities.strict_json import read_json
from orchestrator.errors import ProviderRejectedError

__all__ = ["body_of", "headers_of", "read"]

Reading = Literal["auto", "json", "text", "file"]

_HIDDEN_HEADERS: Final = frozenset({"set-cookie", "set-cookie2"})
_SHORT_BODY: Final = 100_000
"""Bytes of an answer that are read, as JSON or text, within a millisecond."""
_STEP_BYTES: Final = 1 << 20
"""What is unpacked at a time: one packet may hold a thousand times its size."""
_EITHER_HEADER: Final = 32 + zlib.MAX_WBITS
_LONGEST_TAKEN_APART: Final = 3_000
"""Characters of a header; the standard library would take half a minute for all that a server may send in one."""
_NO_CHARSETS: Final = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
"""What Python calls text, and no server sends; reading some of it takes time with the square of its length."""
_TEXTS: Final = frozenset(
    {
        "application/ecmascript",
        "application/graphql",
        "application/javascript",
        "application/jsonl",
        "application/sql",
        "application/toml",
        "application/x-ndjson",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)


async def read(response: httpx.Response, max_bytes: int, where: str) -> bytearray:
    """The whole body, unpacked.

    Raises:
        ProviderRejectedError: It is larger than ``max_bytes``, or packed in a way that was not asked for.
        httpx.HTTPError: The connection failed under way.
    """
    content = bytearray()
    declared = response.headers.get("content-length", "")
    if response.request.method != "HEAD" and declared.isdecimal() and int(declared[:20]) > max_bytes:
        raise _too_large(where, max_bytes)
    async for chunk in _unpacked(response, where):
        content += chunk
        if len(content) > max_bytes:
            raise _too_large(where, max_bytes)
    return content


def _too_large(where: str, max_bytes: int) -> ProviderRejectedError:
    return ProviderRejectedError(f"{where} answered with more than {max_bytes} bytes", details={"limit": max_bytes})


async def _unpacked(response: httpx.Response, where: str) -> AsyncGenerator[bytes]:
    """Done here, since httpx unpacks any number of layers whole: a few kilobytes could take all memory there is."""
    named = response.headers.get("content-encoding", "").lower()
    layers = [layer for part in named.split(",") if (layer := part.strip()) not in ("", "identity")]
    if not layers:
        async for chunk in response.aiter_raw():
            yield chunk
        return
    if len(layers) > 1 or layers[0] not in ("gzip", "x-gzip", "deflate"):
        raise ProviderRejectedError(f"{where} packed its answer as {named[:80]!r}; gzip and deflate can be read")
    unpacking: Any = None
    try:
        async for chunk in response.aiter_raw():
            rest = chunk
            while rest:
                if unpacking is None or unpacking.eof:  # gzip may hold several, one after the other
                    unpacking = _unpacker(layers[0], rest)
                yield unpacking.decompress(rest, _STEP_BYTES)
                rest = unpacking.unused_data or unpacking.unconsumed_tail
                await asyncio.sleep(0)
    except zlib.error as error:
        raise ProviderRejectedError(f"{where} gave an answer that cannot be unpacked as {layers[0]}") from error
    if unpacking is not None and not unpacking.eof:
        raise ProviderRejectedError(f"{where} gave an answer that ends before its {layers[0]} does")


def _unpacker(layer: str, begin: bytes) -> Any:
    # Some send deflate without the header that the standard asks for.
    bare = layer == "deflate" and begin[0] & 0x0F != zlib.DEFLATED
    return zlib.decompressobj(-zlib.MAX_WBITS if bare else _EITHER_HEADER)


def headers_of(response: httpx.Response, hidden: Sequence[str]) -> dict[str, str]:
    """The headers of an answer, but for cookies. Names in lower case."""
    headers = {name: value for name, value in response.headers.items() if name not in _HIDDEN_HEADERS}
    return masked(headers, hidden)


async def body_of(
    response: httpx.Response, content: bytearray, *, reading: Reading, hidden: Sequence[str], where: str
) -> Any:
    """The body as JSON, text or a file; none when it is empty.

    Raises:
        ProviderRejectedError: It is not what it says.
    """
    if len(content) <= _SHORT_BODY:
        return _body(response, content, reading, hidden, where)
    return await asyncio.to_thread(_long_body, response, content, reading, hidden, where)


def _long_body(
    response: httpx.Response, content: bytearray, reading: Reading, hidden: Sequence[str], where: str
) -> Any:
    with uncollected():
        return _body(response, content, reading, hidden, where)


def _body(response: httpx.Response, content: bytearray, reading: Reading, hidden: Sequence[str], where: str) -> Any:
    declared = response.headers.get("content-type", "")
    kind = declared.partition(";")[0].strip().lower()
    charset = _charset(response)
    way = _way(kind, charset, content) if reading == "auto" else reading
    if way == "file":
        if not content and reading == "auto":
            return None
        return file_value(masked(content, hidden), _filename(response, hidden), declared)
    if not content:
        return None
    try:
        read = read_json(content) if way == "json" else _text(content, charset or "utf-8")
    except (ValueError, LookupError, RecursionError) as error:
        raise ProviderRejectedError(
            f"{where} answered with {len(content)} bytes that are not what its content type ({kind or 'none'}) says, "
            "or not text; `read: file` takes them as they are"
        ) from error
    return masked(read, hidden)


def _way(kind: str, charset: str | None, content: bytearray) -> Reading:
    if kind == "application/json" or kind.endswith("+json"):
        return "json"
    if kind.startswith("text/") or kind.endswith("+xml") or kind in _TEXTS or charset is not None:
        return "text"
    if kind:
        return "file"
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return "file"
    return "text"


def _text(content: bytearray, charset: str) -> str:
    if codecs.lookup(charset).name in _NO_CHARSETS:
        raise LookupError(charset)
    return content.decode(charset)


def _charset(response: httpx.Response) -> str | None:
    return _header(response, "content-type").get_content_charset()


def _header(response: httpx.Response, name: str) -> Message:
    """One header of an answer, to be taken apart; one that is too long counts as none."""
    message, value = Message(), response.headers.get(name, "")
    message[name] = value if len(value) <= _LONGEST_TAKEN_APART else ""
    return message


def _filename(response: httpx.Response, hidden: Sequence[str]) -> str:
    """What the answer calls the file, else the last part of its address."""
    try:
        named = _header(response, "content-disposition").get_filename()
    except (ValueError, LookupError):  # a charset that does not exist
        named = None
    path = response.request.url.path.rstrip("/").rsplit("/", 1)[-1]
    return masked(named or unquote(path) or "download", hidden)
