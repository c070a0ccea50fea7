"""Encrypts what Temporal keeps of runs: payloads go to the server as ``binary/encrypted``, and come back plain."""

import asyncio
from collections.abc import Sequence

from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

from orchestrator.encryption.keys import Keys, key_for
from orchestrator.errors import SettingsError

__all__ = ["ENCODING", "EncryptingCodec"]

ENCODING = b"binary/encrypted"
_KEY_ID = "encryption-key-id"
_CIPHER_NAME, _CIPHER = "encryption-cipher", b"AES-256-GCM"
_ABOUT = b"orchestrator payload 1\0"
_LONG = 64_000
"""Bytes from which the work goes to a thread, since one event loop carries the heartbeats of all that a worker does."""


class EncryptingCodec(PayloadCodec, WithSerializationContext):
    """Encrypts with the first key, decrypts with the one that a payload names, lets pass what is not encrypted.

    Args:
        keys: Without any, nothing is encrypted, and what is encrypted is refused: a worker without keys must not
            take it for a bad request, and fail the run.
        run: Whose payloads they are, where that is known: said when one cannot be decrypted.
    """

    def __init__(self, keys: Keys | None, run: str | None = None) -> None:
        self._keys = keys
        self._run = run

    def with_context(self, context: SerializationContext) -> "EncryptingCodec":
        """The same for the payloads of one run."""
        known = isinstance(context, (WorkflowSerializationContext, ActivitySerializationContext))
        return EncryptingCodec(self._keys, context.workflow_id if known else None)

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Encrypt each, its own metadata included; what is encrypted already stays as it is."""
        if self._keys is None:
            return list(payloads)
        if sum(len(payload.data) for payload in payloads) < _LONG:
            return self._encrypted(payloads)
        return await asyncio.to_thread(self._encrypted, payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Decrypt those that are encrypted.

        Raises:
            SettingsError: One is encrypted with a key that we do not have, or was changed.
        """
        if not any(_is_encrypted(payload) for payload in payloads):
            return list(payloads)
        if sum(len(payload.data) for payload in payloads) < _LONG:
            return self._decrypted(payloads)
        return await asyncio.to_thread(self._decrypted, payloads)

    def _encrypted(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [payload if _is_encrypted(payload) else self._encrypt(payload) for payload in payloads]

    def _decrypted(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) if _is_encrypted(payload) else payload for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        if self._keys is None:
            return payload
        key = self._keys.first
        metadata = {"encoding": ENCODING, _CIPHER_NAME: _CIPHER, _KEY_ID: key.id.encode()}
        return Payload(metadata=metadata, data=key.seal(payload.SerializeToString(), _about(key.id)))

    def _decrypt(self, payload: Payload) -> Payload:
        name = payload.metadata.get(_KEY_ID, b"").decode(errors="replace")
        what = "A payload" if self._run is None else f"A payload of run {self._run}"
        about = {} if self._run is None else {"run": self._run}
        key = key_for(self._keys, name, what, about)
        try:
            return Payload.FromString(key.open(payload.data, _about(name)))
        except (ValueError, DecodeError) as error:
            raise SettingsError(
                f"{what} encrypted with the key {name[:64]!r} cannot be decrypted: {error}.", details=about
            ) from None


def _is_encrypted(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCODING


def _about(key_id: str) -> bytes:
    """What is bound to a payload: that it is one, in which form, and the key it names."""
    return b"%s%s\0%s\0%s" % (_ABOUT, ENCODING, _CIPHER, key_id.encode())
