"""DatabaseInsert, into SQLite."""

import asyncio
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from activities.database_insert import handler
from activities.databases import Databases
from activities.secrets import DATABASE_PREFIX, NamedSecrets
from orchestrator.errors import NodeError, OrchestratorError, ProviderRejectedError, SettingsError
from orchestrator.node_types.database_insert import DatabaseInsertConfig
from tests.unit.handling import handled
from tests.unit.loopback import call


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with the table ``things``, named ``shop``."""
    path = tmp_path / "a shop.db"
    with sqlite3.connect(path) as made:
        made.execute("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT UNIQUE NOT NULL, extra)")
    made.close()
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", f"sqlite:///{path}")
    return path


async def insert(databases: Databases, rows: Any, *, visit: int = 1, **more: Any) -> dict[str, Any]:
    config = {"connection": "shop", "table": "things", "rows": rows, **more}
    return await handled(handler(databases), DatabaseInsertConfig, config, call("DatabaseInsert", config, visit=visit))


def stored(file: Path, what: str = "name, extra") -> list[Any]:
    found = sqlite3.connect(file)
    try:
        return list(found.execute(f"SELECT {what} FROM things ORDER BY id"))  # noqa: S608 - a test's own words
    finally:
        found.close()


def files_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_one_row_or_several_are_inserted(databases: Databases, file: Path) -> None:
    assert await insert(databases, {"name": "a"}) == {"inserted": 1, "rows": []}
    assert await insert(databases, [{"name": "b"}, {"name": "c"}], visit=2) == {"inserted": 2, "rows": []}
    assert await insert(databases, [], visit=3) == {"inserted": 0, "rows": []}
    assert stored(file) == [("a", None), ("b", None), ("c", None)]


async def test_columns_that_the_database_filled_in_come_back(databases: Databases) -> None:
    output = await insert(databases, [{"name": "a"}, {"name": "b"}], returning=["id", "name"])
    assert output == {"inserted": 2, "rows": [{"id": 1, "name": "a"}, {"id": 2, "name": "b"}]}


async def test_a_column_that_is_asked_for_twice_comes_once(databases: Databases) -> None:
    output = await insert(databases, {"name": "a"}, returning=["name", "name"])
    assert output["rows"] == [{"name": "a"}]


async def test_values_keep_their_type(databases: Databases, file: Path) -> None:
    values = [1, 2.5, "tëxt", None, True, {"a": [1]}, [1, "x"], {"base64": "AAE="}]
    await insert(databases, [{"name": str(number), "extra": value} for number, value in enumerate(values)])
    assert [row[1] for row in stored(file)] == [1, 2.5, "tëxt", None, 1, '{"a":[1]}', '[1,"x"]', b"\x00\x01"]


async def test_a_value_is_never_part_of_the_statement(databases: Databases, file: Path) -> None:
    nasty = "x'); DROP TABLE things; -- :name {{ inputs.x }}"
    await insert(databases, {"name": nasty, "extra": "'"})
    assert stored(file) == [(nasty, "'")]


async def test_a_repeated_attempt_inserts_nothing_and_gives_the_first_outcome(databases: Databases, file: Path) -> None:
    first = await insert(databases, {"name": "a"}, returning=["id"])
    again = await insert(databases, {"name": "something else"}, returning=["id"])
    assert first == again == {"inserted": 1, "rows": [{"id": 1}]}
    assert stored(file, "name") == [("a",)]


async def test_attempts_at_the_same_time_insert_once(databases: Databases, file: Path) -> None:
    rows = [{"name": "a"}, {"name": "b"}]
    outputs = await asyncio.gather(*(insert(databases, rows, returning=["id"]) for _ in range(8)))
    assert [output["rows"] for output in outputs] == [[{"id": 1}, {"id": 2}]] * 8
    assert len(stored(file)) == 2


async def test_a_failed_attempt_leaves_nothing_and_can_be_tried_again(databases: Databases, file: Path) -> None:
    with pytest.raises(ProviderRejectedError, match=r"UNIQUE constraint failed: things\.name"):
        await insert(databases, [{"name": "a"}, {"name": "a"}])
    assert stored(file) == []
    await insert(databases, [{"name": "a"}, {"name": "b"}])
    assert len(stored(file)) == 2


@pytest.mark.parametrize(
    ("config", "part"),
    [
        ({"rows": {"nope": 1}}, "has no column named nope"),
        ({"rows": {"name": "a"}, "returning": ["nope"]}, "no such column: nope"),
        ({"table": "nope", "rows": {"a": 1}}, "no such table"),
        ({"rows": {"name": None}}, "NOT NULL constraint failed"),
        ({"rows": {"name": 2**70}}, "cannot be given one of the values"),
    ],
)
async def test_what_the_database_refuses_is_not_tried_again(
    databases: Databases, config: dict[str, Any], part: str
) -> None:
    with pytest.raises(ProviderRejectedError, match=part) as caught:
        await insert(databases, **config)
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("rows", "part"),
    [
        ([{"name": "a"}, {"extra": 1}], r"rows\[1\].*other columns"),
        ({}, "at least one column"),
        ({'na"me': 1}, "no name of a column"),
        ({"": 1}, "no name of a column"),
        ({"name": {"base64": "?"}}, "something else than base64"),
        ({"name": {"base64": 1}}, "something else than base64"),
    ],
)
async def test_rows_that_cannot_be_inserted_are_told(databases: Databases, rows: Any, part: str) -> None:
    with pytest.raises(NodeError, match=part):
        await insert(databases, rows)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("table", 'a"; DROP TABLE x; --'),
        ("table", "a.b.c"),
        ("connection", "Shop"),
        ("connection", "../shop"),
        ("returning", ["id, name"]),
        ("rows", [{"a": 1}] * 10_001),
    ],
)
def test_names_that_are_none_are_refused_when_the_definition_is_read(field: str, value: Any) -> None:
    config = {"connection": "shop", "table": "t", "rows": {"a": 1}, field: value}
    with pytest.raises(ValidationError) as caught:
        DatabaseInsertConfig.model_validate(config)
    assert caught.value.errors()[0]["loc"][0] == field


@pytest.mark.parametrize("url", ["sqlite:///{}/absent.db", "sqlite://", "sqlite:///:memory:", "mysql://u:hidden@h/d"])
async def test_an_address_that_cannot_be_used_is_told_without_showing_it(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", url.format(tmp_path))
    with pytest.raises(SettingsError, match="'shop'") as caught:
        await insert(Databases(NamedSecrets(DATABASE_PREFIX)), {"a": 1})
    assert "hidden" not in caught.value.message
    assert files_in(tmp_path) == []


async def test_a_database_that_nobody_named_is_told() -> None:
    with pytest.raises(OrchestratorError, match="ORCHESTRATOR_DATABASE_SHOP"):
        await insert(Databases(NamedSecrets(DATABASE_PREFIX)), {"a": 1})


async def test_a_new_address_counts_without_a_restart(
    databases: Databases, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await insert(databases, {"name": "a"})
    other = tmp_path / "other.db"
    shutil.copy(file, other)
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_SHOP", f"sqlite:///{other}")
    await insert(databases, {"name": "b"}, visit=2)
    assert (stored(file, "name"), stored(other, "name")) == ([("a",)], [("a",), ("b",)])
