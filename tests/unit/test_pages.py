"""Pages of a run's state: kept in blob storage, and given back."""

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic_core import from_json, to_json
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.blobs import FolderBlobs
from activities.pages import page_activities
from orchestrator.contracts import MAX_PAYLOAD_BYTES, JoinPagesCall, LoadPageCall, StorePageCall
from orchestrator.graph.blobs import blob_of, blob_reference
from orchestrator.graph.carried import packed


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path)


PageCall = StorePageCall | LoadPageCall | JoinPagesCall


async def run(blobs: FolderBlobs, call: PageCall) -> Any:
    kinds = (StorePageCall, LoadPageCall, JoinPagesCall)
    performs = dict(zip(kinds, page_activities(blobs), strict=True))
    return await ActivityEnvironment().run(performs[type(call)], call)


async def refused(blobs: FolderBlobs, call: PageCall) -> ApplicationError:
    with pytest.raises(ApplicationError) as caught:
        await run(blobs, call)
    return caught.value


@pytest.mark.parametrize("text", ["", "eJyrVkrLz1eyUkpKLFKqBQAdegQ0==", "x" * MAX_PAYLOAD_BYTES, '"\\\n'])
async def test_a_page_comes_back_as_it_was(blobs: FolderBlobs, text: str) -> None:
    stored = await run(blobs, StorePageCall(text=text))

    assert await run(blobs, LoadPageCall(key=stored["key"])) == {"text": text}


async def test_a_page_that_cannot_be_carried_back_is_not_taken(blobs: FolderBlobs) -> None:
    error = await refused(blobs, StorePageCall(text="x" * (MAX_PAYLOAD_BYTES + 1)))
    assert (error.type, error.non_retryable) == ("TOO_LARGE", True)


async def test_a_page_is_ascii(blobs: FolderBlobs) -> None:
    assert (await refused(blobs, StorePageCall(text="é"))).type == "NODE_FAILED"


async def test_a_page_that_is_not_there_yet_is_asked_for_again(blobs: FolderBlobs) -> None:
    error = await refused(blobs, LoadPageCall(key="0" * 64 + ".json"))
    assert (error.type, error.non_retryable) == ("PROVIDER_UNAVAILABLE", False)


@pytest.mark.parametrize("content", [b"[1]", b'"\xc3\xa9"'])
async def test_a_blob_that_is_no_page_is_refused(blobs: FolderBlobs, content: bytes) -> None:
    error = await refused(blobs, LoadPageCall(key=await blobs.put(content)))
    assert (error.type, error.non_retryable) == ("NODE_FAILED", True)


async def test_pages_of_one_value_become_one_blob_with_all_that_it_refers_to(blobs: FolderBlobs) -> None:
    inner = json.dumps(["a", "b"]).encode()
    value = [{"list": blob_reference(await blobs.put(inner), len(inner), "array")}, "é"]
    text = packed(to_json(value))
    keys = [(await run(blobs, StorePageCall(text=part)))["key"] for part in (text[:20], text[20:])]

    reference = (await run(blobs, JoinPagesCall(keys=tuple(keys), what="each.results")))["reference"]

    found = blob_of(reference)
    assert found is not None
    assert from_json(await blobs.get(found.key)) == [{"list": ["a", "b"]}, "é"]


async def test_pages_that_are_no_value_are_refused(blobs: FolderBlobs) -> None:
    stored = await run(blobs, StorePageCall(text="nonsense"))

    error = await refused(blobs, JoinPagesCall(keys=(stored["key"],), what="each.results"))

    assert error.non_retryable
    assert "cannot be read" in error.message
