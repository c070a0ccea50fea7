"""DatabaseInsert: rows into a table of a database that is named."""

import re
from typing import Annotated, Any

from pydantic import Field, field_validator

from orchestrator.node_types.base import ConfigModel, NodeType, VerbatimMark
from orchestrator.node_types.trust import Trust
from orchestrator.secret_name import SecretName

__all__ = ["COLUMN_NAME", "DATABASE_INSERT", "MOST_ROWS", "Connection", "DatabaseInsertConfig"]

_COLUMN = r"[^\W\d]\w{0,62}"
COLUMN_NAME = re.compile(_COLUMN)
"""What a column may be called: letters, digits and underscores. It is quoted all the same."""
MOST_ROWS = 10_000

Connection = Annotated[SecretName, VerbatimMark()]
Column = Annotated[str, Field(pattern=rf"^{_COLUMN}$")]


class DatabaseInsertConfig(ConfigModel):
    """The database by name, the table, and the rows. All rows have the same columns."""

    connection: Connection
    """The name of the database; its address is known to the worker alone."""
    table: Annotated[str, VerbatimMark(), Field(pattern=rf"^(?:{_COLUMN}\.)?{_COLUMN}$")]
    """``table`` or ``schema.table``, as the database spells it."""
    rows: dict[str, Any] | list[dict[str, Any]]
    """Column: value; a list of such maps inserts several rows, all or none."""
    returning: Annotated[tuple[Column, ...], VerbatimMark(), Field(max_length=100)] = ()
    """Columns of the new rows to give back, such as an id that the database chose."""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds for the whole of it."""

    @field_validator("rows")
    @classmethod
    def _few_enough(cls, rows: dict[str, Any] | list[dict[str, Any]]) -> dict[str, Any] | list[dict[str, Any]]:
        if len(rows) > MOST_ROWS:
            raise ValueError(f"at most {MOST_ROWS:,} rows go into a table at a time; there are {len(rows):,}")
        return rows


DATABASE_INSERT = NodeType(
    name="DatabaseInsert",
    summary="Inserts rows into a table of PostgreSQL or SQLite, once however often it is attempted.",
    tier="work",
    config=DatabaseInsertConfig,
    outputs=("inserted", "rows"),
    timeout=60.0,
    trust=Trust(clean=("inserted",)),
)
