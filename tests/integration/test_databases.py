"""DatabaseInsert and DatabaseQuery in a real PostgreSQL."""

import asyncio
import socket
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest

from activities.databases import Databases
from activities.secrets import DATABASE_PREFIX, NamedSecrets
from orchestrator.errors import (
    OrchestratorError,
    ProviderAuthError,
    ProviderRejectedError,
    ProviderUnavailableError,
    SettingsError,
)
from tests.integration.conftest import RunningWorker
from tests.integration.lossy import lossy
from tests.integration.running import Runs
from tests.integration.shop import SERVER, Server, connected, insert, query
from tests.scenarios import edge, graph
from tests.unit.loopback import call


async def test_values_of_every_kind_go_there_and_come_back(databases: Databases) -> None:
    row = {
        "name": "it's",
        "amount": 12.5,
        "at": "2026-01-31T09:00:00+01:00",
        "day": "2026-01-31",
        "made": "6f1a1f0e-8f6c-4c7e-9d0a-0a4b1c2d3e4f",
        "pages": 3.0,
        "tags": ["a", None, 'b"c'],
        "data": {"a": [1, {"b": None}]},
        "raw": {"base64": "AAH/"},
        "how": "fine",
        "took": "01:00:00",
        "Odd name": "NaN",
    }
    renamed = {("odd" if name == "Odd name" else name): value for name, value in row.items()}
    with pytest.raises(OrchestratorError, match="'Odd name' is no name of a column"):
        await insert(databases, row)
    await insert(databases, {name: value for name, value in row.items() if name != "Odd name"})
    await query(databases, "UPDATE things SET \"Odd name\" = 'NaN'", write=True, visit=2)
    found = await query(databases, 'SELECT *, "Odd name" AS odd FROM things')
    (got,) = found["rows"]
    expected = {**renamed, "id": 1, "Odd name": "NaN", "at": "2026-01-31T08:00:00+00:00"}
    assert {**got, "at": got["at"].replace("+00:00", "+00:00")} == expected


async def test_rows_are_inserted_all_or_none_and_ids_come_back(databases: Databases, postgresql: Server) -> None:
    rows = [{"name": str(number), "amount": None} for number in range(1_000)]
    with pytest.raises(ProviderRejectedError):
        await insert(databases, [*rows, rows[0]])
    assert await postgresql.run("SELECT count(*) FROM things") == [(0,)]
    output = await insert(databases, rows, returning=["id"], table=f"{postgresql.schema}.things")
    assert (output["inserted"], len({row["id"] for row in output["rows"]})) == (1_000, 1_000)


async def test_attempts_at_the_same_time_insert_once(databases: Databases, postgresql: Server) -> None:
    config = {"name": "a"}
    outputs = await asyncio.gather(*(insert(databases, config, returning=["id"]) for _ in range(12)))
    assert outputs == [outputs[0]] * 12
    assert await postgresql.run("SELECT name FROM things") == [("a",)]


@pytest.mark.parametrize("first_commits", [True, False])
async def test_an_attempt_waits_for_one_that_is_still_under_way(
    databases: Databases, postgresql: Server, *, first_commits: bool
) -> None:
    await insert(databases, {"name": "makes the table of keys"}, visit=9)
    key = call("DatabaseInsert", {}).idempotency_key
    zombie = postgresql.connection.transaction()
    await zombie.start()
    await postgresql.run(
        "INSERT INTO orchestrator_effects (key, result) VALUES ($1, $2) RETURNING key", key, '{"inserted":1,"rows":[]}'
    )
    await postgresql.run("INSERT INTO things (name) VALUES ('a') RETURNING id")
    async with asyncio.TaskGroup() as group:
        attempt = group.create_task(insert(databases, {"name": "a"}))
        other = postgresql.connection
        postgresql.connection = await connected()
        await postgresql.waiting()
        await (zombie.commit() if first_commits else zombie.rollback())
        await postgresql.connection.close()
        postgresql.connection = other
    assert attempt.result() == {"inserted": 1, "rows": []}
    assert await postgresql.run("SELECT count(*) FROM things WHERE name = 'a'") == [(1,)]


async def test_a_change_is_made_once_and_a_failed_one_leaves_no_key(databases: Databases, postgresql: Server) -> None:
    await insert(databases, {"name": "a", "amount": 5})
    sql = "UPDATE things SET amount = amount - :less WHERE name = :name RETURNING amount"
    with pytest.raises(ProviderRejectedError, match=r"CheckViolationError.*constraint positive"):
        await query(databases, sql, write=True, parameters={"less": 9, "name": "a"}, visit=2)
    for _ in range(3):
        output = await query(databases, sql, write=True, parameters={"less": 1, "name": "a"}, visit=2)
        assert output == {"rows": [{"amount": 4.0}], "count": 1}
    await query(
        databases, "DELETE FROM things WHERE name = ANY(:names)", write=True, parameters={"names": ["a"]}, visit=3
    )
    assert await postgresql.run("SELECT name FROM things") == []


async def test_a_query_cannot_write_whatever_it_says(databases: Databases, postgresql: Server) -> None:
    await insert(databases, {"name": "a"})
    for sql in (
        "WITH gone AS (DELETE FROM things RETURNING id) SELECT * FROM gone",
        "SELECT set_config('transaction_read_only', 'off', true), nextval('things_id_seq')",
        "SELECT nextval('things_id_seq')",
        "EXPLAIN ANALYZE DELETE FROM things",
    ):
        with pytest.raises(ProviderRejectedError):
            await query(databases, sql)
    with pytest.raises(ProviderRejectedError, match="multiple commands"):
        await query(databases, "SELECT 1; DELETE FROM things")
    assert await postgresql.run("SELECT name FROM things") == [("a",)]


async def test_a_session_keeps_nothing_of_the_statement_before(databases: Databases) -> None:
    await query(databases, "SELECT set_config('work_mem', '77MB', false)", write=True)
    await query(databases, "SELECT pg_advisory_lock(42)", visit=2)
    found = await query(
        databases,
        "SELECT current_setting('work_mem') AS mem, count(*) AS locks FROM pg_locks "
        "WHERE locktype = 'advisory' AND objid = 42",
    )
    assert (found["rows"][0]["mem"] != "77MB", found["rows"][0]["locks"]) == (True, 0)


async def test_no_message_shows_a_value_or_an_address(databases: Databases) -> None:
    await insert(databases, {"name": "hidden"})
    refused: list[str] = []
    for attempt in (
        insert(databases, {"name": "hidden"}, visit=2),
        insert(databases, {"name": "x", "amount": "hidden"}, visit=3),
        insert(databases, {"name": "x", "day": "hidden"}, visit=4),
        insert(databases, {"name": "x", "how": "hidden"}, visit=5),
        insert(databases, {"name": "hidden\0"}, visit=6),
        query(databases, "SELECT CAST(:v AS int) AS n", parameters={"v": "hidden"}),
        query(databases, "SELECT * FROM things WHERE id = ANY(:v)", parameters={"v": ["hidden"]}),
        query(databases, "SELECT * FROM things WHERE id = :v", parameters={"v": "hidden"}),
    ):
        with pytest.raises(ProviderRejectedError) as caught:
            await attempt
        refused.append(caught.value.message)
    assert [message for message in refused if "hidden" in message or "127.0.0.1" in message] == []
    assert "UniqueViolationError (23505, schema" in refused[0]
    assert "constraint things_name_key" in refused[0]
    assert "does not fit its place" in refused[1]
    assert "does not fit its place" in refused[6]
    assert "does not fit its place" in refused[7]


async def test_a_statement_that_takes_too_long_is_tried_again(databases: Databases, postgresql: Server) -> None:
    with pytest.raises(ProviderUnavailableError):
        await query(databases, "SELECT pg_sleep(60)", timeout=0.2)
    running = "SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    async with asyncio.timeout(10):
        while await postgresql.run(running):  # noqa: ASYNC110 - the far side is a server: it can only be asked
            await asyncio.sleep(0.01)
    assert (await query(databases, "SELECT 1 AS one"))["rows"] == [{"one": 1}]


async def test_a_deadlock_is_tried_again(databases: Databases, postgresql: Server) -> None:
    with pytest.raises(ProviderUnavailableError, match="40P01"):
        await query(databases, "SELECT deadlock()", write=True) if await _raises(postgresql, "40P01") else None
    with pytest.raises(ProviderUnavailableError, match="40001"):
        await query(databases, "SELECT deadlock()", write=True) if await _raises(postgresql, "40001") else None
    with pytest.raises(ProviderAuthError, match="42501"):
        await query(databases, "SELECT deadlock()", write=True) if await _raises(postgresql, "42501") else None


async def _raises(postgresql: Server, state: str) -> bool:
    """Has the function ``deadlock`` fail as the server would."""
    body = f"BEGIN RAISE EXCEPTION 'hidden' USING ERRCODE = '{state}'; END"
    await postgresql.run(f"CREATE OR REPLACE FUNCTION deadlock() RETURNS int LANGUAGE plpgsql AS $$ {body} $$")
    return True


@pytest.fixture
def closed_port() -> Iterator[int]:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("postgresql://u:hidden@127.0.0.1:{port}/x", ProviderUnavailableError),
        ("postgresql://u:hidden@127.0.0.1:{port}/x?sslmode=wrong", SettingsError),
        ("postgresql://root:hidden@127.0.0.1:5432/there_is_none", ProviderRejectedError),
        ("postgresql://nobody_of_this_name:hidden@127.0.0.1:5432/test", ProviderAuthError),
    ],
)
@pytest.mark.usefixtures("postgresql")
async def test_a_database_that_cannot_be_had_is_told_without_its_address(
    url: str, kind: type[OrchestratorError], closed_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", url.format(port=closed_port))
    databases = Databases(NamedSecrets(DATABASE_PREFIX))
    with pytest.raises(kind, match="'shop'") as caught:
        await query(databases, "SELECT 1")
    assert "hidden" not in caught.value.message
    await databases.close()


@pytest.mark.usefixtures("postgresql")
async def test_a_connection_that_was_cut_is_replaced(databases: Databases, postgresql: Server) -> None:
    pid = (await query(databases, "SELECT pg_backend_pid() AS pid"))["rows"][0]["pid"]
    await postgresql.run("SELECT pg_terminate_backend($1)", pid)
    assert (await query(databases, "SELECT pg_backend_pid() AS pid"))["rows"][0]["pid"] != pid


async def test_a_run_whose_attempt_is_repeated_inserts_once(
    runs: Runs, running_worker: RunningWorker, postgresql: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer to the commit is lost, so that nobody heard that the first attempt had succeeded."""
    put = {"connection": "shop", "table": "things", "rows": {"name": "{{ inputs.name }}"}, "returning": ["id"]}
    find = {
        "connection": "shop",
        "sql": "SELECT id, name FROM things WHERE name = :name",
        "parameters": {"name": "{{ inputs.name }}"},
    }
    definition = graph(
        [
            {"id": "put", "type": "DatabaseInsert", "retry": {"initial_delay": "10ms"}, "config": put},
            {"id": "found", "type": "DatabaseQuery", "config": find},
        ],
        [edge("put", "found")],
        inputs={"name": {"type": "string"}},
        outputs={"put": "{{ nodes.put.rows }}", "found": "{{ nodes.found.rows }}"},
    )
    where = urlsplit(SERVER)
    async with lossy(where.hostname or "", where.port or 5432, b"json_populate_recordset") as way:
        address = f"{where.scheme}://{where.netloc.replace(f':{where.port}', f':{way.port}')}{where.path}"
        monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", f"{address}?sslmode=disable&search_path={postgresql.schema}")
        async with running_worker():
            result = await runs.run(definition, {"name": "a"})
    assert (result.status, way.lost) == ("completed", 1)
    assert result.outputs["found"] == [{"id": result.outputs["put"][0]["id"], "name": "a"}]
    assert await postgresql.run("SELECT count(*) FROM orchestrator_effects") == [(1,)]
