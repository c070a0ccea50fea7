"""Performs DatabaseInsert."""

from collections.abc import Iterable
from typing import Any, Final

from pydantic_core import to_json
from sqlalchemy import ColumnClause, column, insert, literal_column, table, text
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.elements import quoted_name

from activities.databases import Databases
from activities.effects import once
from activities.rows import bytes_of, column_names, few_rows, is_bytes
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import NodeError
from orchestrator.node_types.database_insert import COLUMN_NAME, DatabaseInsertConfig

__all__ = ["handler"]

_SURELY_WHOLE: Final = 2**53
"""Above it a float is no longer the whole number that somebody meant."""


def handler(databases: Databases) -> Handler[DatabaseInsertConfig]:
    """Inserts rows into ``databases``: all or none, and once for each visit."""

    async def handle(config: DatabaseInsertConfig, call: NodeCall) -> NodeOutput:
        rows = config.rows if isinstance(config.rows, list) else [config.rows]
        columns = _columns(rows, call)
        database = await databases.named(config.connection)
        prepare = _for_postgresql if database.is_postgresql else _for_sqlite
        values = [{name: prepare(row[name]) for name in columns} for row in rows]

        async def change(connection: AsyncConnection) -> dict[str, Any]:
            put = _into_postgresql if database.is_postgresql else _into_sqlite
            made = await put(connection, config, columns, values)
            return {"inserted": len(values), "rows": made}

        if not values:
            return NodeOutput(output={"inserted": 0, "rows": []})
        return NodeOutput(output=await once(database, call.idempotency_key, change, seconds=config.timeout))

    return handle


def _columns(rows: list[dict[str, Any]], call: NodeCall) -> list[str]:
    if not rows:
        return []
    columns = list(rows[0])
    if not columns:
        raise NodeError(f"config.rows of node {call.node!r}: a row needs at least one column")
    for name in columns:
        if not COLUMN_NAME.fullmatch(name):
            raise NodeError(
                f"config.rows of node {call.node!r}: {name[:80]!r} is no name of a column; "
                "one has letters, digits and underscores, at most 63"
            )
    wanted = set(columns)
    for number, row in enumerate(rows):
        if set(row) != wanted:
            odd = ", ".join(sorted(set(row) ^ wanted)[:5])[:200]
            raise NodeError(
                f"config.rows[{number}] of node {call.node!r} has other columns than the first row ({odd}); "
                "give every row the same ones, null where there is nothing"
            )
    return columns


async def _into_postgresql(
    connection: AsyncConnection, config: DatabaseInsertConfig, columns: list[str], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The server itself reads the rows from JSON, by the types of the table: dates, exact numbers, arrays and all."""
    quote = connection.dialect.identifier_preparer.quote_identifier
    into = ".".join(quote(part) for part in config.table.split("."))
    names = ", ".join(quote(name) for name in columns)
    back = f" RETURNING {', '.join(quote(name) for name in config.returning)}" if config.returning else ""
    statement = text(
        f"INSERT INTO {into} ({names}) SELECT {names} "  # noqa: S608 - names alone, checked and quoted
        f"FROM json_populate_recordset(CAST(NULL AS {into}), CAST(:rows AS json)){back}"
    )
    result = await connection.execute(statement, {"rows": to_json(rows).decode()})
    return few_rows(list(result), column_names(result, _where(config))) if config.returning else []


async def _into_sqlite(
    connection: AsyncConnection, config: DatabaseInsertConfig, columns: list[str], rows: list[dict[str, Any]]
) -> list[dict[str, Any]]:
    schema, _, name = config.table.rpartition(".")
    within = quoted_name(schema, quote=True) if schema else None
    statement = insert(table(quoted_name(name, quote=True), *_quoted(columns), schema=within))
    if not config.returning:
        await connection.execute(statement, rows)
        return []
    names = list(dict.fromkeys(config.returning))
    # In double quotes, a column that is not there would be the text of its own name.
    columns_back: list[ColumnClause[Any]] = [literal_column(f"[{name}]") for name in names]
    result = await connection.execute(statement.returning(*columns_back), rows)
    return few_rows(list(result), names)


def _quoted(names: Iterable[str]) -> list[ColumnClause[Any]]:
    return [column(quoted_name(name, quote=True)) for name in names]


def _for_postgresql(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer() and abs(value) <= _SURELY_WHOLE:
        return int(value)  # a number of JSON may have got a fraction that it did not need, and `integer` takes none
    return f"\\x{bytes_of(value).hex()}" if is_bytes(value) else value


def _for_sqlite(value: Any) -> Any:
    if is_bytes(value):
        return bytes_of(value)
    return to_json(value).decode() if isinstance(value, (dict, list)) else value


def _where(config: DatabaseInsertConfig) -> str:
    return f"table {config.table} of the database {config.connection!r}"
