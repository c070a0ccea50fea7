"""What a document of the archive is called, and how long it may get."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.archive.fitting import fitted
from activities.archive.naming import Visit, name_of, part

AT = datetime(2027, 1, 31, 23, 59, tzinfo=UTC)
EVIL = (
    *(
        "..",
        ".",
        "",
        "_",
        "~",
        "/",
        "../../etc/passwd",
        "..\\..\\x",
        ".hidden",
        "a/b",
        "a\0b",
        "a\nb",
        "C:\\x",
        "%2E%2E",
    ),
    *("é" * 300, "x" * 10_000, "\ud800", "con?*<>|", "items[3].answer", "a#b", "-rf", "s3://bucket/x"),
)


def visit(**more: Any) -> Visit:
    usual: dict[str, Any] = {
        "tenant": "acme",
        "workflow_id": "triage-1",
        "run_id": "01934c5e-aaaa-7bbb-8ccc-0123456789ab",
        "node": "answer",
        "visit": 2,
        "try_": 1,
        "attempt": 3,
        "call": 4,
    }
    return Visit(**usual | more)


def test_a_document_is_found_by_tenant_day_run_and_node() -> None:
    assert name_of(visit(), AT) == "acme/2027/01/31/triage-1/answer#2.1.3.4.456789ab.json"
    assert name_of(visit(tenant=None), AT).startswith("_/2027/")


@pytest.mark.parametrize("evil", EVIL)
@pytest.mark.parametrize("field", ["tenant", "workflow_id", "run_id", "node"])
def test_no_name_leads_anywhere_else(field: str, evil: str) -> None:
    name = name_of(visit(**{field: evil}), AT)
    parts = name.split("/")

    assert len(parts) == 6
    assert name.isascii()
    assert name.isprintable()
    assert all(found and len(found) <= 160 and not found.startswith(".") for found in parts)
    assert len(name) < 500


@given(st.text(), st.text())
def test_names_that_differ_stay_apart(one: str, other: str) -> None:
    assert (part(one) == part(other)) == (one == other)


def test_evil_names_stay_apart() -> None:
    assert len({part(evil) for evil in EVIL}) == len(EVIL)
    assert "_" not in {part(evil) for evil in EVIL}


def test_texts_that_fit_stay_whole_and_the_longest_are_cut_in_the_middle() -> None:
    assert fitted({"a": "x" * 50, "b": ["y" * 50]}, 100) == ({"a": "x" * 50, "b": ["y" * 50]}, 0)

    value = {"short": "s" * 100, "long": "a" * 5_000 + "b" * 5_000, "other": ["c" * 4_000]}
    found, left_out = fitted(value, 2_100)

    assert found["short"] == value["short"]
    assert found["long"].startswith("a" * 500 + "[… 9,000 characters are left out here …]b")
    assert left_out == 9_000 + 3_000


@given(st.lists(st.integers(1, 3_000), min_size=1, max_size=20))
def test_a_document_never_takes_much_more_than_it_may(lengths: list[int]) -> None:
    found, left_out = fitted(["x" * length for length in lengths], 5_000)

    kept = sum(lengths) - left_out
    assert kept <= 5_000
    assert kept == sum(text.count("x") for text in found)
