"""Shows what long runs took: as a table on the terminal, as JSON, and as a block of ``docs/performance.md``."""

from collections.abc import Iterator
from datetime import date
from statistics import mean
from typing import Literal

from pydantic import BaseModel, ConfigDict
from rich.table import Table
from rich.text import Text

from benchmarks.figures import Figure
from benchmarks.machine import Machine
from benchmarks.report import COLOURS, row
from benchmarks.rollover import LongRun, Part

__all__ = ["TARGETS", "RolloverReport", "rollover_figures", "rollover_markdown", "rollover_table", "verdict"]

Kind = Literal["events", "bytes", "ms", "cpu"]
TARGETS: dict[Kind, float] = {"events": 1.05, "bytes": 1.1, "ms": 1.3, "cpu": 1.2}
"""The most that an item of the second half may take in proportion to one of the first."""
_COLUMNS = (
    "Run",
    "An item takes",
    "First half",
    "Second half",
    "Second to first",
    "Target",
    "Tenths: first, least, most, last",
    "Verdict",
)
_DIGITS: dict[Kind, int] = {"events": 2, "bytes": 0, "ms": 2, "cpu": 2}
_NAMES: dict[Kind, str] = {"events": "events", "bytes": "bytes", "ms": "ms", "cpu": "ms of CPU"}


class RolloverReport(BaseModel):
    """Long runs, each once."""

    model_config = ConfigDict(frozen=True)

    day: date
    command: str
    machine: Machine
    runs: tuple[LongRun, ...]


def rollover_figures(report: RolloverReport) -> list[Figure]:
    """In proportion to an item of its first half, what an item of the second half of each run takes."""
    return [
        Figure(
            measure="rollover",
            what=f"{run.what}: {_NAMES[kind]} an item, second half to first",
            unit="ratio",
            samples=(second / first,),
            target=most,
            note=f"{first:,.{_DIGITS[kind]}f}, then {second:,.{_DIGITS[kind]}f}; {run.workflow_runs} workflow runs",
        )
        for run in report.runs
        for kind, most in TARGETS.items()
        for first, second in [_halves(run, kind)]
    ]


def rollover_table(report: RolloverReport) -> Table:
    """What an item took, for a terminal."""
    table = Table(*_COLUMNS, title="Runs that go on in new workflow runs, each once", caption=report.command)
    for run in report.runs:
        for what, *cells, judged in _rows(run):
            table.add_row(Text(what), *cells, Text(judged, style=COLOURS[judged]))
        table.add_section()
    return table


def rollover_markdown(report: RolloverReport) -> str:
    """What an item took, for the docs."""
    intro = (
        f"Measured on {report.day.isoformat()} with `{report.command}`, each run once, on {report.machine.sentence()}."
    )
    lines = [intro, "", row(_COLUMNS), row(["---"] * len(_COLUMNS))]
    lines += [row([cell.replace("\n", "<br>") for cell in cells]) for run in report.runs for cells in _rows(run)]
    return "\n".join(lines)


def verdict(ratio: float, most: float) -> Literal["met", "missed"]:
    """Whether a ratio, as it is shown, is within its target."""
    return "met" if round(ratio, 2) <= most else "missed"


def _rows(run: LongRun) -> Iterator[list[str]]:
    what = f"{run.what}\n{_about(run)}"
    for kind, most in TARGETS.items():
        tenths = [_taken(part, kind) for part in run.parts]
        first, second = _halves(run, kind)
        shown = [f"{value:,.{_DIGITS[kind]}f}" for value in (first, second)]
        every = ", ".join(f"{value:,.{_DIGITS[kind]}f}" for value in (tenths[0], min(tenths), max(tenths), tenths[-1]))
        yield [what, _NAMES[kind], *shown, f"{second / first:.2f}", f"≤ {most:g}", every, verdict(second / first, most)]
        what = ""


def _halves(run: LongRun, kind: Kind) -> tuple[float, float]:
    tenths = [_taken(part, kind) for part in run.parts]
    middle = len(tenths) // 2
    return mean(tenths[:middle]), mean(tenths[middle:])


def _taken(part: Part, kind: Kind) -> float:
    return getattr(part, kind)


def _about(run: LongRun) -> str:
    before, after = (round(size / 2**20) for size in run.memory)
    return (
        f"{run.workflow_runs} workflow runs of at most {run.most_events:,} events, begun with at most "
        f"{run.largest_start:,} bytes; {run.seconds:,.0f} s; memory of the worker {before} MiB before, {after} after"
    )
