"""What a soak has found: as a table on the terminal, as JSON, and as a block of ``docs/performance.md``."""

from collections.abc import Iterator
from datetime import date

from pydantic import BaseModel, ConfigDict
from rich.table import Table

from benchmarks.machine import Machine
from benchmarks.report import row

__all__ = ["KindTally", "SoakReport", "soak_markdown", "soak_table"]

_COLUMNS = ("Kind of run", "Accepted", "Ended right", "Unaccounted", "Seconds: median", "most")


class KindTally(BaseModel):
    """What became of the runs of one kind. ``seconds`` from the start to the end of a run: median and most."""

    model_config = ConfigDict(frozen=True)

    kind: str
    accepted: int
    right: int
    seconds: tuple[float, float]


class SoakReport(BaseModel):
    """One soak. ``problems`` has a line for each thing that is not accounted for."""

    model_config = ConfigDict(frozen=True)

    day: date
    command: str
    machine: Machine
    seconds: float
    worker_kills: int
    server_kills: int
    kinds: tuple[KindTally, ...]
    effects: int
    repeated: int
    """Effects that a node in flight at a kill had twice."""
    silent: int = 0
    """Effects that a node had twice because its worker, though alive, said nothing for its heartbeat timeout."""
    workflow_runs: int
    """Workflow runs that the server has, children and those that runs went on in among them."""
    problems: tuple[str, ...]

    @property
    def accepted(self) -> int:
        """Runs that the server took."""
        return sum(kind.accepted for kind in self.kinds)

    @property
    def right(self) -> int:
        """Runs that ended as they should, with the effects that they should have."""
        return sum(kind.right for kind in self.kinds)

    @property
    def accounted(self) -> bool:
        """Whether nothing was lost, is stuck, went wrong or was done twice without reason."""
        return not self.problems and self.right == self.accepted


def soak_table(report: SoakReport) -> Table:
    """The report for a terminal."""
    table = Table(*_COLUMNS, title="Every accepted run" if report.accounted else "NOT every run is accounted for")
    table.caption = _summary(report)
    for cells in _rows(report):
        table.add_row(*cells)
    return table


def soak_markdown(report: SoakReport) -> str:
    """The report for the docs."""
    intro = f"On {report.day.isoformat()} with `{report.command}`, on {report.machine.sentence()}."
    lines = [intro, "", _summary(report), "", row(_COLUMNS), row(["---"] * len(_COLUMNS))]
    return "\n".join([*lines, *(row(cells) for cells in _rows(report))])


def _rows(report: SoakReport) -> Iterator[list[str]]:
    for kind in report.kinds:
        wrong = kind.accepted - kind.right
        times = [f"{seconds:,.1f}" for seconds in kind.seconds]
        yield [kind.kind, f"{kind.accepted:,}", f"{kind.right:,}", f"{wrong:,}", *times]
    yield ["all", f"{report.accepted:,}", f"{report.right:,}", f"{report.accepted - report.right:,}", "", ""]


def _summary(report: SoakReport) -> str:
    server = f" and the server {report.server_kills:,} times" if report.server_kills else ""
    return (
        f"{report.seconds / 60:,.1f} minutes; workers were killed {report.worker_kills:,} times{server}; "
        f"{report.workflow_runs:,} workflow runs, {report.effects:,} effects, of which {report.repeated:,} were "
        f"repeated by nodes in flight at a kill and {report.silent:,} by nodes whose worker hung for longer than its "
        f"heartbeat timeout; {len(report.problems):,} things unaccounted for."
    )
