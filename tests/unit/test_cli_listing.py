"""Which runs ``list`` asks the server for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from orchestrator.cli.app import call
from orchestrator.cli.listing import moment
from orchestrator.errors import RequestError
from orchestrator.summaries import list_query

NOW = datetime(2027, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2h", NOW - timedelta(hours=2)),
        ("1d12h", NOW - timedelta(hours=36)),
        ("2027-01-30", datetime(2027, 1, 30, tzinfo=UTC)),
        ("2027-01-30T10:00:00", datetime(2027, 1, 30, 10, tzinfo=UTC)),
        ("2027-01-30T10:00:00+02:00", datetime(2027, 1, 30, 8, tzinfo=UTC)),
        ("2027-01-30T10:00:00Z", datetime(2027, 1, 30, 10, tzinfo=UTC)),
    ],
)
def test_a_moment_is_a_time_ago_or_a_date_in_utc(text: str, expected: datetime) -> None:
    assert moment("--since", text, NOW) == expected


@pytest.mark.parametrize("text", ["", "yesterday", "-2h", "2027-13-01", "2 hours"])
def test_what_is_no_moment_is_refused_with_examples(text: str) -> None:
    with pytest.raises(RequestError, match=r"--since takes .*2h.*2027-01-31"):
        moment("--since", text, NOW)


def test_a_quote_in_a_tenant_stays_inside_its_literal() -> None:
    assert list_query(None, None, tenant="x' OR '1'='1").endswith("Tenant = 'x'' OR ''1''=''1'")


@pytest.mark.parametrize(
    ("tenant", "condition"),
    [
        ('a"b', "Tenant STARTS_WITH 'a'"),
        ("\\", "Tenant IS NOT NULL"),
        ("'a", "Tenant IS NOT NULL"),
        ("a''", "Tenant STARTS_WITH 'a'"),
        ("o'k\nx", "Tenant STARTS_WITH 'o''k'"),
    ],
)
def test_a_tenant_that_some_servers_cannot_compare_is_narrowed_down(tenant: str, condition: str) -> None:
    assert list_query(None, None, tenant=tenant).endswith(condition)


def test_a_time_is_a_half_open_range() -> None:
    query = list_query("failed", "triage", since=NOW - timedelta(hours=1), until=NOW)

    assert "StartTime >= '2027-01-31T11:00:00+00:00' AND StartTime < '2027-01-31T12:00:00+00:00'" in query


def test_a_time_that_is_empty_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(("list", "--since", "1h", "--until", "2h")) == 2
    assert "is not before" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_a_bad_time_is_refused_before_a_server_is_looked_for(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    run: Callable[..., int] = call

    assert run(("list", option, "soon")) == 2
    assert capsys.readouterr().err.startswith(f"error REQUEST_INVALID: {option} takes a time ago")
