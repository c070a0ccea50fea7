"""Standard output for data, standard error for people; colours and tables on a terminal only."""

import codecs
import json
import os
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path
from typing import Any, TextIO, cast

__all__ = ["at_terminal", "clean", "data", "open_streams", "out", "say", "shown_time", "table", "write"]

_FLAG = r"\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{3,6}\U000e007f"
"""The flags of England, Scotland and Wales are written in characters that nobody sees elsewhere."""
_UNPRINTABLE = re.compile(
    rf"({_FLAG})|["
    r"\x00-\x08\x0b-\x1f\x7f-\x9f"
    # What turns the order of what is around it; letters of scripts from right to left, and their marks, may stay.
    r"\u202a-\u202e\u2066-\u206f"
    # What takes no place, so that text hides or two texts look alike; joiners may stay: scripts and emoji need them.
    r"\xad\u180e\u200b\u2060-\u2065\ufeff\ufff9-\ufffb\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"
    # What ends a line for some, and not for others.
    r"\u2028\u2029]"
)


def open_streams() -> None:
    """Make of the standard streams what can be used: closed ones give nothing, and odd characters are escaped."""
    # Python has none where the process was started with a closed one.
    if cast("TextIO | None", sys.stdin) is None:
        sys.stdin = Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - open until the process ends
    if cast("TextIO | None", sys.stderr) is None:
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - as above
    output: TextIO = sys.stdout
    if isinstance(output, TextIOWrapper):
        output.reconfigure(errors="backslashreplace")


def clean(text: str) -> str:
    """Text from elsewhere that cannot drive the terminal, nor look like other text than it is.

    Control characters become ``?``, and so do those that turn the order of others or take no place. Each is judged by
    itself, so it does not matter in which pieces a text comes.
    """
    return _UNPRINTABLE.sub(lambda found: found[1] or "?", text)


def out(text: str) -> None:
    """Print a line of data."""
    sys.stdout.write(clean(text) + "\n")
    sys.stdout.flush()


def write(text: str) -> None:
    """Print text that goes on: nothing ends its line."""
    sys.stdout.write(clean(text))
    sys.stdout.flush()


def say(text: str) -> None:
    """Tell the person at the terminal something."""
    sys.stderr.write(clean(text) + "\n")
    sys.stderr.flush()


def data(value: Any, *, compact: bool = False) -> None:
    """Print a JSON value; ``compact`` puts it on one line."""
    # Where the terminal's encoding lacks characters, JSON has escapes of its own for them.
    plain = codecs.lookup(sys.stdout.encoding or "ascii").name != "utf-8"
    text = json.dumps(value, ensure_ascii=plain, indent=None if compact else 2)
    # JSON escapes few of those that drive a terminal, and may escape any.
    sys.stdout.write(_UNPRINTABLE.sub(lambda found: found[1] or json.dumps(found[0])[1:-1], text) + "\n")
    sys.stdout.flush()


def at_terminal() -> bool:
    """Whether somebody sits there who can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def shown_time(moment: datetime) -> str:
    """A moment for people, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], stream: TextIO | None = None) -> None:
    """A table on a terminal; elsewhere one line per row, its cells apart by tabs."""
    target: TextIO = stream or sys.stdout
    if not target.isatty():
        target.writelines("\t".join(" ".join(clean(cell).split()) for cell in row) + "\n" for row in rows)
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        drawn.add_row(*(Text(clean(cell)) for cell in row))
    Console(file=target, highlight=False).print(drawn)
