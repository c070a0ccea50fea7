"""Writes AWS's event-stream framing, for tests that answer as Bedrock does.

The form of a frame is that of https://smithy.io/2.0/aws/amazon-eventstream.html: the length of the whole and of the
headers and the CRC of these two (the prelude), the headers, the payload, and the CRC of all before it.
"""

import json
from binascii import crc32
from struct import pack
from typing import Any

_STRING = 7


def frame(payload: Any, **headers: str) -> bytes:
    """A frame; underscores of header names become hyphens, and a colon comes before each."""
    body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
    fields = b"".join(_header(f":{name.replace('_', '-')}", value) for name, value in headers.items())
    prelude = pack("!II", 12 + len(fields) + len(body) + 4, len(fields))
    message = prelude + pack("!I", crc32(prelude)) + fields + body
    return message + pack("!I", crc32(message))


def event(kind: str, payload: Any) -> bytes:
    """An event of a stream, such as ``contentBlockDelta``."""
    return frame(payload, event_type=kind, content_type="application/json", message_type="event")


def exception(kind: str, message: str) -> bytes:
    """An error within a stream, such as ``throttlingException``."""
    return frame({"message": message}, exception_type=kind, content_type="application/json", message_type="exception")


def _header(name: str, value: str) -> bytes:
    return pack("!B", len(name)) + name.encode() + pack("!BH", _STRING, len(value)) + value.encode()
