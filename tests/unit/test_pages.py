"""Pages of a run's state: kept in blob storage, and given back."""

from pathlib import Path
from typing import Any

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.blobs import FolderBlobs
from activities.pages import page_activities
from orchestrator.contracts import MAX_PAYLOAD_BYTES, LoadPageCall, StorePageCall


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path)


async def run(blobs: FolderBlobs, call: StorePageCall | LoadPageCall) -> Any:
    store_page, load_page = page_activities(blobs)
    return await ActivityEnvironment().run(store_page if isinstance(call, StorePageCall) else load_page, call)


async def refused(blobs: FolderBlobs, call: StorePageCall | LoadPageCall) -> ApplicationError:
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
