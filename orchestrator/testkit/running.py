"""Runs the cases of many files, one after another, on one server."""

import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.logs import without_temporal
from orchestrator.settings import Settings
from orchestrator.testkit.bench import Bench, bench
from orchestrator.testkit.coverage import Coverage
from orchestrator.testkit.model import Case
from orchestrator.testkit.outcome import Difference, Outcome, differences
from orchestrator.testkit.playing import Played, play
from orchestrator.testkit.reading import Suite
from orchestrator.testkit.sweeping import changes

__all__ = ["CaseReport", "Report", "run_suites"]

_LONGEST = 86_400.0


@dataclass(frozen=True, slots=True)
class CaseReport:
    """How one case went."""

    file: Path
    definition: str
    name: str
    differences: tuple[Difference, ...]
    virtual_s: float
    real_s: float
    restarts: int = 0
    """How many workers the kill sweep has ended."""

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences


@dataclass(slots=True)
class Report:
    """How all of them went, and what they covered of each definition (by ``name@version``)."""

    cases: list[CaseReport] = field(default_factory=list[CaseReport])
    coverage: dict[str, Coverage] = field(default_factory=dict[str, Coverage])

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return all(case.passed for case in self.cases)


async def run_suites(
    suites: Sequence[Suite],
    settings: Settings,
    *,
    names: Sequence[str] = (),
    kill_sweep: bool = False,
    told: Callable[[CaseReport], object] = lambda _: None,
) -> Report:
    """Run the cases of ``suites``.

    Args:
        suites: The files.
        settings: Those of this process; what must not reach outside is taken out of them.
        names: Only the cases of these names; none means all.
        kill_sweep: Play each case again, the worker ended after every step, and compare.
        told: Called after each case.

    Raises:
        ServerUnavailableError: The test server is not there.
    """
    report = Report()
    with without_temporal(), tempfile.TemporaryDirectory(prefix="cases-") as folder:
        async with _Benches(_closed(settings, Path(folder))) as benches:
            for suite in suites:
                about = f"{suite.definition.name}@{suite.definition.version}"
                coverage = report.coverage.setdefault(about, Coverage(suite.plan))
                for case in suite.cases:
                    if names and case.name not in names:
                        continue
                    done, outcome = await _run(benches, suite, case, kill_sweep=kill_sweep)
                    if outcome is not None:
                        coverage.add(outcome)
                    report.cases.append(done)
                    told(done)
    return report


def _closed(settings: Settings, folder: Path) -> Settings:
    """The settings for workers that play cases: no model endpoint, nothing kept, nothing interrupted."""
    return settings.model_copy(
        update={
            "task_queue": "cases",
            "openai_api_key": None,
            "openai_base_url": None,
            "blob_dir": folder,
            "sandboxed": False,
            # Virtual time is no time: what takes days must not count as a worker that has died.
            "heartbeat_timeout": _LONGEST,
            "graceful_shutdown_timeout": 10.0,
        }
    )


class _Benches(AsyncExitStack):
    """One bench for all cases; after one that was stuck, a new one, since what it left may hold up the next."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self._settings = settings
        self._usual: Bench | None = None

    async def play(self, suite: Suite, case: Case, *, sweeping: bool) -> Played:
        """Play a case."""
        if self._usual is None:
            self._usual = await self.enter_async_context(bench(self._settings))
        played = await play(self._usual, suite.request, case, sweeping=sweeping)
        if played.outcome is None:
            self._usual = None
            await self.aclose()
        return played


async def _run(benches: _Benches, suite: Suite, case: Case, *, kill_sweep: bool) -> tuple[CaseReport, Outcome | None]:
    began = time.monotonic()
    played = await benches.play(suite, case, sweeping=False)
    found = [*played.troubles]
    outcome, restarts = played.outcome, 0
    if outcome is not None:
        found.extend(differences(case.expect, outcome))
        if kill_sweep:
            swept = await benches.play(suite, case, sweeping=True)
            found.extend(changes(played, swept))
            restarts = swept.restarts
    report = CaseReport(
        file=suite.file,
        definition=f"{suite.definition.name}@{suite.definition.version}",
        name=case.name,
        differences=tuple(found),
        virtual_s=outcome.virtual_s if outcome is not None else 0.0,
        real_s=time.monotonic() - began,
        restarts=restarts,
    )
    return report, outcome
