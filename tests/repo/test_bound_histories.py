"""Histories that have been in a release stay as they were: runs like them are under way somewhere."""

from hashlib import sha256

import pytest

from tests.histories import replay


@pytest.mark.parametrize("name", replay.bound())
def test_a_history_that_was_released_is_as_it_was(name: str) -> None:
    assert sha256(replay.file_of(name).read_bytes()).hexdigest() == replay.bound()[name]


def test_there_are_such_histories() -> None:
    assert len(replay.bound()) >= 23
