"""Fixtures that several unit tests share."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from activities.databases import Databases
from activities.secrets import DATABASE_PREFIX, NamedSecrets
from tests.unit.loopback import Web, web


@pytest.fixture
def site() -> Iterator[Web]:
    """A web server on loopback that answers what the test wants."""
    with web() as state:
        yield state


@pytest.fixture
async def databases(file: Path) -> AsyncIterator[Databases]:
    """The named databases; ``file`` is one that the test's module makes, and names."""
    assert file
    found = Databases(NamedSecrets(DATABASE_PREFIX))
    yield found
    await found.close()
