"""Answers that are kept for a while, by what was asked, and until when each counts.

They lie in the table, and not in blob storage: a blob belongs to all whose content is the same, so one that a run under
way refers to could not be told from one that nobody needs any more, and none could ever be deleted.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.clock import now_of
from storage.engine import Storage
from storage.tables import ANSWERS

__all__ = ["Answers"]

_BATCH: Final = 500
"""Answers that go at a time: whoever keeps one waits no longer than that takes."""


class Answers:
    """The answers that are kept.

    Args:
        storage: Where they are kept.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def find(self, key: str) -> bytes | None:
        """The answer to ``key``; none: it is not kept, or counts no more.

        Raises:
            StorageUnavailableError: The storage is away.
        """
        async with self._storage.reading() as connection:
            now = await now_of(connection)
            asking = select(ANSWERS.c.answer).where(ANSWERS.c.key == key, ANSWERS.c.until > now)
            return (await connection.execute(asking)).scalar_one_or_none()

    async def keep(self, key: str, answer: bytes, seconds: float) -> None:
        """Keep an answer, in place of another to the same ``key``.

        Raises:
            StorageUnavailableError: The storage is away.
        """
        async with self._storage.writing() as connection:
            about = {"answer": answer, "until": await now_of(connection) + timedelta(seconds=seconds)}
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            await connection.execute(
                dialect.insert(ANSWERS)
                .values({"key": key, **about})
                .on_conflict_do_update(index_elements=[ANSWERS.c.key], set_=about)
            )

    async def trim(self) -> int:
        """Delete the answers that count no more. Returns how many they were.

        Raises:
            StorageUnavailableError: The storage is away.
        """
        gone = 0
        while True:
            async with self._storage.writing() as connection:
                old = select(ANSWERS.c.key).where(ANSWERS.c.until <= await now_of(connection)).limit(_BATCH)
                some = (await connection.execute(delete(ANSWERS).where(ANSWERS.c.key.in_(old)))).rowcount
            gone += some
            if some < _BATCH:
                return gone
