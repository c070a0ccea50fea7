"""Which runs the client finds on a real server, by tenant and by time."""

import uuid
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.client import Client
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from orchestrator.contracts import WORKFLOW_TYPE, SearchAttribute
from tests.integration.running import Runs

TENANT = SearchAttributeKey.for_keyword(SearchAttribute.TENANT)


async def for_tenant(client: Client, task_queue: str, tenant: str) -> str:
    run = await client.start_workflow(
        WORKFLOW_TYPE,
        id=f"run-{uuid.uuid4()}",
        task_queue=task_queue,
        search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT, tenant)]),
    )
    return run.id


@pytest.mark.parametrize(
    "tenant", ["acme", "O'Brien & sons", 'the "best" ltd', "back\\slash", "x' OR '1'='1", "zwei\nzeilen", "'", "100%"]
)
async def test_runs_are_found_by_their_tenant_whatever_its_name(client: Client, runs: Runs, tenant: str) -> None:
    mark = uuid.uuid4().hex
    wanted = f"{tenant}-{mark}-{tenant}"
    mine = [await for_tenant(client, runs.task_queue, wanted) for _ in range(2)]
    other = await for_tenant(client, runs.task_queue, f"{wanted}x")

    async def listed() -> bool:
        return {row.id for row in await runs.door.runs(tenant=wanted)} == set(mine)

    await runs.until(listed)
    assert {row.tenant for row in await runs.door.runs(tenant=wanted)} == {wanted}
    assert len(await runs.door.runs(tenant=wanted, limit=1)) == 1
    for run_id in (*mine, other):
        await runs.handle(run_id).terminate()


async def test_runs_are_found_by_when_they_started(client: Client, runs: Runs) -> None:
    tenant, before = uuid.uuid4().hex, datetime.now(UTC) - timedelta(seconds=1)
    run_id = await for_tenant(client, runs.task_queue, tenant)
    after = datetime.now(UTC) + timedelta(seconds=1)

    async def listed() -> bool:
        return [row.id for row in await runs.door.runs(tenant=tenant, since=before, until=after)] == [run_id]

    await runs.until(listed)
    assert await runs.door.runs(tenant=tenant, since=after) == []
    assert await runs.door.runs(tenant=tenant, until=before) == []
    await runs.handle(run_id).terminate()
