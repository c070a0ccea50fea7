"""A server that lacks our search attributes: what `list` says of it, and the one command that mends it."""

import asyncio
import json
from pathlib import Path

from temporalio.api.operatorservice.v1 import RemoveSearchAttributesRequest

from orchestrator.contracts import SearchAttribute
from orchestrator.devserver import DevServer
from tests.e2e.commands import Shell

GONE = [SearchAttribute.RUN_STATUS, SearchAttribute.TENANT]


async def test_missing_search_attributes_are_named_and_registered_by_one_command(tmp_path: Path) -> None:
    async with DevServer.start() as server:
        client = await server.client()
        await client.operator_service.remove_search_attributes(
            RemoveSearchAttributesRequest(namespace="default", search_attributes=GONE)
        )
        shell = Shell(tmp_path, {"TEMPORAL_ADDRESS": server.address})

        lacking = await asyncio.to_thread(shell, "list", "--status", "failed")
        added = await asyncio.to_thread(shell, "register", "--json")
        again = await asyncio.to_thread(shell, "register")

    assert (lacking.returncode, lacking.stdout) == (2, "")
    assert "`orchestrator register`" in lacking.stderr
    assert "RunStatus" in lacking.stderr
    assert json.loads(added.stdout) == {"namespace": "default", "added": ["Tenant", "RunStatus"]}
    assert (again.returncode, again.stdout) == (0, "nothing to add: namespace default has every search attribute\n")
