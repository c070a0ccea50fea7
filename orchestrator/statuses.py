"""How a run can stand, as lists of runs show it; imports nothing, so that ``--help`` stays quick."""

from typing import Literal

__all__ = ["ENDED", "ListedStatus"]

ListedStatus = Literal[
    "running",
    "awaiting_input",
    "needs_attention",
    "paused",
    "cancelling",
    "completed",
    "failed",
    "cancelled",
    "timed_out",
    "terminated",
]
"""What ``list`` can show. ``terminated`` is the server's word: a run that it ended could say nothing itself."""

ENDED = frozenset({"completed", "failed", "cancelled", "timed_out"})
"""What a run says of itself once it has ended."""
