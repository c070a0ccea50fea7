"""What the command line says a run has taken."""

from typing import Any

from orchestrator.cli.render import usage_lines
from orchestrator.contracts import AttemptUsage, RunResult, Usage


def used(calls: int, cost_usd: float | None) -> Usage:
    return Usage(calls=calls, input_tokens=10 * calls, output_tokens=5 * calls, cost_usd=cost_usd)


def attempt(cost_usd: float | None, *, failed: bool) -> AttemptUsage:
    return AttemptUsage(
        node="ask", failed=failed, **used(1, cost_usd).model_dump(exclude={"cost_usd"}), cost_usd=cost_usd
    )


def result(**more: Any) -> RunResult:
    return RunResult(status="completed", **more)


def test_one_node_is_one_line() -> None:
    found = result(usage=used(1, 0.5), cost_usd=0.5, usage_by_node={"ask": used(1, 0.5)})
    assert usage_lines(found) == ["usage   1 model call, 10 tokens in, 5 out, $0.500000"]


def test_several_nodes_are_told_one_by_one_the_dearest_first() -> None:
    nodes = {"cheap": used(1, 0.1), "dear": used(1, 0.5), "unknown": used(1, None)}
    lines = usage_lines(result(usage=used(3, 0.6), cost_usd=0.6, usage_by_node=nodes))
    assert [line.split(":")[0].strip() for line in lines[1:]] == ["dear", "cheap", "unknown"]
    assert lines[3].endswith("cost not known")


def test_of_many_nodes_the_rest_is_counted() -> None:
    nodes = {f"node{number:02}": used(1, 0.1) for number in range(13)}
    lines = usage_lines(result(usage=used(13, 1.3), cost_usd=1.3, usage_by_node=nodes))
    assert len(lines) == 12
    assert lines[-1].strip() == "and 3 more nodes, which --json has"


def test_what_failed_is_said_with_what_it_cost() -> None:
    attempts = (attempt(0.25, failed=True), attempt(None, failed=True), attempt(0.5, failed=False))
    lines = usage_lines(result(usage=used(3, 0.75), cost_usd=0.75, attempts=attempts))
    assert lines[1:] == ["        2 attempts of it failed, $0.250000"]


def test_a_sum_that_is_not_whole_says_so() -> None:
    whole = used(2, 0.5).plus(Usage(calls=1, unpriced=1))
    [line] = usage_lines(result(usage=whole, cost_usd=whole.cost_usd))
    assert line.endswith("$0.500000 and what 1 of the calls cost, which is not known")
