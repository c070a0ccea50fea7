"""Timeouts and retries that contradict each other, and what a Router cannot do."""

from typing import Any

import pytest

from tests.unit.test_rules import found, issues, router, text

REQUEST = {"url": "https://example.com"}


def request(asked: Any, **more: Any) -> dict[str, Any]:
    return {"id": "a", "type": "HttpRequest", "config": {**REQUEST, "timeout": asked}, **more}


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"nodes": [request(61)]}, "nodes[0].config.timeout"),
        ({"nodes": [request(21, timeout="20s")]}, "nodes[0].config.timeout"),
        ({"nodes": [request(21)], "defaults": {"timeout": "20s"}}, "nodes[0].config.timeout"),
        ({"nodes": [text("a", retry={"initial_delay": "1m"})]}, "nodes[0].retry.initial_delay"),
        ({"nodes": [text("a", retry={"max_delay": "500ms"})]}, "nodes[0].retry.max_delay"),
        (
            {"nodes": [text("a", retry={"initial_delay": 9})], "defaults": {"retry": {"max_delay": 5}}},
            "nodes[0].retry.initial_delay",
        ),
        ({"defaults": {"retry": {"initial_delay": "1m"}}}, "defaults.retry.initial_delay"),
        ({"defaults": {"retry": {"initial_delay": 9, "max_delay": 2}}}, "defaults.retry.max_delay"),
        ({"nodes": [text("a", timeout="2m")], "defaults": {"total_timeout": "1m"}}, "nodes[0].timeout"),
        ({"nodes": [text("a", total_timeout="1m")], "defaults": {"timeout": "2m"}}, "nodes[0].total_timeout"),
        ({"defaults": {"timeout": "2m", "total_timeout": "1m"}}, "defaults.total_timeout"),
    ],
)
def test_settings_that_contradict_each_other_are_refused_where_they_were_written(
    data: dict[str, Any], path: str
) -> None:
    assert found(**data) == [("DEF014", path)]


@pytest.mark.parametrize(
    "data",
    [
        {"nodes": [request(60)]},
        {"nodes": [request(90, timeout="2m")]},
        {"nodes": [request("{{ inputs.t }}")], "inputs": {"t": {}}},
        {"nodes": [text("a", retry={"initial_delay": 40, "max_delay": 40})]},
        {"nodes": [text("a", retry={"initial_delay": 40})], "defaults": {"retry": {"max_delay": 60}}},
        {"nodes": [text("a", timeout="2m", total_timeout="3m")], "defaults": {"total_timeout": "1m"}},
    ],
)
def test_settings_that_agree_are_accepted(data: dict[str, Any]) -> None:
    assert found(**data) == []


@pytest.mark.parametrize(
    ("when", "code"),
    [("output.to == 'b'", "DEF053"), ("nodes.r.to == 'b'", "DEF056")],
)
def test_a_route_cannot_refer_to_what_the_routes_decide(when: str, code: str) -> None:
    nodes = [router("r", [{"when": when, "to": "b"}], "b"), text("b")]

    assert found(nodes) == [(code, "nodes[0].config.routes[0].when")]


def test_a_router_in_a_loop_may_ask_which_way_it_took_before_with_a_guard() -> None:
    def loop(when: str) -> list[tuple[str, str]]:
        routes = [{"when": when, "to": "a", "max_visits": 3}]
        return found([text("a"), router("r", routes, "b"), text("b")], [{"from": "a", "to": "r"}])

    assert loop("!has(nodes.r) || nodes.r.to == 'a'") == []
    assert loop("nodes.r.to == 'a'") == [("DEF055", "nodes[1].config.routes[0].when")]


def test_a_router_writes_nothing_and_the_hint_says_where_to_write() -> None:
    nodes = [{**router("r", [{"when": "true", "to": "b"}], "b"), "write": {"x": 1}}, text("b")]
    [issue] = issues(nodes, state={"x": {}})

    assert (issue.code, issue.path) == ("DEF073", "nodes[0].write")
    assert issue.hint == "Write in the node that it leads to."
