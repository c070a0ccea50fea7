"""The keys that payloads and blobs are encrypted with: by id, the first encrypts, all decrypt."""

import base64
import binascii
import hmac
import os
import re
from collections.abc import Iterator, Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, variable_name

__all__ = ["Key", "Keys", "key_for", "keys_of", "new_key", "read_keys"]

_KEY_BYTES = 32
_NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_VARIABLE = variable_name("encryption_keys")
_FILE_VARIABLE = variable_name("encryption_keys_file")


class Key:
    """One AES-256-GCM key. What it seals is a nonce of 12 bytes and the encrypted text with its tag.

    Args:
        id: Its name, which is kept in clear beside what it encrypts.
        secret: 32 random bytes.
    """

    def __init__(self, id: str, secret: bytes) -> None:  # noqa: A002 - what it is called everywhere else
        self.id = id
        self._cipher = AESGCM(secret)
        # Keys of their own, so that nonces which follow from content never meet random ones.
        self._steady = AESGCM(_derived(secret, b"blobs"))
        self._nonces = _derived(secret, b"nonces of blobs")
        self._names = _derived(secret, b"names of answers")

    def __repr__(self) -> str:
        return f"Key({self.id!r})"

    def seal(self, text: bytes, about: bytes) -> bytes:
        """Encrypt ``text``; ``about`` is bound to it: opening it takes the same."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, text, about)

    def open(self, sealed: bytes, about: bytes) -> bytes:
        """What ``seal`` was given.

        Raises:
            ValueError: It was changed, or sealed by another key or about something else.
        """
        return _opened(self._cipher, sealed, about)

    def seal_steadily(self, text: bytes, about: bytes) -> bytes:
        """As ``seal``, and the same text gives the same bytes each time."""
        nonce = hmac.digest(self._nonces, about + b"\0" + text, "sha256")[:_NONCE_BYTES]
        return nonce + self._steady.encrypt(nonce, text, about)

    def name_of(self, text: bytes) -> str:
        """A name for ``text`` in 64 hex digits, the same each time; without the key nobody can tell whose it is."""
        return hmac.digest(self._names, text, "sha256").hex()

    def open_steady(self, sealed: bytes, about: bytes) -> bytes:
        """What ``seal_steadily`` was given. Raises as ``open``."""
        return _opened(self._steady, sealed, about)


class Keys:
    """The keys of a process, at least one."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self.first = keys[0]
        self._by_id = {key.id: key for key in keys}

    def get(self, id: str) -> Key | None:  # noqa: A002 - see Key
        """The key ``id``, if it is there."""
        return self._by_id.get(id)


def key_for(keys: Keys | None, id: str, what: str, about: Mapping[str, str] | None = None) -> Key:  # noqa: A002 - see Key
    """The one of ``keys`` that ``what`` was encrypted with; ``about`` goes into the details of the error.

    Raises:
        SettingsError: It is not among them.
    """
    found = None if keys is None else keys.get(id)
    if found is None:
        raise SettingsError(
            f"{what} is encrypted with the key {id[:64]!r}, which this process does not have. Add it to {_VARIABLE} "
            f"(or {_FILE_VARIABLE}), behind the first one.",
            details={"key": id[:64], **(about or {})},
        )
    return found


def keys_of(settings: Settings) -> Keys | None:
    """The keys that the settings give; none where nothing is to be encrypted.

    Raises:
        SettingsError: A key is wrong, or the file cannot be read. No part of a key is shown.
    """
    if settings.encryption_keys is not None:
        return read_keys(settings.encryption_keys.get_secret_value().replace(",", "\n"), _VARIABLE)
    if settings.encryption_keys_file is None:
        return None
    file = settings.encryption_keys_file
    try:
        return read_keys(file.read_text(encoding="utf-8"), f"{_FILE_VARIABLE} ({file})")
    except (OSError, UnicodeDecodeError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or "it is not text"
        raise SettingsError(f"{_FILE_VARIABLE}: {file} cannot be read: {reason}.") from None


def read_keys(text: str, where: str) -> Keys:
    """The keys in ``text``, one ``id:base64`` a line; empty lines and those that begin with # do not count.

    Raises:
        SettingsError: One is wrong; names ``where``, its number and, if it has one, its id.
    """
    keys = list(_keys(text, where))
    if not keys:
        raise SettingsError(f"{where} has no key. `orchestrator encryption-key` prints a fresh one.")
    if twice := {key.id for key in keys if sum(key.id == other.id for other in keys) > 1}:
        raise SettingsError(f"{where}: the key id {min(twice)!r} is there twice.")
    return Keys(keys)


def _keys(text: str, where: str) -> Iterator[Key]:
    lines = (line.strip() for line in text.splitlines())
    for number, line in enumerate((line for line in lines if line and not line.startswith("#")), 1):
        name, colon, encoded = line.partition(":")
        if not colon or not _ID.fullmatch(name):
            raise SettingsError(
                f"{where}: key number {number} is not of the form id:base64 "
                "(id: up to 64 letters, digits, `.`, `_`, `-`)."
            )
        try:
            secret = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            secret = b""
        if len(secret) != _KEY_BYTES:
            raise SettingsError(
                f"{where}: the key {name!r} is not {_KEY_BYTES} bytes in base64. "
                "`orchestrator encryption-key` prints one."
            )
        yield Key(name, secret)


def new_key(id: str) -> str:  # noqa: A002 - see Key
    """A fresh key, as it is written into the settings.

    Raises:
        SettingsError: ``id`` is no name of a key.
    """
    if not _ID.fullmatch(id):
        raise SettingsError(f"{id[:100]!r} is no key id: up to 64 letters, digits, `.`, `_`, `-`.")
    return f"{id}:{base64.b64encode(os.urandom(_KEY_BYTES)).decode()}"


def _derived(secret: bytes, purpose: bytes) -> bytes:
    return HKDF(hashes.SHA256(), _KEY_BYTES, salt=None, info=b"orchestrator " + purpose).derive(secret)


def _opened(cipher: AESGCM, sealed: bytes, about: bytes) -> bytes:
    try:
        return cipher.decrypt(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], about)
    except (InvalidTag, ValueError):
        raise ValueError("it was changed, damaged, or encrypted with another key of the same id") from None
