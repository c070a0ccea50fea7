"""Shows figures: as a table on the terminal, as JSON, and as a block of ``docs/performance.md``."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure
from benchmarks.machine import Machine

__all__ = ["BEGIN", "COLOURS", "END", "Report", "as_markdown", "as_table", "row", "write_block"]

BEGIN = "<!-- figures: begin -->"
END = "<!-- figures: end -->"
_COLUMNS = ("Figure", "Target", "Median", "Least to most", "By hand", "Verdict")
COLOURS = {"met": "green", "missed": "red", "": ""}


class Report(BaseModel):
    """One run of the benchmarks."""

    model_config = ConfigDict(frozen=True)

    day: date
    command: str
    pairs: int
    machine: Machine
    figures: tuple[Figure, ...]


def as_table(report: Report) -> Table:
    """The figures for a terminal."""
    table = Table(*_COLUMNS, title=f"Medians of {report.pairs} interleaved pairs", caption=report.command)
    for figure in report.figures:
        colour = COLOURS[figure.verdict]
        what, *numbers, verdict = _cells(figure)
        table.add_row(Text(f"{what}\n{figure.note}".strip()), *numbers, Text(verdict, style=colour))
    return table


def as_markdown(report: Report) -> str:
    """The figures for the docs, each with the command that measures it again."""
    rows = [
        [*_cells(figure), figure.note, f"`python -m benchmarks --only {figure.measure}`"] for figure in report.figures
    ]
    intro = (
        f"Measured on {report.day.isoformat()} with `{report.command}`, medians of {report.pairs} interleaved pairs, "
        f"on {report.machine.sentence()}."
    )
    lines = [intro, "", row([*_COLUMNS, "Remarks", "Again"]), row(["---"] * (len(_COLUMNS) + 2))]
    lines += [row(cells) for cells in rows]
    return "\n".join(lines)


def write_block(page: Path, text: str, markers: tuple[str, str] = (BEGIN, END)) -> None:
    """Replace what stands between ``markers`` in ``page``.

    Raises:
        ValueError: The page has not exactly one pair of markers.
    """
    first, last = markers
    before, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end or first in after or last in after:
        raise ValueError(f"{page.name} must have {first} and, below it, {last}, once each")
    page.write_text(f"{before}{first}\n\n{text}\n\n{last}{after}", encoding="utf-8")


def _cells(figure: Figure) -> list[str]:
    low, high = figure.spread
    return [
        figure.what,
        "" if figure.target is None else f"≤ {figure.target:g} {_unit(figure)}".rstrip(),
        _number(figure, figure.median),
        f"{_number(figure, low)} to {_number(figure, high)}",
        "" if figure.by_hand is None else _number(figure, figure.by_hand),
        figure.verdict,
    ]


def _number(figure: Figure, value: float) -> str:
    return f"{value:,.{figure.digits}f} {_unit(figure)}".rstrip()


def _unit(figure: Figure) -> str:
    return "" if figure.unit == "ratio" else figure.unit


def row(cells: Sequence[str]) -> str:
    """A row of a table in markdown."""
    return f"| {' | '.join(cells)} |"
