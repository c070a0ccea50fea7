"""What is kept beside Temporal: SQLite by default, PostgreSQL in production."""

from storage.engine import Storage, open_storage
from storage.ledger import Booking, Cap, EntryKey, Ledger, OpenEntry, Reservation, Standing

__all__ = ["Booking", "Cap", "EntryKey", "Ledger", "OpenEntry", "Reservation", "Standing", "Storage", "open_storage"]
