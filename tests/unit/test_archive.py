"""The archive of model calls: what is kept of each."""

import asyncio
import json
import stat
from pathlib import Path

import pytest

from activities.archive import Archive, Folder
from activities.asking import Desk
from activities.blobs.encrypted import opened
from activities.masking import KNOWN, Masker
from orchestrator.encryption.keys import new_key, read_keys
from orchestrator.errors import (
    BudgetExceededError,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
)
from tests.unit.archiving import ACCOUNT, KEY, MAIL, Model, Paid, Place, asked, performed
from tests.unit.loopback import call


@pytest.fixture
def place() -> Place:
    return Place()


async def test_a_call_is_kept_with_what_was_asked_and_answered_and_whose_it_is(place: Place) -> None:
    archive = Archive(place, Masker())

    await asked(archive)
    await archive.close()

    [(name, _)] = place.kept.items()
    [found] = place.documents
    assert name.startswith("acme/")
    assert name.endswith("/triage-1/node#1.2.3.1.abcdefgh.json")
    assert name.split("/")[1:4] == found["at"][:10].split("-")
    assert found["form"] == 1
    assert found["run"] == {
        "workflow_id": "triage-1",
        "first_run_id": "run-1",
        "run_id": "0193-abcdefgh",
        "definition": "triage",
        "tenant": "acme",
        "user": "[e-mail address]",
        "conversation": "c-1",
    }
    assert found["visit"] == {"node": "node", "visit": 1, "try": 2, "attempt": 3, "call": 1}
    asked_for = (found["kind"], found["streamed"], found["model"], found["provider"], found["answered_by"])
    assert asked_for == ("chat", False, "openai/one", "openai", "one-2027")
    assert found["request"]["turns"][0] == {"role": "system", "content": "Help."}
    assert (found["request"]["temperature"], found["request"]["max_tokens"]) == (0.5, 100)
    assert found["request"]["tools"][0]["name"] == "mail"
    assert found["answer"]["finish_reason"] == "stop"
    assert found["usage"] == {"input_tokens": 12, "output_tokens": 7}
    assert (found["cost_usd"], found["simulated"], found["error"]) == (0.01, False, None)
    assert found["seconds"] > 0


async def test_no_secret_and_nothing_personal_is_written_wherever_it_stands(place: Place) -> None:
    archive = Archive(place, Masker([lambda text: text.replace("Help.", "***")]))

    await asked(archive)
    await archive.close()

    [content] = place.kept.values()
    assert not any(secret.encode() in content for secret in (MAIL, KEY[7:], "horse", "Help."))
    [found] = place.documents
    assert found["request"]["turns"][1]["content"] == "I am [e-mail address], my key is [Anthropic key]"
    assert found["request"]["schema"]["description"] == "as for [e-mail address]"
    assert found["answer"]["text"] == "Write to [e-mail address]. ?"
    assert found["answer"]["tool_calls"][0]["arguments"]["to"] == "[e-mail address]"
    assert found["masked"] == {"Anthropic key": 1, "e-mail address": 5, "password": 1, KNOWN: 1}


async def test_what_is_cut_is_masked_before(place: Place) -> None:
    archive = Archive(place, most=300)

    for at in range(0, 400, 5):
        visit = call("ModelInvoke", {}, account=ACCOUNT, visit=at + 1)
        await asked(archive, text="x" * at + f" {KEY} " + "y" * (400 - at), visit=visit)
    await archive.close()

    pieces = [KEY[at : at + 12].encode() for at in range(7, len(KEY) - 12)]
    assert len(place.kept) == 80
    assert not any(piece in content for content in place.kept.values() for piece in pieces)
    assert all(b"characters are left out here" in content for content in place.kept.values())
    assert all(found["characters_left_out"] > 0 for found in place.documents)


async def test_both_calls_are_kept_where_a_fallback_answers(place: Place) -> None:
    archive = Archive(place)

    served = await asked(archive, Model(ProviderUnavailableError(f"down for {MAIL}")), "openai/one", "openai/two")
    await archive.close()

    assert served.model.name == "openai/two"
    first, second = place.documents
    assert [first["visit"]["call"], second["visit"]["call"]] == [1, 2]
    assert (first["model"], first["answer"]) == ("openai/one", None)
    assert first["error"] == {
        "code": "PROVIDER_UNAVAILABLE",
        "message": "down for [e-mail address]",
        "retryable": True,
    }
    assert (second["model"], second["error"]) == ("openai/two", None)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ProviderRejectedError("wrong"), "PROVIDER_REJECTED"),
        (asyncio.CancelledError(), "CANCELLED"),
        (KeyError(KEY), "INTERNAL"),
    ],
)
async def test_a_call_that_failed_is_kept_with_the_code_of_its_error(
    error: BaseException, code: str, place: Place
) -> None:
    archive = Archive(place)

    with pytest.raises(type(error)):
        await asked(archive, Model(error))
    await archive.close()

    [found] = place.documents
    assert found["error"]["code"] == code
    assert KEY not in json.dumps(found)


async def test_a_call_that_nobody_was_asked_is_none(place: Place) -> None:
    archive = Archive(place)

    with pytest.raises(BudgetExceededError):
        await asked(archive, purse=Paid(refuses=True))
    await archive.close()

    assert place.kept == {}


async def test_of_a_stream_all_of_the_text_is_kept_also_where_it_broke(place: Place) -> None:
    archive = Archive(place)

    await asked(archive, shown=True)
    with pytest.raises(ProviderError):
        await asked(archive, Model(ProviderRejectedError("broke")), shown=True, visit=call("M", {}, visit=2))
    await archive.close()

    whole, broken = sorted(place.documents, key=lambda it: it["visit"]["visit"])
    assert (whole["streamed"], whole["answer"]["text"]) == (True, "Write to [e-mail address]. ?")
    assert broken["answer"] == {"text": "Write ", "tool_calls": [], "finish_reason": None}
    assert broken["error"]["code"] == "PROVIDER_REJECTED"


async def test_of_vectors_the_texts_are_kept_and_not_the_numbers(place: Place) -> None:
    archive = Archive(place)
    desk = Desk({"openai": Model()}, Paid(), archive=archive)

    async def embed() -> None:
        asking = await desk.asking(call("Embed", {}))
        await asking.embed("openai/vectors", ["cats", MAIL], 2)

    await performed(embed)
    await archive.close()

    [found] = place.documents
    assert found["kind"] == "embed"
    assert found["request"] == {"model": "vectors", "texts": ["cats", "[e-mail address]"], "dimensions": 2}
    assert found["answer"] == {"vectors": 2, "dimensions": 2}
    assert found["run"]["tenant"] is None
    assert next(iter(place.kept)).startswith("_/")


async def test_in_a_folder_only_its_owner_can_read_it_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "archive")
    archive = Archive(folder)

    await asked(archive)
    await archive.close()

    [name] = folder.names()
    file = tmp_path / "archive" / name
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    folders = [parent for parent in file.parents if parent.is_relative_to(tmp_path / "archive")]
    assert {stat.S_IMODE(parent.stat().st_mode) for parent in folders} == {0o700}
    assert [path for path in (tmp_path / "archive").rglob("*") if path.is_file()] == [file]
    assert folder.get(name) == file.read_bytes()
    assert folder.get("../outside.json") is None


async def test_with_keys_a_document_is_encrypted(place: Place) -> None:
    keys = read_keys(new_key("old"), "keys")
    archive = Archive(place, keys=keys)

    await asked(archive, text="the plan")
    await archive.close()

    [(name, content)] = place.kept.items()
    assert name.endswith(".json.sealed")
    assert b"the plan" not in content
    assert json.loads(opened(content, keys, "it"))["request"]["turns"][1]["content"] == "the plan"


async def test_an_archive_that_is_off_does_nothing() -> None:
    archive = Archive()

    assert (await asked(archive)).reply.text.startswith("Write to")
    await archive.close()
