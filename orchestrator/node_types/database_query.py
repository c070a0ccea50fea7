"""DatabaseQuery: one SQL statement, in a database that is named."""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.node_types.base import ConfigModel, NodeType, VerbatimMark
from orchestrator.node_types.database_insert import Connection
from orchestrator.node_types.trust import Trust

__all__ = ["DATABASE_QUERY", "DatabaseQueryConfig"]

_PARAMETER: Final = re.compile(r"(?<![:\w\\]):(\w+)(?![:\w])")
"""What SQLAlchemy takes for a parameter as well: ``:name``, but not ``::type`` nor ``\\:name``."""
_FIRST_WORD: Final = re.compile(r"(?:\s|\(|--[^\n]*(?:\n|$)|/\*.*?\*/)*([A-Za-z]*)", re.DOTALL)
_READING: Final = ("SELECT", "WITH", "VALUES", "TABLE", "SHOW", "EXPLAIN")
_WRITING: Final = ("INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "CALL")


class DatabaseQueryConfig(ConfigModel):
    """The database by name, the statement as it stands, and the values of its parameters."""

    connection: Connection
    """The name of the database; its address is known to the worker alone."""
    sql: Annotated[str, VerbatimMark(), Field(min_length=1, max_length=100_000)]
    """One statement, taken as it stands. ``:name`` in it is a parameter."""
    parameters: dict[str, Any] = Field(default={})
    """name: value, for each parameter of ``sql``."""
    write: Annotated[bool, VerbatimMark()] = False
    """Allows a statement that changes data; it is carried out once, however often it is attempted."""
    max_rows: int = Field(default=1_000, ge=1, le=100_000)
    """The most rows that the statement may give; more is an error."""
    timeout: float = Field(default=30.0, gt=0, le=3600)
    """Seconds for the whole of it."""

    @field_validator("sql")
    @classmethod
    def _as_it_stands(cls, sql: str) -> str:
        if "{{" in sql or "{%" in sql or "{#" in sql:
            raise ValueError(
                "the text of a statement is taken as it stands, so no template may stand in it: "
                "write `:name` there, and give its value in `parameters`"
            )
        if "\0" in sql:
            raise ValueError("a statement holds no NUL character")
        return sql

    @model_validator(mode="after")
    def _statement_fits(self) -> Self:
        found = _FIRST_WORD.match(self.sql)
        word = found[1].upper() if found else ""
        if word in _WRITING and not self.write:
            raise ValueError(f"a statement that begins with {word} changes data: say `write: true`")
        if word not in (*_READING, *_WRITING):
            raise ValueError(
                f"a statement begins with {', '.join(_READING)}; or, with `write: true`, with {', '.join(_WRITING)}"
            )
        used = dict.fromkeys(_PARAMETER.findall(self.sql))
        if missing := [name for name in used if name not in self.parameters]:
            raise ValueError(f"`sql` has {_named(missing)}, which `parameters` does not give; a colon of text is `\\:`")
        if extra := [name for name in self.parameters if name not in used]:
            raise ValueError(f"`parameters` gives {_named(extra)}, which `sql` does not have")
        return self


def _named(names: list[str]) -> str:
    return ", ".join(f"`:{name}`" for name in names)


def _changes(config: Mapping[str, Any]) -> bool:
    return config.get("write") is True


DATABASE_QUERY = NodeType(
    name="DatabaseQuery",
    summary="Runs one SQL statement with parameters in PostgreSQL or SQLite; it may only read unless it says `write`.",
    tier="work",
    config=DatabaseQueryConfig,
    outputs=("rows", "count"),
    timeout=60.0,
    # The database is one that the worker's owner named: what stands in it is as trustworthy as whoever writes there.
    trust=Trust(clean=("rows", "count"), arguments=("parameters",), changes=_changes),
)
