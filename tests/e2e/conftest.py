"""What the kill tests share: a nursery of workers, and a world to work in."""

import json
from collections.abc import AsyncGenerator

import pytest
from temporalio.client import Client

from tests.e2e.kills.cases.nested import CHILD
from tests.e2e.kills.driver import Stage
from tests.e2e.kills.far_side import far_side
from tests.e2e.kills.workers import nursery


@pytest.fixture(scope="session")
async def stage(client: Client, tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[Stage]:
    """Worker processes to kill, on the session's server, and a world that counts what they do."""
    async with nursery(tmp_path_factory.mktemp("workers")) as workers, far_side() as world:
        (workers.folder / "definitions" / "kill-child.json").write_text(json.dumps(CHILD), encoding="utf-8")
        yield Stage(client, workers, world)
