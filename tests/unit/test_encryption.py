"""Encryption: what it hides, what it lets pass, and how wrong keys are refused."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload
from temporalio.exceptions import ApplicationError

from orchestrator.encryption import EncryptingCodec, data_converter, keys_of, new_key
from orchestrator.encryption.keys import Keys, read_keys
from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, load_settings

OLD, NEW = new_key("old"), new_key("new")
SECRET = base64.b64encode(bytes(range(32))).decode()


def keys(*lines: str) -> Keys:
    return read_keys("\n".join(lines), "keys")


def settings(*lines: str) -> Settings:
    return load_settings(_env_file=None, encryption_keys=SecretStr(",".join(lines)))


def payload(text: bytes = b'"a secret"', **metadata: bytes) -> Payload:
    return Payload(metadata={"encoding": b"json/plain", **metadata}, data=text)


@pytest.mark.parametrize("text", [b"", b'"a secret"', b"x" * 1_000_000])
async def test_a_payload_comes_back_as_it_was(text: bytes) -> None:
    codec = EncryptingCodec(keys(OLD))
    plain = payload(text, messageType=b"a type")

    [hidden] = await codec.encode([plain])

    assert hidden.metadata["encoding"] == b"binary/encrypted"
    assert hidden.metadata["encryption-key-id"] == b"old"
    assert set(hidden.metadata) == {"encoding", "encryption-key-id", "encryption-cipher"}
    assert await codec.decode([hidden]) == [plain]


async def test_nothing_of_a_payload_shows_and_the_same_one_looks_different_each_time() -> None:
    codec = EncryptingCodec(keys(OLD))

    first, second = await codec.encode([payload(), payload()])

    assert first.data != second.data
    for shown in (first.SerializeToString(), second.SerializeToString()):
        assert b"secret" not in shown
        assert b"json/plain" not in shown


async def test_the_first_key_encrypts_and_all_decrypt() -> None:
    [hidden] = await EncryptingCodec(keys(OLD)).encode([payload()])
    rotated = EncryptingCodec(keys(NEW, OLD))

    [newer] = await rotated.encode([payload()])

    assert await rotated.decode([hidden, newer]) == [payload(), payload()]
    assert newer.metadata["encryption-key-id"] == b"new"


async def test_what_is_not_encrypted_passes_and_what_is_encrypted_is_not_encrypted_again() -> None:
    codec = EncryptingCodec(keys(OLD))
    [hidden] = await codec.encode([payload()])

    assert await codec.decode([payload(), hidden]) == [payload(), payload()]
    assert await codec.encode([hidden]) == [hidden]


@pytest.mark.parametrize("held", [None, NEW], ids=["no keys", "another key"])
async def test_a_key_that_is_missing_is_named_with_the_setting_that_mends_it(held: str | None) -> None:
    [hidden] = await EncryptingCodec(keys(OLD)).encode([payload()])

    with pytest.raises(SettingsError, match=r"'old'.*ORCHESTRATOR_ENCRYPTION_KEYS"):
        await EncryptingCodec(None if held is None else keys(held)).decode([hidden])


async def test_without_keys_payloads_stay_as_they_are() -> None:
    codec = EncryptingCodec(None)

    assert await codec.encode([payload()]) == [payload()]
    assert await codec.decode([payload()]) == [payload()]


@pytest.mark.parametrize("place", [0, 12, -1])
async def test_a_payload_that_was_changed_is_refused(place: int) -> None:
    codec = EncryptingCodec(keys(OLD))
    [hidden] = await codec.encode([payload()])
    data = bytearray(hidden.data)
    data[place] ^= 1
    hidden.data = bytes(data)

    with pytest.raises(SettingsError, match=r"'old' cannot be decrypted"):
        await codec.decode([hidden])


async def test_a_payload_cannot_be_passed_off_as_one_of_another_key() -> None:
    codec = EncryptingCodec(keys(f"a:{SECRET}", f"b:{SECRET}"))
    [hidden] = await codec.encode([payload()])
    hidden.metadata["encryption-key-id"] = b"b"

    with pytest.raises(SettingsError, match="'b' cannot be decrypted"):
        await codec.decode([hidden])


def _failed(stack: str) -> ApplicationError:
    try:
        int(stack)
    except ValueError as cause:
        error = ApplicationError("a secret message", {"value": "a secret detail"}, type="NODE_FAILED")
        error.__cause__ = cause
        return error
    raise AssertionError


async def test_failures_are_encrypted_with_their_message_stack_and_details() -> None:
    from temporalio.api.failure.v1 import Failure  # noqa: PLC0415 - the generated module is slow to load

    converter = data_converter(settings(OLD))
    failure = Failure()

    await converter.encode_failure(_failed("a secret stack"), failure)

    assert b"secret" not in failure.SerializeToString()
    assert failure.application_failure_info.type == "NODE_FAILED"
    back: Any = await converter.decode_failure(failure)
    assert (back.message, back.details[0]) == ("a secret message", {"value": "a secret detail"})


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "has no key"),
        ("# nothing\n\n", "has no key"),
        (SECRET, "key number 1 is not of the form id:base64"),
        (f"{OLD}\nwrong id:{SECRET}", "key number 2 is not of the form id:base64"),
        ("short:c2hvcnQ=", "the key 'short' is not 32 bytes"),
        ("odd:%%%", "the key 'odd' is not 32 bytes"),
        pytest.param(f"{OLD}\n{OLD}", "the key id 'old' is there twice", id="one id twice"),
    ],
)
def test_wrong_keys_are_refused_without_showing_them(text: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why) as caught:
        read_keys(text, "ORCHESTRATOR_ENCRYPTION_KEYS")

    assert "ORCHESTRATOR_ENCRYPTION_KEYS" in caught.value.message
    for part in (SECRET, OLD.partition(":")[2], "c2hvcnQ", "%%%"):
        assert part not in caught.value.message


def test_keys_come_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# 2027\n{NEW}\n\n{OLD}\n")

    found = keys_of(load_settings(_env_file=None, encryption_keys_file=file))

    assert found is not None
    assert found.first.id == "new"
    assert found.get("old") is not None


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"ORCHESTRATOR_ENCRYPTION_KEYS_FILE.*missing"):
        keys_of(load_settings(_env_file=None, encryption_keys_file=tmp_path / "missing"))


def test_without_keys_nothing_is_encrypted() -> None:
    assert keys_of(load_settings(_env_file=None)) is None


def test_two_fresh_keys_differ_and_can_be_read() -> None:
    lines = new_key("k"), new_key("k")

    assert lines[0] != lines[1]
    assert keys(lines[0]).first.id == "k"


def test_no_key_shows_in_the_settings_or_in_itself() -> None:
    shown = repr(settings(f"k:{SECRET}")) + repr(keys(f"k:{SECRET}").first)

    assert SECRET not in shown
