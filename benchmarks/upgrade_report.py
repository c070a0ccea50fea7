"""What an upgrade has shown: as a table on the terminal, as JSON, and as a block of ``docs/performance.md``."""

from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from benchmarks.machine import Machine
from benchmarks.report import row

__all__ = ["UpgradeReport", "upgrade_markdown", "upgrade_table"]

_COLUMNS = ("Step", "Runs", "Seconds")


class UpgradeReport(BaseModel):
    """One upgrade. ``problems`` has a line for each run that did not end right on the new build."""

    model_config = ConfigDict(frozen=True)

    day: date
    command: str
    machine: Machine
    runs: int
    waiting: int
    """Runs that waited for an answer when the old build was told to stop."""
    right: int
    """Runs that ended as they should."""
    moved: int
    """Runs whose last step was taken by the new build."""
    seconds: dict[str, float]
    """What each step took."""
    problems: tuple[str, ...]

    @property
    def accounted(self) -> bool:
        """Whether every run ended right, on the new build."""
        return not self.problems and self.runs == self.waiting == self.right == self.moved


def upgrade_table(report: UpgradeReport) -> Table:
    """The report for a terminal."""
    title = "Every run moved to the new build" if report.accounted else "NOT every run ended right on the new build"
    table = Table(*_COLUMNS, title=title, caption=report.command)
    for cells in _rows(report):
        table.add_row(*cells)
    return table


def upgrade_markdown(report: UpgradeReport) -> str:
    """The report for the docs."""
    intro = f"On {report.day.isoformat()} with `{report.command}`, on {report.machine.sentence()}."
    return "\n".join([intro, "", row(_COLUMNS), row(["---"] * len(_COLUMNS)), *(row(cells) for cells in _rows(report))])


def _rows(report: UpgradeReport) -> Iterator[list[str]]:
    counts = {
        "runs started on build A, until each waits for an answer": report.waiting,
        "build B started and made current; build A told to stop, until it has ended": report.waiting,
        "every run answered, until it has ended as it should": report.right,
        "of these, last step taken by build B": report.moved,
    }
    for (what, count), name in zip(counts.items(), ("waiting", "upgrade", "answered", ""), strict=True):
        yield [what, f"{count:,} of {report.runs:,}", f"{report.seconds[name]:,.1f}" if name in report.seconds else ""]
