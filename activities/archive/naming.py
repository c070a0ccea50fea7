"""What a document of the archive is called: so that people find it, and that no name leads anywhere else."""

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final
from urllib.parse import quote

__all__ = ["NOBODY", "Visit", "beginning", "name_of", "part"]

_LONGEST: Final = 100
_HASH: Final = 16
_LAST: Final = 8
"""Of a run id: those that workflows give begin with the time."""
NOBODY: Final = "_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """Which call of a model it was: the ledger's key, and what people call the run."""

    tenant: str | None
    workflow_id: str
    run_id: str
    node: str
    visit: int
    try_: int
    attempt: int
    call: int


def name_of(visit: Visit, at: datetime) -> str:
    """``<tenant>/<yyyy>/<mm>/<dd>/<workflow id>/<node>#<visit>.<try>.<attempt>.<call>.<run>.json``.

    ``_`` stands for no tenant. ``run`` are the last characters of the run id: a run that was reset, or that continued
    as new, begins to count anew.
    """
    numbers = f"{visit.visit}.{visit.try_}.{visit.attempt}.{visit.call}"
    return (
        f"{beginning(visit.tenant)}{at:%Y/%m/%d}/{part(visit.workflow_id)}/"
        f"{part(visit.node)}#{numbers}.{part(visit.run_id[-_LAST:])}.json"
    )


def beginning(tenant: str | None) -> str:
    """What the names of a tenant's documents begin with."""
    return f"{NOBODY if tenant is None else part(tenant)}/"


def part(text: str) -> str:
    """``text`` as one part of a path: percent-encoded, never ``..`` nor hidden, of 1 to 100 characters.

    Texts that differ give parts that differ.
    """
    encoded = quote(text, safe="", errors="surrogatepass").replace("~", "%7E")
    if encoded[:1] == ".":
        encoded = f"%2E{encoded[1:]}"
    if encoded in ("", NOBODY):
        encoded = f"%{ord(NOBODY):X}" if encoded else "~"
    if len(encoded) <= _LONGEST:
        return encoded
    known = sha256(text.encode(errors="surrogatepass")).hexdigest()[:_HASH]
    return f"{encoded[: _LONGEST - _HASH - 1]}~{known}"
