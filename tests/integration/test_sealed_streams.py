"""Text in the log that is encrypted: with the key it is as it was, without it is one clear error."""

import base64
from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from activities.sealed_streams import SealedLog
from activities.streaming import token_log
from orchestrator.encryption.keys import read_keys
from orchestrator.errors import SettingsError
from orchestrator.settings import load_settings
from storage.streams import Delta, Piece, StreamKey, TokenLog
from tests.integration.streaming import KINDS, a_place, a_run, a_writer, all_of, texts

OLD, NEW = (f"{name}:{base64.b64encode(letter * 32).decode()}" for name, letter in (("old", b"o"), ("new", b"n")))
TEXT = "Once upon a 🦊"
ANSWER = ("answer", 1)


@pytest.fixture(params=KINDS)
async def log(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[TokenLog]:
    async with a_place(request.param, tmp_path) as place, place.log() as opened:
        yield opened


def sealed(log: TokenLog, *keys: str) -> SealedLog:
    return SealedLog(log, read_keys("\n".join(keys), "here") if keys else None)


async def test_what_is_kept_says_nothing_and_what_is_read_is_what_was_written(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(sealed(log, OLD), run)
    assert await writer.add(TEXT)
    assert await writer.add(" \0\ud83d\ufdd0.", "stop")

    assert texts(await all_of(sealed(log, OLD), run)) == {ANSWER: f"{TEXT} \ufffd?\ufffd."}
    kept = [record.text for record in await all_of(log, run) if isinstance(record, Delta)]
    assert [text.partition(":")[0] for text in kept] == ["\ufdd0old"] * 2
    assert "Once" not in "".join(kept)


async def test_a_piece_that_is_sent_again_counts_once_though_it_is_encrypted_anew(log: TokenLog) -> None:
    run, keyed = a_run(), sealed(log, OLD)
    key = StreamKey(run, "answer")
    generation = await keyed.open(key, rank=1)
    for piece in (
        Piece(key=key, generation=generation, offset=0, text=TEXT),
        Piece(key=key, generation=generation, offset=0, text=TEXT),
        Piece(key=key, generation=generation, offset=len(TEXT), text="!", ending="stop"),
        Piece(key=key, generation=generation, offset=len(TEXT), text="!", ending="stop"),
    ):
        assert await keyed.append([piece]) == [True]

    assert texts(await all_of(keyed, run)) == {ANSWER: f"{TEXT}!"}


async def test_keys_may_change_and_encryption_may_be_switched_on_while_it_is_written(log: TokenLog) -> None:
    run = a_run()
    writer = await a_writer(sealed(log), run)
    await writer.add("plain ")
    for keys in ([OLD], [OLD, NEW], [NEW, OLD]):
        writer.log = sealed(log, *keys)
        await writer.add(f"{keys[0][:3]} ")

    assert texts(await all_of(sealed(log, NEW, OLD), run)) == {ANSWER: "plain old old new "}


async def test_without_the_key_it_is_one_clear_error(log: TokenLog) -> None:
    run = a_run()
    await (await a_writer(sealed(log, OLD), run)).add(TEXT)

    for keys in ([], [NEW]):
        with pytest.raises(SettingsError, match=r"The text of answer#1 is encrypted with the key 'old'"):
            await all_of(sealed(log, *keys), run)


async def test_text_that_was_moved_is_not_taken_for_what_belongs_there(log: TokenLog) -> None:
    run, other = a_run(), a_run()
    await (await a_writer(sealed(log, OLD), run)).add(TEXT)
    (delta,) = await all_of(log, run)
    assert isinstance(delta, Delta)
    await (await a_writer(log, other)).add(delta.text)

    with pytest.raises(SettingsError, match="cannot be decrypted"):
        await all_of(sealed(log, OLD), other)


def everything_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir() if path.is_file())


async def test_the_settings_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run()
    monkeypatch.setenv("ORCHESTRATOR_STORAGE_URL", f"sqlite:///{tmp_path / 'storage.db'}")
    monkeypatch.setenv("ORCHESTRATOR_ENCRYPTION_KEYS", OLD)
    async with token_log(load_settings(_env_file=None)) as log:
        await (await a_writer(log, run)).add(TEXT)
        assert texts(await all_of(log, run)) == {ANSWER: TEXT}

    kept = everything_in(tmp_path)
    assert b"answer" in kept
    assert TEXT.encode() not in kept
