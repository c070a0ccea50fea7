"""What databases say when they refuse, in our words: without addresses, passwords or any value."""

import re
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, Final

from asyncpg.exceptions import (  # pyright: ignore[reportMissingTypeStubs]  # it has none
    ClientConfigurationError,
    PostgresError,
)
from pydantic_core import PydanticSerializationError
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from orchestrator.errors import (
    OrchestratorError,
    ProviderAuthError,
    ProviderError,
    ProviderRejectedError,
    ProviderUnavailableError,
    SettingsError,
)

__all__ = ["in_our_words"]

_PASSING: Final = ("08", "40", "53", "57", "58")
"""Classes of SQLSTATE that say the database is unwell, or that two stood in each other's way."""
_PASSING_CODES: Final = frozenset({"55P03", "25P03", "25P04", "55006"})
_STALE: Final = frozenset({"InvalidCachedStatementError", "OutdatedSchemaCacheError"})
"""The driver remembers a table as it was; the next attempt looks at it anew."""
_BAD_VALUE: Final = "22"
_MISFIT: Final = "a value does not fit its place; give one of the right type, or write CAST(:name AS type)"
_AUTH: Final = ("28",)
_AUTH_CODES: Final = frozenset({"42501"})
_WORDS_OF_STATEMENT: Final = "42"
"""What is said about such errors quotes the statement, in which no value stands."""
_READ_ONLY: Final = "25006"

_SQLITE_PASSING: Final = re.compile("SQLITE_(BUSY|LOCKED|INTERRUPT|IOERR|FULL|PROTOCOL|CANTOPEN|NOMEM)")
_SQLITE_SAYS: Final = re.compile(
    r"(no such (table|column|function|index|view|module|collation)"
    r'|near "|incomplete input|ambiguous column name|unrecognized token'
    r"|(UNIQUE|NOT NULL|CHECK|FOREIGN KEY|PRIMARY KEY) constraint failed|table \S+ has no column"
    r"|wrong number of arguments|misuse of|You can only execute one statement|database is locked|datatype mismatch"
    r"|string or blob too big|file is not a database|database disk image is malformed|\d+ values for \d+ columns)"
)


@contextmanager
def in_our_words(name: str) -> Generator[None]:
    """Turns what goes wrong in the block, with the database ``name``, into errors of ours.

    Raises:
        ProviderUnavailableError: It is away or overloaded, or another transaction was in the way.
        ProviderAuthError: It does not know the user, or does not allow the user this.
        ProviderRejectedError: The statement, or what it would do, cannot be; trying again would not help.
        SettingsError: Its address cannot be read.
    """
    where = f"the database {name!r}"
    try:
        yield
    except OrchestratorError:
        raise
    except DBAPIError as error:
        raise _said(where, error.orig) from None
    except PoolTimeoutError:
        raise ProviderUnavailableError(f"every connection to {where} is in use") from None
    except ClientConfigurationError:
        raise _unreadable(where) from None
    except (PostgresError, sqlite3.Error) as error:
        raise _said(where, error) from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ProviderUnavailableError(f"{where} cannot be reached: {reason}") from None
    except (SQLAlchemyError, OverflowError, UnicodeError, PydanticSerializationError) as error:
        raise ProviderRejectedError(
            f"{where} cannot be given one of the values, or asked this: {_kind(error)}"
        ) from None


def _unreadable(where: str) -> SettingsError:
    return SettingsError(f"the address of {where} cannot be read; it is like postgresql://user:password@host:5432/name")


def _said(where: str, error: Any) -> OrchestratorError:
    if isinstance(error, sqlite3.Error):
        return _sqlite(where, error)
    if _kind(getattr(error, "__cause__", None)) == "ClientConfigurationError":
        return _unreadable(where)
    cause = error if isinstance(error, PostgresError) else getattr(error, "__cause__", None)
    if not isinstance(cause, PostgresError):
        return _client_side(where, cause or error)
    return _postgresql(where, cause)


def _postgresql(where: str, error: Any) -> ProviderError:
    state = str(error.sqlstate or "")
    details = {"sqlstate": state} | {
        field: value
        for field in ("schema_name", "table_name", "column_name", "constraint_name")
        if (value := getattr(error, field, None))
    }
    about = ", ".join(
        f"{field.removesuffix('_name')} {value}" for field, value in details.items() if field != "sqlstate"
    )
    says = f": {error.args[0]}" if state.startswith(_WORDS_OF_STATEMENT) and error.args else ""
    message = f"{where} says {type(error).__name__} ({state}{', ' if about else ''}{about}){says}"
    if state.startswith(_AUTH) or state in _AUTH_CODES:
        return ProviderAuthError(message, details=details)
    if state.startswith(_PASSING) or state in _PASSING_CODES or _kind(error) in _STALE:
        return ProviderUnavailableError(message, details=details)
    if state.startswith(_BAD_VALUE):
        message = f"{message}; {_MISFIT}"
    if state == _READ_ONLY:
        message = f"{message}; a statement that changes data needs `write: true`"
    return ProviderRejectedError(message, details=details)


def _client_side(where: str, error: Any) -> ProviderError:
    """What the driver says by itself, which may quote a value."""
    kind = _kind(error)
    if kind in {"DataError", "InterfaceError", "UnsupportedClientFeatureError"} and "clos" not in str(error):
        return ProviderRejectedError(f"{where} refuses: {_MISFIT}")
    return ProviderUnavailableError(f"the connection to {where} failed: {kind}")


def _sqlite(where: str, error: sqlite3.Error) -> ProviderError:
    kind = str(getattr(error, "sqlite_errorname", "") or type(error).__name__)
    text = str(error)
    says = f": {text}" if _SQLITE_SAYS.match(text) else ""
    message = f"{where} says {kind}{says}"
    details = {"sqlite": kind}
    if _SQLITE_PASSING.match(kind):
        return ProviderUnavailableError(message, details=details)
    if kind.startswith("SQLITE_READONLY"):
        message = f"{message}; a statement that changes data needs `write: true`, and a file that may be written"
    return ProviderRejectedError(message, details=details)


def _kind(error: object) -> str:
    return type(error).__name__
