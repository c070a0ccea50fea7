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

_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


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
    """Text from elsewhere that cannot drive the terminal: control characters become ``?``."""
    return _UNPRINTABLE.sub("?", text)


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
    json.dump(value, sys.stdout, ensure_ascii=plain, indent=None if compact else 2)
    sys.stdout.write("\n")
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
