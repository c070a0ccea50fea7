"""Files as values: the map ``{filename, content_type, base64}`` that nodes hand on."""

import base64
import re
from binascii import Error as NotBase64Error
from typing import Any, Final, NamedTuple, cast

from orchestrator.errors import NodeError

__all__ = ["File", "content_of", "file_of", "file_value", "is_file", "safe_name"]

OCTETS: Final = "application/octet-stream"

_FIELDS: Final = frozenset({"filename", "content_type", "base64"})
_MEDIA_TYPE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,127}(;[ -~]{0,500})?")
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_MOST_NAME_BYTES: Final = 200


class File(NamedTuple):
    """A file: what it is called, what is in it, and the content type of that."""

    filename: str
    content_type: str
    content: bytes


def file_value(content: bytes | bytearray, filename: str, content_type: str = OCTETS) -> dict[str, Any]:
    """The JSON value that stands for a file. ``filename`` is made safe; a ``content_type`` that is none is replaced."""
    return {
        "filename": safe_name(filename),
        "content_type": content_type if _MEDIA_TYPE.fullmatch(content_type) else OCTETS,
        "base64": base64.b64encode(content).decode("ascii"),
    }


def is_file(value: Any) -> bool:
    """Whether ``value`` has the fields of a file, and no others."""
    return isinstance(value, dict) and cast("dict[str, Any]", value).keys() == _FIELDS


def content_of(value: Any) -> bytes | None:
    """The bytes of the file that ``value`` stands for; none when it does not look like a file.

    Raises:
        NodeError: It looks like one, but its ``base64`` is not base64.
    """
    if not is_file(value):
        return None
    encoded = cast("dict[str, Any]", value)["base64"]
    if not isinstance(encoded, str):
        raise NodeError("the `base64` of a file is a text")
    try:
        return base64.b64decode(encoded, validate=True)
    except (NotBase64Error, ValueError):
        raise NodeError("the `base64` of a file holds something else than base64") from None


def file_of(value: Any, what: str) -> File:
    """The file that ``value`` stands for.

    Raises:
        NodeError: It is none; the message begins with ``what``.
    """
    try:
        content = content_of(value)
    except NodeError as error:
        raise NodeError(f"{what}: {error.message}") from None
    if content is None:
        raise NodeError(f"{what} is no file: a file is a map of `filename`, `content_type` and `base64`")
    fields = cast("dict[str, Any]", value)
    kind, name = fields["content_type"], fields["filename"]
    if not isinstance(kind, str) or not _MEDIA_TYPE.fullmatch(kind):
        raise NodeError(f"{what}: its `content_type` is none, such as image/png")
    if not isinstance(name, str):
        raise NodeError(f"{what}: its `filename` is a text")
    return File(safe_name(name), kind, content)


def safe_name(name: str) -> str:
    """``name`` as the name of one file: no folders, no control characters, at most 200 bytes, never empty."""
    last = _UNSAFE.sub("", name.replace("\\", "/")).rsplit("/", 1)[-1].strip(" .")
    if len(last.encode("utf-8", "ignore")) > _MOST_NAME_BYTES:
        stem, dot, ending = last.rpartition(".")
        ending = f"{dot}{ending}" if stem and len(ending) <= 16 else ""  # noqa: PLR2004 - longer is no ending
        kept = _MOST_NAME_BYTES - len(ending.encode("utf-8", "ignore"))
        last = (stem or last).encode("utf-8", "ignore")[:kept].decode("utf-8", "ignore") + ending
    return last.encode("utf-8", "ignore").decode() or "file"
