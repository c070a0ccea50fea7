"""The soak: runs of every kind while workers are killed at random; at the end every accepted run is accounted for.

``python -m benchmarks.soak --minutes 20 --kill-every 20``
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.options import JsonFile, check_page
from benchmarks.pages import PAGE, SOAK
from benchmarks.progress import progress
from benchmarks.report import write_block
from benchmarks.soak_report import SoakReport, soak_markdown, soak_table
from benchmarks.soak_run import SoakPlan, soak
from orchestrator.leave import leave

__all__ = ["main"]

_MOST_SHOWN = 50
_out = Console(width=None if sys.stdout.isatty() else 150)


def main(  # noqa: PLR0913 - each is an option of the command
    *,
    minutes: Annotated[float, typer.Option(min=0.05, help="How long runs are started.")] = 20.0,
    kill_every: Annotated[
        float, typer.Option(min=0, help="Seconds between two kills of a worker, on average; 0 kills none.")
    ] = 20.0,
    restart_server_every: Annotated[
        float, typer.Option(min=0, help="Seconds between two kills of the server, on average; 0 kills none.")
    ] = 0.0,
    rate: Annotated[float, typer.Option(min=0.1, help="Runs started in a second.")] = 2.0,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
    most_open: Annotated[int, typer.Option(min=1, help="The most runs under way at a time.")] = 60,
    settle: Annotated[
        float, typer.Option(min=1, help="Seconds that runs have to end, once no more are started.")
    ] = 180,
    seed: Annotated[int, typer.Option(help="Decides which runs are started, and who is killed when.")] = 1,
    in_memory: Annotated[
        bool, typer.Option("--in-memory", help="Keep the server's runs in memory, not in a file.")
    ] = False,
    json: JsonFile = None,
    write_docs: Annotated[bool, typer.Option("--write-docs", help="Put the report into docs/performance.md.")] = False,
) -> None:
    """Start runs of every kind for a time, kill workers at random, and account for every run that was accepted.

    Ends with 1, and a list, if a run was lost, is stuck, ended otherwise than it should, or did something twice that
    no kill explains.
    """
    if in_memory and restart_server_every:
        raise typer.BadParameter("a server that is killed must keep its runs in a file: leave out --in-memory")
    if write_docs:
        check_page(SOAK)
    options = {
        "--minutes": minutes,
        "--kill-every": kill_every,
        "--restart-server-every": restart_server_every,
        "--rate": rate,
        "--workers": workers,
        "--most-open": most_open,
        "--seed": seed,
    }
    command = " ".join(
        ["python -m benchmarks.soak", *(f"{name} {value:g}" for name, value in options.items())]
        + ["--in-memory"] * in_memory
    )
    plan = SoakPlan(
        minutes=minutes,
        kill_every=kill_every,
        restart_server_every=restart_server_every,
        rate=rate,
        workers=workers,
        most_open=most_open,
        settle=settle,
        seed=seed,
        in_memory=in_memory,
        command=command,
    )
    report = asyncio.run(_soak(plan))
    _show(report)
    if json is not None:
        json.write_text(report.model_dump_json(indent=2), encoding="utf-8")
    if write_docs:
        write_block(PAGE, soak_markdown(report), SOAK)
    raise typer.Exit(0 if report.accounted else 1)


async def _soak(plan: SoakPlan) -> SoakReport:
    with progress() as told, tempfile.TemporaryDirectory() as folder:
        return await soak(plan, Path(folder), told)


def _show(report: SoakReport) -> None:
    _out.print(f"On {report.machine.sentence()}.")
    _out.print(soak_table(report))
    for problem in report.problems[:_MOST_SHOWN]:
        _out.print(f"unaccounted: {problem}", markup=False, soft_wrap=True)
    if len(report.problems) > _MOST_SHOWN:
        _out.print(f"... and {len(report.problems) - _MOST_SHOWN} more; --json has them all")


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app()
    except SystemExit as ended:
        leave(ended.code if isinstance(ended.code, int) else 1)
