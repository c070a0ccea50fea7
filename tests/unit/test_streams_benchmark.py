"""The table of how late readers see what models write."""

from datetime import date

import pytest
import typer
from typer.testing import CliRunner

from benchmarks.figures import Figure
from benchmarks.pages import PAGE, STREAMS
from benchmarks.report import Report, check_block
from benchmarks.streams import as_block, main


def figure(**parts: object) -> Figure:
    return Figure.model_validate({"measure": "streams", "what": "lag", "unit": "ms", "digits": 0, **parts})


def test_the_block_says_median_target_verdict_and_what_is_missing() -> None:
    figures = (
        figure(samples=(40.0, 50.0, 90.0), target=60, note="50 tokens/s each"),
        figure(what="events", unit="events", digits=2, samples=(0.0,), target=0),
        figure(what="PostgreSQL", samples=(), absent="no server"),
    )
    report = Report(day=date(2026, 11, 21), command="python -m x", pairs=1, machine=None, figures=figures)

    assert as_block(report).splitlines() == [
        "Measured on 2026-11-21 with `python -m x`.",
        "",
        "| Figure | Target | Median | Verdict | Remarks |",
        "| --- | --- | --- | --- | --- |",
        "| lag | ≤ 60 ms | 50 ms | met | 50 tokens/s each |",
        "| events | ≤ 0 events | 0.00 events | met |  |",
        "| PostgreSQL |  | not measured |  | no server |",
    ]


def test_the_docs_have_a_place_for_it() -> None:
    before, after = check_block(PAGE, STREAMS)

    assert before.endswith("```\n\n")
    assert after.startswith("\n\n## ")


@pytest.mark.parametrize("arguments", [["--seconds", "1"], ["--json", "/nowhere/figures.json"]])
def test_what_cannot_be_measured_or_written_is_refused_before_anything_is_measured(arguments: list[str]) -> None:
    app = typer.Typer()
    app.command()(main)

    assert CliRunner().invoke(app, arguments).exit_code == 2
