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

__all__ = ["main"]

PAGE = ROOT / "docs" / "performance.md"
_out, _err = Console(width=None if sys.stdout.isatty() else 150), Console(stderr=True)


async def take(only: Sequence[str], pairs: int) -> Report:
    """Take the measures called ``only``, or all where none is named, with ``pairs`` pairs each."""
    figures: list[Figure] = []
    with _err.status("starting") as status:
        async with open_lab(DEFINITIONS, pairs=pairs, told=status.update) as lab:
            machine = await describe_machine(lab.client)
            for name in only or MEASURES:
                figures += await MEASURES[name].take(lab)
    return Report(
        day=datetime.now(tz=UTC).date(),
        command=" ".join([f"python -m benchmarks --pairs {pairs}", *(f"--only {name}" for name in only)]),
        pairs=pairs,
        machine=machine,
        figures=tuple(figures),
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


def main(
    *,
    pairs: Annotated[int, typer.Option(min=1, help="How many interleaved pairs each measure takes.")] = 15,
    only: Annotated[list[str] | None, typer.Option(help=f"Take just this measure: {', '.join(MEASURES)}.")] = None,
    json: Annotated[Path | None, typer.Option(help="Also write everything, each sample with it, to this file.")] = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Put the figures into docs/performance.md.")] = False,
    profile: Annotated[
        bool, typer.Option("--profile", help="Show where a replay's time goes, and no figures.")
    ] = False,
) -> None:
    """Measure our graphs beside hand-written workflows that call the same activities, in the same run."""
    if unknown := [name for name in only or () if name not in MEASURES]:
        raise typer.BadParameter(f"there is no measure {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    if only and write_docs:
        raise typer.BadParameter("--write-docs needs every measure, so it does not go with --only")
    if profile:
        asyncio.run(show_profiles())
        return
    report = asyncio.run(take(only or (), pairs))
    _out.print(f"On {report.machine.sentence()}.")
    _out.print(as_table(report))
    if json is not None:
        json.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if write_docs:
        write_block(PAGE, as_markdown(report))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    app()
