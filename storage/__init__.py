"""What is kept beside Temporal: SQLite by default, PostgreSQL in production."""

from storage.accounts import Accounts, Entry, Scope
from storage.answers import Answers
from storage.engine import DOWNGRADES, Storage, downgrade, migrated_to, open_storage, usable
from storage.ledger import Booking, Cap, EntryKey, Ledger, OpenEntry, Reservation, Standing
from storage.pruning import Pruned, prune

__all__ = [
    "DOWNGRADES",
    "Accounts",
    "Answers",
    "Booking",
    "Cap",
    "Entry",
    "EntryKey",
    "Ledger",
    "OpenEntry",
    "Pruned",
    "Reservation",
    "Scope",
    "Standing",
    "Storage",
    "downgrade",
    "migrated_to",
    "open_storage",
    "prune",
    "usable",
]
