"""DatabaseQuery, in SQLite."""

import asyncio
import os
import sqlite3
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from activities.database_query import handler
from activities.databases import Databases
from activities.rows import as_json
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError, ProviderRejectedError, ProviderUnavailableError, SettingsError
from orchestrator.node_types.database_query import DatabaseQueryConfig
from tests.unit.handling import handled
from tests.unit.loopback import call

FOR_EVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) AS c FROM n"


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with three rows in ``things``, named ``shop``."""
    path = tmp_path / "shop.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, amount REAL, raw BLOB)")
        made.executemany(
            "INSERT INTO things (name, amount, raw) VALUES (?, ?, ?)",
            [("a", 1.5, b"\x00"), ("b", 2.0, None), ("it's :c", None, None)],
        )
    made.close()
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", f"sqlite:///{path}")
    return path


async def query(databases: Databases, sql: str, *, visit: int = 1, **more: Any) -> dict[str, Any]:
    config = {"connection": "shop", "sql": sql, **more}
    return await handled(handler(databases), DatabaseQueryConfig, config, call("DatabaseQuery", config, visit=visit))


def names(file: Path) -> list[str]:
    found = sqlite3.connect(file)
    try:
        return [row[0] for row in found.execute("SELECT name FROM things ORDER BY id")]
    finally:
        found.close()


def remove(file: Path) -> None:
    file.unlink()


async def test_rows_are_maps_of_json(databases: Databases) -> None:
    output = await query(databases, "SELECT * FROM things WHERE id <= :most ORDER BY id", parameters={"most": 2})
    assert output == {
        "rows": [
            {"id": 1, "name": "a", "amount": 1.5, "raw": {"base64": "AA=="}},
            {"id": 2, "name": "b", "amount": 2.0, "raw": None},
        ],
        "count": 2,
    }


async def test_nothing_found_is_an_empty_list(databases: Databases) -> None:
    assert await query(databases, "SELECT id FROM things WHERE id < 0") == {"rows": [], "count": 0}


async def test_a_value_is_never_part_of_the_statement(databases: Databases) -> None:
    nasty = "' OR 1 = 1 --"
    assert (await query(databases, "SELECT id FROM things WHERE name = :n", parameters={"n": nasty}))["rows"] == []


async def test_lists_and_maps_are_given_as_json(databases: Databases) -> None:
    sql = "SELECT id FROM things WHERE name IN (SELECT value FROM json_each(:names)) ORDER BY id"
    assert (await query(databases, sql, parameters={"names": ["a", "b"]}))["rows"] == [{"id": 1}, {"id": 2}]


async def test_a_colon_in_a_text_is_escaped(databases: Databases) -> None:
    sql = "SELECT id FROM things WHERE name = 'it''s \\:c'"
    assert (await query(databases, sql))["rows"] == [{"id": 3}]


async def test_only_as_many_rows_as_allowed_may_come(databases: Databases) -> None:
    assert (await query(databases, "SELECT id FROM things", max_rows=3))["count"] == 3
    with pytest.raises(ProviderRejectedError, match="more than 2 rows; end it with LIMIT"):
        await query(databases, "SELECT id FROM things", max_rows=2)
    many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT :n) SELECT i FROM n"
    assert (await query(databases, many, parameters={"n": 1000}))["rows"][-1] == {"i": 1000}


async def test_two_columns_of_one_name_are_refused(databases: Databases) -> None:
    with pytest.raises(ProviderRejectedError, match="two columns are named id; tell them apart with AS"):
        await query(databases, "SELECT a.id, b.id FROM things a JOIN things b ON a.id = b.id")


@pytest.mark.parametrize(
    "sql", ["WITH x AS (SELECT 1) DELETE FROM things", "WITH x AS (SELECT 1) INSERT INTO things (name) VALUES ('x')"]
)
async def test_a_statement_that_writes_is_stopped_by_the_database_itself(
    databases: Databases, file: Path, sql: str
) -> None:
    with pytest.raises(ProviderRejectedError, match="`write: true`"):
        await query(databases, sql)
    assert len(names(file)) == 3


async def test_only_one_statement_is_run(databases: Databases, file: Path) -> None:
    with pytest.raises(ProviderRejectedError, match="one statement"):
        await query(databases, "SELECT 1; DELETE FROM things")
    with pytest.raises(ProviderRejectedError, match="one statement"):
        await query(databases, "DELETE FROM things; DELETE FROM things", write=True)
    assert len(names(file)) == 3


async def test_a_change_is_made_once_however_often_it_is_attempted(databases: Databases, file: Path) -> None:
    sql = "UPDATE things SET name = name || :more WHERE id < 3"
    outputs = await asyncio.gather(*(query(databases, sql, write=True, parameters={"more": "!"}) for _ in range(5)))
    assert outputs == [{"rows": [], "count": 2}] * 5
    assert names(file)[:2] == ["a!", "b!"]
    await query(databases, sql, write=True, parameters={"more": "?"}, visit=2)
    assert names(file)[:2] == ["a!?", "b!?"]


async def test_a_change_may_give_rows(databases: Databases) -> None:
    sql = "DELETE FROM things WHERE id > :id RETURNING id, name"
    output = await query(databases, sql, write=True, parameters={"id": 2})
    assert output == {"rows": [{"id": 3, "name": "it's :c"}], "count": 1}
    assert await query(databases, sql, write=True, parameters={"id": 2}) == output


async def test_a_change_that_gives_too_many_rows_is_not_made(databases: Databases, file: Path) -> None:
    with pytest.raises(ProviderRejectedError, match="more than 1 rows"):
        await query(databases, "DELETE FROM things RETURNING id", write=True, max_rows=1)
    assert len(names(file)) == 3


async def test_a_statement_that_takes_too_long_is_stopped_and_tried_again(databases: Databases) -> None:
    begun = time.monotonic()
    with pytest.raises(ProviderUnavailableError):
        await query(databases, FOR_EVER, timeout=0.2)
    assert time.monotonic() - begun < 5


async def test_a_statement_that_is_given_up_ends_soon(databases: Databases) -> None:
    task = asyncio.create_task(query(databases, FOR_EVER, timeout=1))
    assert await asyncio.wait({task}, timeout=0.3) == (set(), {task})
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)


async def test_a_database_that_somebody_else_holds_is_tried_again(databases: Databases, file: Path) -> None:
    holder = sqlite3.connect(file, isolation_level=None)
    try:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(ProviderUnavailableError):
            await query(databases, "DELETE FROM things", write=True, timeout=0.2)
        holder.execute("ROLLBACK")
    finally:
        holder.close()
    assert (await query(databases, "DELETE FROM things", write=True))["count"] == 3


@pytest.mark.parametrize(
    ("sql", "part"),
    [
        ("SELECT nope FROM things", "no such column: nope"),
        ("SELECT 1 FORM things", "syntax error"),
        ("SELECT 1 FROM nope", "no such table: nope"),
        ("SELECT json_extract('{}', 'hidden')", "SQLITE_ERROR"),
        ("SELECT zeroblob(900000000)", "string or blob too big"),
    ],
)
async def test_what_is_wrong_with_a_statement_is_told(databases: Databases, sql: str, part: str) -> None:
    with pytest.raises(ProviderRejectedError, match=part) as caught:
        await query(databases, sql)
    assert "hidden" not in caught.value.message


async def test_a_file_that_is_not_there_is_not_made(databases: Databases, file: Path) -> None:
    remove(file)
    with pytest.raises(SettingsError, match="'shop' is not there"):
        await query(databases, "SELECT id FROM things")
    with pytest.raises(FileNotFoundError):
        remove(file)


async def test_a_file_that_is_no_database_is_told(databases: Databases, file: Path) -> None:
    os.truncate(file, 100)
    with pytest.raises(ProviderRejectedError, match="disk image is malformed"):
        await query(databases, "SELECT id FROM things")


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"sql": "SELECT {{ inputs.x }}"}, "no template may stand in it"),
        ({"sql": "SELECT 1 {% if x %}{% endif %}"}, "no template may stand in it"),
        ({"sql": "DROP TABLE things", "write": True}, "a statement begins with SELECT"),
        ({"sql": "PRAGMA query_only = 0"}, "a statement begins with SELECT"),
        ({"sql": "/* SELECT */ -- hm\n ( delete from things"}, "begins with DELETE changes data: say `write: true`"),
        ({"sql": "SELECT :a, :b, 1::int, '\\:c', '12:30'", "parameters": {"a": 1}}, "`:b`, which `parameters`"),
        ({"sql": "SELECT 1", "parameters": {"a": 1}}, "`:a`, which `sql` does not have"),
        ({"sql": ""}, "at least 1 character"),
    ],
)
def test_a_statement_that_cannot_be_is_refused_when_the_definition_is_read(config: dict[str, Any], part: str) -> None:
    with pytest.raises(ValidationError, match=part):
        DatabaseQueryConfig.model_validate({"connection": "shop", **config})


def test_validation_says_where_a_template_stands_in_sql() -> None:
    config = {"connection": "shop", "sql": "SELECT '{{ inputs.x }}'"}
    with pytest.raises(DefinitionError) as caught:
        load_mapping({"name": "a", "nodes": [{"id": "find", "type": "DatabaseQuery", "config": config}]})
    (issue,) = caught.value.issues
    assert (issue.code, issue.path) == ("DEF021", "nodes[0].config.sql")
    assert "no template may stand in it" in issue.message


@pytest.mark.parametrize("sql", ["a = :b", "::x", ":a::int", r"\:a", "'10:30'", "x:y", ":é1", ": a", "a=:b,:c", ":a:b"])
def test_the_parameters_of_a_statement_are_those_that_sqlalchemy_finds(sql: str) -> None:
    found = set(text(f"SELECT {sql}").compile().params)
    DatabaseQueryConfig(connection="shop", sql=f"SELECT {sql}", parameters=dict.fromkeys(found))


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (Decimal("12.50"), 12.5),
        (Decimal("12.00"), 12.0),
        (Decimal(7), 7),
        (Decimal("1E+3"), 1000),
        (Decimal("0.12345678901234567890"), "0.12345678901234567890"),
        (Decimal(10) ** 30, str(Decimal(10) ** 30)),
        (Decimal("NaN"), "NaN"),
        (float("inf"), "Infinity"),
        (float("-inf"), "-Infinity"),
        ({"a": [float("nan")]}, {"a": ["NaN"]}),
    ],
)
def test_numbers_that_json_cannot_hold_become_text(value: Any, json: Any) -> None:
    found = as_json(value)
    assert (found, type(found)) == (json, type(json))
