"""The side log of token streams: what models write, as they write it, for whoever reads along."""

from storage.streams.deciding import storable
from storage.streams.log import Keeping, TokenLog
from storage.streams.opening import open_token_log
from storage.streams.records import (
    Delta,
    Finished,
    Lost,
    Piece,
    Record,
    StreamKey,
    Superseded,
    Text,
    Transcript,
    as_dict,
)

__all__ = [
    "Delta",
    "Finished",
    "Keeping",
    "Lost",
    "Piece",
    "Record",
    "StreamKey",
    "Superseded",
    "Text",
    "TokenLog",
    "Transcript",
    "as_dict",
    "open_token_log",
    "storable",
]
