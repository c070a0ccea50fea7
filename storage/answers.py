"""Answers that are kept for a while, by what was asked: where each lies, and until when it counts."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite

from storage.engine import Storage
from storage.tables import ANSWERS

__all__ = ["Answers"]


class Answers:
    """The index of kept answers. The answers themselves lie in blob storage.

    Args:
        storage: Where it is kept.
    """

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    async def find(self, key: str) -> str | None:
        """Where the answer to ``key`` lies; none: it is not kept, or counts no more.

        Raises:
            StorageUnavailableError: The storage is away.
        """
        async with self._storage.reading() as connection:
            asking = select(ANSWERS.c.blob).where(ANSWERS.c.key == key, ANSWERS.c.until > datetime.now(UTC))
            return (await connection.execute(asking)).scalar_one_or_none()

    async def keep(self, key: str, blob: str, seconds: float) -> None:
        """Keep an answer, in place of another to the same ``key``; what counts no more is forgotten.

        Raises:
            StorageUnavailableError: The storage is away.
        """
        now = datetime.now(UTC)
        async with self._storage.writing() as connection:
            await connection.execute(delete(ANSWERS).where(ANSWERS.c.until <= now))
            about = {"blob": blob, "until": now + timedelta(seconds=seconds)}
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            await connection.execute(
                dialect.insert(ANSWERS)
                .values({"key": key, **about})
                .on_conflict_do_update(index_elements=[ANSWERS.c.key], set_=about)
            )
