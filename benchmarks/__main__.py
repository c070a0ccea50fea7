"""The command: ``python -m benchmarks``."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.figures import Figure
from benchmarks.hotspots import profile_replay
from benchmarks.lab import ROOT, open_lab
from benchmarks.machine import describe_machine
from benchmarks.measures import DEFINITIONS, MEASURES, REPLAYED, histories
from benchmarks.report import Report, as_markdown, as_table, write_block
from benchmarks.rollover import definitions, go_the_distance
from benchmarks.rollover_report import MARKERS, RolloverReport, rollover_markdown, rollover_table

__all__ = ["main"]

ROLLOVER = "rollover"
"""What is measured once, and not in pairs."""
PAGE = ROOT / "docs" / "performance.md"
_out, _err = Console(width=None if sys.stdout.isatty() else 150), Console(stderr=True)


async def take(only: Sequence[str], pairs: int) -> Report:
    """Take the measures called ``only`` with ``pairs`` pairs each."""
    figures: list[Figure] = []
    with _err.status("starting") as status:
        async with open_lab(DEFINITIONS, pairs=pairs, told=status.update) as lab:
            machine = await describe_machine(lab.client)
            for name in only:
                figures += await MEASURES[name].take(lab)
    return Report(
        day=datetime.now(tz=UTC).date(),
        command=" ".join([f"python -m benchmarks --pairs {pairs}", *_named(only)]),
        pairs=pairs,
        machine=machine,
        figures=tuple(figures),
    )


def _named(only: Sequence[str]) -> Sequence[str]:
    return () if tuple(only) == tuple(MEASURES) else [f"--only {name}" for name in only]


async def roll() -> RolloverReport:
    """Run what goes on in new workflow runs, each once."""
    with _err.status("starting") as status:
        async with open_lab(definitions(), pairs=1, told=status.update) as lab:
            machine = await describe_machine(lab.client)
            runs = await go_the_distance(lab)
    return RolloverReport(
        day=datetime.now(tz=UTC).date(),
        command=f"python -m benchmarks --only {ROLLOVER}",
        machine=machine,
        runs=tuple(runs),
    )


async def show_profiles() -> None:
    """Print where a replay's time goes, for ours and for the hand-written workflow."""
    with _err.status("starting") as status:
        async with open_lab(DEFINITIONS, pairs=1, told=status.update) as lab:
            ours, by_hand = await histories(lab)
            tables = [
                await profile_replay("GraphWorkflow", ours, REPLAYED),
                await profile_replay("By hand", by_hand, REPLAYED),
            ]
    for table in tables:
        _out.print(table)


def measure_pairs(only: Sequence[str], pairs: int, json: Path | None, *, write_docs: bool) -> None:
    """Take the measures called ``only``, and show them."""
    report = asyncio.run(take(only, pairs))
    _out.print(f"On {report.machine.sentence()}.")
    _out.print(as_table(report))
    if json is not None:
        json.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if write_docs:
        write_block(PAGE, as_markdown(report))


def measure_rollover(json: Path | None, *, write_docs: bool) -> None:
    """Run what goes on in new workflow runs, and show what it took."""
    report = asyncio.run(roll())
    _out.print(f"On {report.machine.sentence()}.")
    _out.print(rollover_table(report))
    if json is not None:
        json.with_stem(f"{json.stem}-{ROLLOVER}").write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if write_docs:
        write_block(PAGE, rollover_markdown(report), MARKERS)


def main(
    *,
    pairs: Annotated[int, typer.Option(min=1, help="How many interleaved pairs each measure takes.")] = 15,
    only: Annotated[
        list[str] | None, typer.Option(help=f"Take just this measure: {', '.join((*MEASURES, ROLLOVER))}.")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Also write everything, each sample with it, to this file.")] = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Put the figures into docs/performance.md.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show where a replay's time goes, and no figures.")
    ] = False,
) -> None:
    """Measure our graphs beside hand-written workflows that call the same activities, in the same run.

    Then, once, runs so long that they go on in new workflow runs; with ``--json`` they get a file of their own.
    """
    asked = list(dict.fromkeys(only or (*MEASURES, ROLLOVER)))
    if unknown := [name for name in asked if name not in (*MEASURES, ROLLOVER)]:
        known = ", ".join((*MEASURES, ROLLOVER))
        raise typer.BadParameter(f"there is no measure {', '.join(unknown)}; there are {known}")
    paired = [name for name in asked if name != ROLLOVER]
    if write_docs and paired and len(paired) < len(MEASURES):
        raise typer.BadParameter(f"--write-docs needs every measure, so with --only it takes just {ROLLOVER}")
    if profile:
        asyncio.run(show_profiles())
        return
    if paired:
        measure_pairs(paired, pairs, json, write_docs=write_docs)
    if ROLLOVER in asked:
        measure_rollover(json, write_docs=write_docs)


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
