"""The command: ``python -m benchmarks``."""

import asyncio
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.figures import Figure
from benchmarks.hotspots import profile_replay
from benchmarks.lab import BUDGET_S, open_lab
from benchmarks.machine import Machine, describe_machine
from benchmarks.measures import CORE_DEFINITIONS, REPLAYED, histories
from benchmarks.options import JsonFile, check_page
from benchmarks.pages import FIGURES, PAGE
from benchmarks.pages import ROLLOVER as ROLLOVER_BLOCK
from benchmarks.progress import progress
from benchmarks.report import Report, as_markdown, as_table, write_block
from benchmarks.rollover import definitions, go_the_distance
from benchmarks.rollover_report import RolloverReport, rollover_figures, rollover_markdown, rollover_table
from benchmarks.suites import DEFINITIONS, MEASURES
from orchestrator.leave import leave

__all__ = ["Taken", "main", "show", "take"]

ROLLOVER = "rollover"
"""What is measured once, and not in pairs."""
_KNOWN = (*MEASURES, ROLLOVER)
_out = Console(width=None if sys.stdout.isatty() else 150)


@dataclass(frozen=True, slots=True)
class Taken:
    """What was measured: everything in figures, and the long runs besides in detail, where they were asked for."""

    report: Report
    long: RolloverReport | None


async def take(only: Sequence[str], pairs: int, budget: float) -> Taken:
    """Take the measures called ``only``: at most ``pairs`` pairs each, and for about ``budget`` seconds.

    One that breaks says so in its row, and the others are taken all the same.
    """
    begun = time.monotonic()
    figures: list[Figure] = []
    machine: Machine | None = None
    long: RolloverReport | None = None
    with progress() as told:
        if paired := [name for name in only if name != ROLLOVER]:
            async with open_lab(DEFINITIONS, pairs=pairs, told=told, budget=budget) as lab:
                machine = await describe_machine(lab.client)
                for name in paired:
                    try:
                        figures += await MEASURES[name].take(lab)
                    except Exception as error:  # noqa: BLE001 - it may be anything, and must not cost the others
                        figures.append(_broken(name, MEASURES[name].about, error))
        if ROLLOVER in only:
            try:
                long = await _go_the_distance(told)
                figures += rollover_figures(long)
            except Exception as error:  # noqa: BLE001 - as above
                figures.append(_broken(ROLLOVER, "runs that go on in new workflow runs", error))
    report = Report(
        day=datetime.now(tz=UTC).date(),
        command=" ".join(["python -m benchmarks", *_options(only, pairs, budget)]),
        pairs=pairs,
        machine=machine or (long.machine if long else None),
        figures=tuple(figures),
        minutes=(time.monotonic() - begun) / 60,
    )
    return Taken(report, long)


async def _go_the_distance(told: Callable[[str], None]) -> RolloverReport:
    async with open_lab(definitions(), pairs=1, told=told) as lab:
        return RolloverReport(
            day=datetime.now(tz=UTC).date(),
            command=f"python -m benchmarks --only {ROLLOVER}",
            machine=await describe_machine(lab.client),
            runs=tuple(await go_the_distance(lab)),
        )


def _broken(name: str, about: str, error: Exception) -> Figure:
    traceback.print_exception(error)
    reason = f"it broke: {type(error).__name__}: {error}"
    return Figure(measure=name, what=about, unit="", samples=(), absent=reason, broken=True)


def _options(only: Sequence[str], pairs: int, budget: float) -> list[str]:
    names = [] if tuple(only) == _KNOWN else [f"--only {name}" for name in only]
    return [f"--pairs {pairs}", *([f"--budget {budget:g}"] if budget != BUDGET_S else []), *names]


async def show_profiles() -> None:
    """Print where a replay's time goes, for ours and for the hand-written workflow."""
    with progress() as told:
        async with open_lab(CORE_DEFINITIONS, pairs=1, told=told) as lab:
            ours, by_hand = await histories(lab)
            tables = [
                await profile_replay("GraphWorkflow", ours, REPLAYED),
                await profile_replay("By hand", by_hand, REPLAYED),
            ]
    for table in tables:
        _out.print(table)


def show(taken: Taken, only: Sequence[str], json: Path | None, *, write_docs: bool) -> None:
    """Print the table, and write what is to be kept."""
    if taken.report.machine is not None:
        _out.print(f"On {taken.report.machine.sentence()}.")
    _out.print(as_table(taken.report))
    _out.print(f"That took {taken.report.minutes:,.1f} minutes.")
    if taken.long is not None and tuple(only) == (ROLLOVER,):
        _out.print(rollover_table(taken.long))
    if json is not None:
        json.write_text(taken.report.model_dump_json(indent=2), encoding="utf-8")
        if taken.long is not None:
            json.with_stem(f"{json.stem}-{ROLLOVER}").write_text(taken.long.model_dump_json(indent=2), encoding="utf-8")
    if not write_docs:
        return
    if taken.report.broken:
        _out.print(f"{PAGE.parent.name}/{PAGE.name} is left as it was, because a measure broke.")
        return
    if set(MEASURES) <= set(only):
        write_block(PAGE, as_markdown(taken.report), FIGURES)
    if taken.long is not None:
        write_block(PAGE, rollover_markdown(taken.long), ROLLOVER_BLOCK)
    _out.print(f"The figures are in {PAGE.parent.name}/{PAGE.name}.")


def main(
    *,
    pairs: Annotated[int, typer.Option(min=1, help="The most interleaved pairs that a measure takes.")] = 15,
    budget: Annotated[
        float, typer.Option(min=1, help="Seconds after which a measure takes no further pairs, once it has five.")
    ] = BUDGET_S,
    only: Annotated[list[str] | None, typer.Option(help=f"Take just this measure: {', '.join(_KNOWN)}.")] = None,
    json: JsonFile = None,
    write_docs: Annotated[
        bool | None,
        typer.Option(
            "--write-docs/--no-write-docs",
            help="Put the figures into docs/performance.md. That is done unless --only is given.",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show where a replay's time goes, and no figures.")
    ] = False,
) -> None:
    """Measure our graphs beside hand-written workflows that call the same activities, and beside other engines.

    All of it takes about half an hour on two cores. Ends with 1 if a measure broke; a target that is missed is no
    fault of the measuring, and is told in the table.
    """
    asked = list(dict.fromkeys(only or _KNOWN))
    if unknown := [name for name in asked if name not in _KNOWN]:
        raise typer.BadParameter(f"there is no measure {', '.join(unknown)}; there are {', '.join(_KNOWN)}")
    partly = any(name in MEASURES for name in asked) and not set(MEASURES) <= set(asked)
    if write_docs and partly:
        raise typer.BadParameter(f"--write-docs needs every measure, so with --only it takes just {ROLLOVER}")
    if profile:
        asyncio.run(show_profiles())
        return
    writes = not only if write_docs is None else write_docs
    if writes:
        check_page(FIGURES, ROLLOVER_BLOCK)
    taken = asyncio.run(take(asked, pairs, budget))
    show(taken, asked, json, write_docs=writes)
    raise typer.Exit(1 if taken.report.broken else 0)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 1)
