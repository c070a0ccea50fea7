"""The benchmarks' arithmetic, their table, and the graphs they measure."""

import asyncio
from collections.abc import Callable
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import typer
from rich.console import Console
from temporalio.client import WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError, RPCStatusCode
from typer.testing import CliRunner

from benchmarks import __main__ as command
from benchmarks import options, soak, upgrade
from benchmarks.effects import Effects
from benchmarks.figures import Figure, Pair, Sample, flatness, growth, ratios, timed
from benchmarks.flows import FLOW_DEFINITIONS
from benchmarks.items import ITEM_DEFINITIONS
from benchmarks.machine import Machine
from benchmarks.measures import CORE_DEFINITIONS
from benchmarks.pages import FIGURES, PAGE, ROLLOVER, SOAK, UPGRADE
from benchmarks.report import Report, as_markdown, as_table, write_block
from benchmarks.rollover import LONG_RUNS, LongRun, Part
from benchmarks.rollover import definitions as long_definitions
from benchmarks.rollover_report import RolloverReport, rollover_figures, rollover_markdown, rollover_table, verdict
from benchmarks.soak_kills import meanwhile
from benchmarks.soak_load import CHILD, KINDS
from benchmarks.soak_report import KindTally, SoakReport, soak_markdown
from benchmarks.story import persist
from benchmarks.suites import DEFINITIONS, MEASURES
from benchmarks.upgrade_report import UpgradeReport, upgrade_markdown
from orchestrator.compiler import compile_definition
from orchestrator.contracts import RunResult
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import RequestError, WorkerMissingError

BEGIN, END = FIGURES
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
    assert row.startswith("| chain: wall time | ≤ 1.15 | 1.10 | 1.00 to 1.30 |  | 3 | met | 6.5 ms |")
    assert row.endswith("| `python -m benchmarks --only chain` |")


def test_only_the_block_between_the_markers_is_written_and_writing_again_changes_nothing(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", encoding="utf-8")

    write_block(page, "new", FIGURES)
    once = page.read_text(encoding="utf-8")
    write_block(page, "new", FIGURES)

    assert once == f"before\n{BEGIN}\n\nnew\n\n{END}\nafter\n"
    assert page.read_text(encoding="utf-8") == once


@pytest.mark.parametrize("text", ["", BEGIN, END, f"{END}{BEGIN}", f"{BEGIN}{END}{BEGIN}{END}"])
def test_a_page_without_exactly_one_pair_of_markers_is_left_alone(tmp_path: Path, text: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(text, encoding="utf-8")

    with pytest.raises(ValueError, match=r"page\.md must have"):
        write_block(page, "new", FIGURES)

    assert page.read_text(encoding="utf-8") == text


@pytest.mark.parametrize("name", CORE_DEFINITIONS)
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

    assert {text.count(mark) for block in (FIGURES, ROLLOVER, SOAK, UPGRADE) for mark in block} == {1}
    assert [name for name in (*MEASURES, "rollover") if f"`{name}`" not in text] == []


def test_a_figure_that_could_not_be_measured_says_why_in_the_table() -> None:
    missing = Figure(measure="peers", what="chain in X", unit="ms", samples=(), absent="X is not installed")
    row = as_markdown(report(missing)).splitlines()[-1]

    assert missing.verdict == ""
    assert row.startswith("| chain in X |  | not measured |")
    assert "X is not installed" in row


def test_a_figure_has_samples_or_a_reason_but_not_neither() -> None:
    with pytest.raises(ValueError, match="has samples, or says"):
        Figure(measure="peers", what="chain in X", unit="ms", samples=())


def test_a_time_is_told_for_one_part_beside_that_by_hand_and_in_proportion_to_it() -> None:
    measured = timed("items", "loop", [pair(2.0, 1.0), pair(4.0, 2.0)], 10)

    assert measured.samples == (200.0, 400.0)
    assert measured.by_hand == 150.0
    assert measured.note == "2.00 times by hand, of CPU 6.00 times"


@pytest.mark.parametrize("name", {**ITEM_DEFINITIONS, **FLOW_DEFINITIONS})
def test_every_graph_of_items_and_flows_is_a_definition_that_workers_of_the_laboratory_know(name: str) -> None:
    assert compile_definition(load_mapping(DEFINITIONS[name])).name == name


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_run_of_a_soak_is_a_definition(name: str) -> None:
    plan = compile_definition(load_mapping(KINDS[name].definition))

    assert {"far", "n"} <= plan.inputs.keys()


def test_the_child_of_a_soak_is_a_definition_by_the_name_that_its_parent_looks_for() -> None:
    assert compile_definition(load_mapping(CHILD)).name == "soak-child"


def test_a_run_of_a_soak_that_ended_otherwise_is_told_with_what_it_should_have_been() -> None:
    kind = KINDS["chain"]

    assert kind.wrong(RunResult(status="completed", outputs={"got": 8}), 7) == ""
    assert "and not with ('completed', {'got': 8}" in kind.wrong(RunResult(status="failed", outputs={}), 7)


async def test_the_outside_world_counts_what_it_did_by_key_and_not_what_it_refused() -> None:
    room = Effects("http://127.0.0.1:1").open("run", broken={"pay"})

    assert await room.take("a", "first/a#1")
    assert await room.take("a", "first/a#1")
    assert not await room.take("pay", "first/pay#1")

    assert {visit: len(moments) for visit, moments in room.times().items()} == {"a#1": 2}
    assert await room.arrival("a", 2) == max(room.times()["a#1"])


def soak_report(*problems: str, right: int = 3) -> SoakReport:
    return SoakReport(
        day=date(2026, 1, 2),
        command="python -m benchmarks.soak",
        machine=MACHINE,
        seconds=90,
        worker_kills=4,
        server_kills=0,
        kinds=(KindTally(kind="chain", accepted=3, right=right, seconds=(0.5, 12.0)),),
        effects=9,
        repeated=1,
        workflow_runs=3,
        problems=problems,
    )


@pytest.mark.parametrize(
    ("problems", "right", "accounted"), [((), 3, True), (("one is stuck",), 3, False), ((), 2, False)]
)
def test_a_soak_is_accounted_for_when_every_accepted_run_ended_right_and_nothing_else_is_wrong(
    problems: tuple[str, ...], right: int, *, accounted: bool
) -> None:
    assert soak_report(*problems, right=right).accounted is accounted


def test_the_markdown_of_a_soak_says_who_was_killed_and_what_was_repeated() -> None:
    text = soak_markdown(soak_report())

    assert "workers were killed 4 times; 3 workflow runs, 9 effects, of which 1 were repeated" in text
    assert "| chain | 3 | 3 | 0 | 0.5 | 12.0 |" in text


def test_an_upgrade_is_accounted_for_when_every_run_ended_right_on_the_new_build() -> None:
    done = UpgradeReport(
        day=date(2026, 1, 2),
        command="python -m benchmarks.upgrade",
        machine=MACHINE,
        runs=5,
        waiting=5,
        right=5,
        moved=5,
        seconds={"waiting": 1, "upgrade": 2, "answered": 3},
        problems=(),
    )

    assert done.accounted
    assert not done.model_copy(update={"moved": 4}).accounted
    assert "| of these, last step taken by build B | 5 of 5 |  |" in upgrade_markdown(done)


def test_a_long_run_has_a_figure_for_each_thing_that_an_item_takes() -> None:
    figures = rollover_figures(long_report(12.0))

    assert [figure.verdict for figure in figures] == ["met", "met", "missed", "met"]
    assert figures[2].note == "2.00, then 4.00; 3 workflow runs"


@pytest.mark.parametrize("main", [command.main, soak.main, upgrade.main], ids=["all", "soak", "upgrade"])
def test_a_report_that_could_not_be_written_is_refused_before_anything_is_measured(
    main: Callable[..., None], tmp_path: Path
) -> None:
    app = typer.Typer()
    app.command()(main)

    nowhere = CliRunner().invoke(app, ["--json", str(tmp_path / "missing" / "figures.json")])
    folder = CliRunner().invoke(app, ["--json", str(tmp_path)])

    assert (nowhere.exit_code, folder.exit_code) == (2, 2)
    assert "there is no folder" in nowhere.output
    assert "directory" in folder.output


def test_figures_that_have_no_place_in_the_docs_are_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "page.md"
    page.write_text(BEGIN, encoding="utf-8")
    monkeypatch.setattr(options, "PAGE", page)

    with pytest.raises(typer.BadParameter, match=r"page\.md must have"):
        options.check_page(FIGURES)


def test_where_a_measure_broke_the_docs_are_left_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    text = "".join(f"{mark}\n" for block in (FIGURES, ROLLOVER) for mark in block)
    page.write_text(text, encoding="utf-8")
    monkeypatch.setattr(command, "PAGE", page)
    broke = Figure(measure="runs", what="runs", unit="", samples=(), absent="it broke: OSError: no", broken=True)

    command.show(command.Taken(report(broke), None), list(MEASURES), None, write_docs=True)

    assert page.read_text(encoding="utf-8") == text
    command.show(command.Taken(report(figure(1.0)), None), list(MEASURES), None, write_docs=True)
    assert "chain: wall time" in page.read_text(encoding="utf-8")


async def test_what_fails_meanwhile_fails_the_context_and_what_is_told_to_end_ends_by_itself() -> None:
    async def fails() -> None:
        raise OSError("gone")

    ended: list[Any] = []

    async def ends() -> None:
        ended.append(await over.wait())

    over = asyncio.Event()
    async with meanwhile(ends(), over=over):
        assert not ended

    assert ended == [True]
    with pytest.raises(OSError, match="gone"):
        async with meanwhile(fails()):
            await asyncio.Event().wait()


def broken(status: RPCStatusCode) -> RequestError:
    """What a request says whose call ended with ``status``."""
    error = RequestError("the server refused the request")
    error.__cause__ = RPCError("transport error", status, b"")
    return error


@pytest.mark.parametrize(
    "passing",
    [WorkerMissingError("nobody"), broken(RPCStatusCode.UNKNOWN), WorkflowUpdateRPCTimeoutOrCancelledError()],
    ids=["no worker", "a broken connection", "an update that nobody took"],
)
async def test_what_may_pass_is_asked_for_again(passing: Exception) -> None:
    told: list[Exception] = [passing]

    async def call() -> str:
        if told:
            raise told.pop()
        return "heard"

    assert await persist(call) == "heard"


async def test_what_is_refused_is_not_asked_for_again() -> None:
    async def call() -> str:
        raise broken(RPCStatusCode.INVALID_ARGUMENT)

    with pytest.raises(RequestError, match="refused"):
        await persist(call)
