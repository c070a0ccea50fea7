"""The benchmarks' arithmetic, their table, and the graphs they measure."""

from datetime import date
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.figures import Figure, Pair, Sample, flatness, growth, ratios
from benchmarks.machine import Machine
from benchmarks.measures import DEFINITIONS, MEASURES
from benchmarks.report import BEGIN, END, Report, as_markdown, as_table, write_block
from benchmarks.rollover import LONG_RUNS, LongRun, Part
from benchmarks.rollover import definitions as long_definitions
from benchmarks.rollover_report import MARKERS, RolloverReport, rollover_markdown, rollover_table, verdict
from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping

PAGE = Path(__file__).parents[2] / "docs" / "performance.md"
MACHINE = Machine(
    processor="Abacus",
    cores=2,
    memory_gib=7.9,
    system="Linux x86_64",
    python="3.11.7",
    temporalio="1.35.0",
    server="1.32.0",
    load=0.25,
)


def pair(ours: float, by_hand: float) -> Pair:
    return Pair(ours=Sample(wall=ours, cpu=3 * ours), by_hand=Sample(wall=by_hand, cpu=by_hand))


def figure(*samples: float, target: float | None = 1.15, unit: str = "ratio") -> Figure:
    return Figure(measure="chain", what="chain: wall time", unit=unit, samples=samples, target=target, note="6.5 ms")


def report(*figures: Figure) -> Report:
    return Report(day=date(2026, 1, 2), command="python -m benchmarks", pairs=15, machine=MACHINE, figures=figures)


def test_a_ratio_compares_what_was_measured_one_right_after_the_other() -> None:
    pairs = [pair(1.0, 2.0), pair(30.0, 20.0)]

    assert ratios(pairs, "wall") == (0.5, 1.5)
    assert ratios(pairs, "cpu") == (1.5, 4.5)


def test_the_median_is_the_middle_sample_and_the_spread_goes_from_the_least_to_the_most() -> None:
    measured = figure(1.3, 0.9, 1.1)

    assert measured.median == 1.1
    assert measured.spread == (0.9, 1.3)


@pytest.mark.parametrize(
    ("samples", "target", "verdict"),
    [
        ((1.0, 1.15, 9.0), 1.15, "met"),
        ((1.0, 1.154, 9.0), 1.15, "met"),
        ((1.0, 1.156, 9.0), 1.15, "missed"),
        ((9.0,), None, ""),
    ],
)
def test_a_target_is_met_when_the_median_as_it_is_shown_is_within_it(
    samples: tuple[float, ...], target: float | None, verdict: str
) -> None:
    assert figure(*samples, target=target).verdict == verdict


def test_growth_is_what_each_further_node_adds() -> None:
    assert growth((10, 50, 100), (70.0, 310.0, 610.0)) == (6.0, 6.0)


def test_flatness_is_one_when_a_node_costs_the_same_however_many_there_are() -> None:
    assert flatness((500.0, 500.0, 500.0)) == 1.0
    assert flatness((500.0, 750.0, 1000.0)) == 2.0


def test_the_table_shows_target_median_spread_verdict_and_the_command() -> None:
    console = Console(width=150, file=StringIO())
    with console.capture() as captured:
        console.print(as_table(report(figure(1.0, 1.2, 1.3), figure(2.0, target=None, unit="ms"))))
    lines = captured.get()

    assert "≤ 1.15" in lines
    assert "1.20" in lines
    assert "1.00 to 1.30" in lines
    assert "missed" in lines
    assert "2.00 ms" in lines
    assert "python -m benchmarks" in lines


def test_the_markdown_says_on_what_it_was_measured_and_how_to_measure_each_figure_again() -> None:
    intro, _, header, rule, row = as_markdown(report(figure(1.0, 1.1, 1.3))).splitlines()

    assert "2 cores of Abacus, 8 GiB of memory" in intro
    assert "Python 3.11.7" in intro
    assert "load average before: 0.2" in intro
    assert header.count("|") == rule.count("|") == row.count("|")
    assert row.startswith("| chain: wall time | ≤ 1.15 | 1.10 | 1.00 to 1.30 |  | met | 6.5 ms |")
    assert row.endswith("| `python -m benchmarks --only chain` |")


def test_only_the_block_between_the_markers_is_written_and_writing_again_changes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    write_block(page, "new")
    once = page.read_text(encoding="utf-8")
    write_block(page, "new")

    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert page.read_text(encoding="utf-8") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_exactly_one_pair_of_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"page\.md must have"):
        write_block(page, "new")

    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", DEFINITIONS)
def test_every_measured_graph_is_a_definition_with_the_nodes_its_name_says(name: str) -> None:
    plan = compile_definition(load_mapping(DEFINITIONS[name]))

    assert len(plan.nodes) == int(name.rpartition("-")[2])
    assert {node.tier for node in plan.nodes} == {"quick" if name.startswith(("quick", "conditional")) else "work"}
    assert plan.outputs.exact


def test_a_condition_stands_on_each_edge_of_the_conditional_chain() -> None:
    plan = compile_definition(load_mapping(DEFINITIONS["conditional-100"]))

    assert len(plan.edges) == 99
    assert all(edge.when is not None for edge in plan.edges)


@pytest.mark.parametrize("name", long_definitions())
def test_every_long_run_is_a_definition_that_may_take_all_its_steps(name: str) -> None:
    (run,) = (run for run in LONG_RUNS if run.definition["name"] == name)

    assert compile_definition(load_mapping(run.definition)).limits.steps > run.items


def long_report(last: float) -> RolloverReport:
    parts = tuple(Part(events=6.0, bytes=1_000.0, ms=ms, cpu=1.0) for ms in (*[2.0] * 9, last))
    run = LongRun(
        what="loop of 10 visits",
        items=10,
        parts=parts,
        workflow_runs=3,
        largest_start=20_000,
        most_events=4_000,
        seconds=1.5,
        memory=(2**27, 2**28),
    )
    return RolloverReport(day=date(2026, 1, 2), command="python -m benchmarks", machine=MACHINE, runs=(run,))


def test_the_table_of_long_runs_shows_halves_tenths_and_what_was_handed_on() -> None:
    console = Console(width=180, file=StringIO())
    with console.capture() as captured:
        console.print(rollover_table(long_report(2.0)))
    text = " ".join(captured.get().split())

    assert "3 workflow runs of at most 4,000 events" in text
    assert "20,000 bytes" in text
    assert "6.00, 6.00, 6.00, 6.00" in text
    assert text.count("met") == 4


def test_the_markdown_of_long_runs_says_what_grew() -> None:
    _, _, header, rule, *rows = rollover_markdown(long_report(12.0)).splitlines()

    assert header.count("|") == rule.count("|") == rows[0].count("|")
    assert [row.rsplit("| ", 1)[1] for row in rows] == ["met |", "met |", "missed |", "met |"]
    assert "| ms | 2.00 | 4.00 | 2.00 | ≤ 1.3 | 2.00, 2.00, 12.00, 12.00 |" in rows[2]


@pytest.mark.parametrize(("ratio", "told"), [(1.204, "met"), (1.206, "missed"), (0.5, "met")])
def test_a_long_run_is_flat_when_the_ratio_as_it_is_shown_is_within_the_target(ratio: float, told: str) -> None:
    assert verdict(ratio, 1.2) == told


def test_the_page_about_performance_has_a_place_for_the_figures_and_names_every_measure() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert [text.count(marker) for marker in (BEGIN, END, *MARKERS)] == [1, 1, 1, 1]
    assert [name for name in (*MEASURES, "rollover") if f"`{name}`" not in text] == []
