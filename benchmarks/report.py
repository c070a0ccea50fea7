"""Shows figures: as a table on the terminal, as JSON, and as a block of ``docs/performance.md``."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from pydantic import BaseModel, ConfigDict
from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure
from benchmarks.machine import Machine

__all__ = ["COLOURS", "Report", "as_markdown", "as_table", "check_block", "row", "write_block"]

_COLUMNS = ("Figure", "Target", "Median", "Least to most", "By hand", "Samples", "Verdict")
COLOURS = {"met": "green", "missed": "red", "": ""}


class Report(BaseModel):
    """One run of the benchmarks."""

    model_config = ConfigDict(frozen=True)

    day: date
    command: str
    pairs: int
    machine: Machine | None
    """None where nothing could be measured."""
    figures: tuple[Figure, ...]
    minutes: float = 0.0
    """What all of it took."""

    @property
    def broken(self) -> bool:
        """Whether a measure broke, so that figures are missing that should be there."""
        return any(figure.broken for figure in self.figures)


def as_table(report: Report, title: str = "") -> Table:
    """The figures for a terminal."""
    title = title or f"Medians of at most {report.pairs} interleaved pairs"
    table = Table(*_COLUMNS, title=title, caption=report.command)
    for figure in report.figures:
        colour = COLOURS[figure.verdict]
        what, *numbers, verdict = _cells(figure)
        table.add_row(Text(f"{what}\n{figure.absent or figure.note}".strip()), *numbers, Text(verdict, style=colour))
    return table


def as_markdown(report: Report) -> str:
    """The figures for the docs, each with the command that measures it again."""
    rows = [
        [*_cells(figure), figure.absent or figure.note, f"`python -m benchmarks --only {figure.measure}`"]
        for figure in report.figures
    ]
    where = "" if report.machine is None else f", on {report.machine.sentence()}"
    intro = (
        f"Measured on {report.day.isoformat()} with `{report.command}`, medians of at most {report.pairs} interleaved "
        f"pairs, in {report.minutes:,.0f} minutes{where}."
    )
    lines = [intro, "", row([*_COLUMNS, "Remarks", "Again"]), row(["---"] * (len(_COLUMNS) + 2))]
    lines += [row(cells) for cells in rows]
    return "\n".join(lines)


def write_block(page: Path, text: str, markers: tuple[str, str]) -> None:
    """Replace what stands between ``markers`` in ``page``.

    Raises:
        ValueError: The page has not exactly one pair of markers.
    """
    first, last = markers
    before, after = check_block(page, markers)
    page.write_text(f"{before}{first}\n\n{text}\n\n{last}{after}", encoding="utf-8")


def check_block(page: Path, markers: tuple[str, str]) -> tuple[str, str]:
    """What stands before and after ``markers`` in ``page``.

    Raises:
        ValueError: The page has not exactly one pair of markers.
    """
    first, last = markers
    before, begin, rest = page.read_text(encoding="utf-8").partition(first)
    _, end, after = rest.partition(last)
    if not begin or not end or first in after or last in after:
        raise ValueError(f"{page.name} must have {first} and, below it, {last}, once each")
    return before, after


def _cells(figure: Figure) -> list[str]:
    if figure.absent:
        return [figure.what, "", "not measured", "", "", "0", ""]
    low, high = figure.spread
    return [
        figure.what,
        "" if figure.target is None else f"≤ {figure.target:g} {_unit(figure)}".rstrip(),
        _number(figure, figure.median),
        f"{_number(figure, low)} to {_number(figure, high)}",
        "" if figure.by_hand is None else _number(figure, figure.by_hand),
        str(len(figure.samples)),
        figure.verdict,
    ]


def _number(figure: Figure, value: float) -> str:
    return f"{value:,.{figure.digits}f} {_unit(figure)}".rstrip()


def _unit(figure: Figure) -> str:
    return "" if figure.unit == "ratio" else figure.unit


def row(cells: Sequence[str]) -> str:
    """A row of a table in markdown."""
    return f"| {' | '.join(cells)} |"
