"""What a log of token streams can do, wherever it keeps them."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Protocol

from storage.streams.records import Piece, Record, StreamKey

__all__ = ["Keeping", "TokenLog"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """How long, and how much of it, a run's text is kept."""

    seconds: float = 86_400.0
    """After the last of it was written. That it was there is known for as long again."""
    run_bytes: int = 10_485_760
    """Of one run. Beyond it the oldest goes, but nothing of a text that is being written, nor what came after that."""


class TokenLog(Protocol):
    """Keeps what models write, beside history, for whoever reads along.

    Each record of a run has an id one above that of the record before it, and becomes visible in that order.
    """

    async def open(self, key: StreamKey, *, rank: int) -> int:
        """Begin a text: a new generation of it, in whose favour all older ones are superseded. Returns its number.

        Args:
            key: The visit.
            rank: Grows from attempt to attempt; one with a lower rank than the newest comes too late.

        Raises:
            StreamSupersededError: A newer attempt writes this text.
            StorageUnavailableError: The log is away.
        """
        ...

    async def append(self, pieces: Sequence[Piece]) -> Sequence[bool | None]:
        """Add to some streams, at most one piece each, at once. Returns for each whether it was taken.

        One that was not belongs to a generation that is superseded or has ended: nothing of it will be shown. None:
        the log knows nothing of this text; it was lost, and has to be begun anew.

        Raises:
            StorageUnavailableError: The log is away; maybe the pieces were taken. Sent again they count once.
        """
        ...

    def read(self, run: str, *, after: int = 0, until: asyncio.Event | None = None) -> AsyncGenerator[Record]:
        """The records of a run with an id above ``after``, each once, and then those that come.

        Where the next of them is gone, a ``Lost`` says so, and what is left follows.

        Args:
            run: The run's first run id; one that has no text yet is waited for.
            after: The id that was read last; 0 reads from the beginning.
            until: Set when nothing more will come, so that the end of what there is ends it.

        Raises:
            RequestError: The run has no record with the id ``after`` yet.
            StorageUnavailableError: The log is away. Reading on from the last id repeats and misses nothing.
        """
        ...

    async def trim(self) -> int:
        """Drop the text of runs in which nothing was written for too long. Returns how many records went."""
        ...
