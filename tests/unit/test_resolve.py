"""The first activity: what is kept between runs, and what a failing server or a mistake of ours does to it."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesResponse
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import ActivityEnvironment

from activities.blobs import FolderBlobs
from activities.resolve import ResolveDefinition
from orchestrator.contracts import Resolved, Rollover, RunRequest, SearchAttribute
from orchestrator.fork import forked

KEYWORD = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD


class Server:
    """Stands for the server's operator service: answers with ``fault`` when there is one. Counts how often."""

    namespace = "default"

    def __init__(self) -> None:
        self.fault: Exception | None = None
        self.asked = 0
        self.operator_service = SimpleNamespace(list_search_attributes=self.list_search_attributes)

    async def list_search_attributes(self, _request: Any) -> ListSearchAttributesResponse:
        self.asked += 1
        if self.fault is not None:
            raise self.fault
        return ListSearchAttributesResponse(custom_attributes={SearchAttribute.TENANT: KEYWORD})


def write(folder: Path, name: str, *, version: str = "1.0.0", text: str = "hi") -> None:
    nodes = f"nodes: [{{id: a, type: Format, config: {{template: {text}}}}}]"
    (folder / f"{name}.yaml").write_text(f"name: {name}\nversion: {version}\n{nodes}\n", encoding="utf-8")


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def resolve(tmp_path: Path, server: Server) -> ResolveDefinition:
    write(tmp_path, "hello")
    client: Any = server
    return ResolveDefinition(
        tmp_path, client, 30.0, Rollover(), partial(forked, client), FolderBlobs(tmp_path / "blobs")
    )


async def resolved(resolve: ResolveDefinition, definition: Any = "hello") -> Resolved:
    return await ActivityEnvironment().run(resolve.resolve_definition, RunRequest(definition=definition))


async def test_a_definition_that_did_not_change_is_compiled_once(resolve: ResolveDefinition, tmp_path: Path) -> None:
    first, second = await resolved(resolve), await resolved(resolve, "hello@1.0.0")
    write(tmp_path, "hello", text="changed")
    third = await resolved(resolve)

    assert second.plan is first.plan
    assert second.plan_hash == first.plan_hash
    assert third.plan_hash != first.plan_hash
    assert third.plan.nodes[0].config.value == {"template": "changed"}


async def test_a_definition_that_another_one_names_counts_as_a_part_of_it(
    resolve: ResolveDefinition, tmp_path: Path
) -> None:
    nodes = "nodes: [{id: s, type: Subworkflow, config: {definition: hello}}]"
    (tmp_path / "outer.yaml").write_text(f"name: outer\n{nodes}\n", encoding="utf-8")
    first, second = await resolved(resolve, "outer"), await resolved(resolve, "outer")
    write(tmp_path, "hello", text="changed")
    third = await resolved(resolve, "outer")
    (tmp_path / "hello.yaml").unlink()
    with pytest.raises(ApplicationError, match="No definition hello"):
        await resolved(resolve, "outer")

    assert second.plan is first.plan
    assert third.plan_hash != first.plan_hash
    [body] = third.plan.bodies.values()
    assert body.nodes[0].config.value == {"template": "changed"}


async def test_a_definition_sent_with_the_run_may_name_one_of_the_folder(resolve: ResolveDefinition) -> None:
    sent = {"name": "sent", "nodes": [{"id": "s", "type": "Subworkflow", "config": {"definition": "hello@1.0.0"}}]}

    assert len((await resolved(resolve, sent)).plan.bodies) == 1


async def test_of_very_many_definitions_those_asked_for_last_are_kept(
    resolve: ResolveDefinition, tmp_path: Path
) -> None:
    for number in range(129):
        write(tmp_path, f"d{number}")
    before = [(await resolved(resolve, f"d{number}")).plan for number in range(129)]

    assert (await resolved(resolve, "d128")).plan is before[128]
    assert (await resolved(resolve, "d0")).plan is not before[0]


async def test_a_run_starts_without_search_attributes_when_the_server_does_not_list_them(
    resolve: ResolveDefinition, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = RPCError("busy", RPCStatusCode.UNAVAILABLE, b"")
    without = await resolved(resolve)
    server.fault = None
    later = await resolved(resolve)

    assert without.search_attributes == ()
    assert "cannot list search attributes: busy" in caplog.text
    assert later.search_attributes == (SearchAttribute.TENANT,)


async def test_the_attributes_that_are_known_are_not_asked_for_again_at_once(
    resolve: ResolveDefinition, server: Server
) -> None:
    for _ in range(3):
        await resolved(resolve)

    assert server.asked == 1


async def test_an_unforeseen_error_is_retried_and_its_text_stays_in_the_log(
    resolve: ResolveDefinition, server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = ZeroDivisionError("secret-value")
    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=1)
    with pytest.raises(ApplicationError) as caught:
        await environment.run(resolve.resolve_definition, RunRequest(definition="hello"))

    assert (caught.value.type, caught.value.non_retryable) == ("INTERNAL", False)
    assert "secret-value" not in caught.value.message
    assert "secret-value" in caplog.text


async def test_a_definition_that_is_not_there_is_not_looked_for_again(resolve: ResolveDefinition) -> None:
    with pytest.raises(ApplicationError) as caught:
        await resolved(resolve, "nobody")

    assert (caught.value.type, caught.value.non_retryable) == ("DEFINITION_NOT_FOUND", True)
