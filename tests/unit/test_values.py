"""References, and the smallest part of a run's data that has what they name."""

from typing import Any

import pytest

from orchestrator.errors import TemplateError
from orchestrator.graph.blobs import blob_reference
from orchestrator.graph.plan import Path
from orchestrator.graph.values import (
    MISSING,
    BlobReachedError,
    fill_exact,
    format_path,
    lookup,
    parse_reference,
    pick,
    prune,
    reach,
)

DATA: dict[str, Any] = {
    "inputs": {"message": "hi", "nothing": None},
    "nodes": {"search": {"documents": [{"text": "one"}, {"text": "two"}], "took-ms": 3}},
}
BLOB = blob_reference("ab" * 32 + ".json", 52_000_000, "object")
STORED: dict[str, Any] = {"nodes": {"get": {"status": 200, "body": BLOB, "parts": [BLOB, 1]}}}


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("{{ inputs.message }}", ("inputs", "message")),
        ("  {{inputs.message}}\n", ("inputs", "message")),
        ("{{- nodes.search.documents[1].text -}}", ("nodes", "search", "documents", 1, "text")),
        ("{{ nodes.search['took-ms'] }}", ("nodes", "search", "took-ms")),
        ('{{ nodes["search"] }}', ("nodes", "search")),
        ("{{ inputs.message }}!", None),
        ("{{ inputs.message | upper }}", None),
        ("{{ inputs.a }}{{ inputs.b }}", None),
        ("{{ 1 }}", None),
        ("inputs.message", None),
        ("{{ inputs.\uff41 }}", None),
    ],
)
def test_a_reference_is_a_whole_string_that_names_one_path(text: str, path: Path | None) -> None:
    assert parse_reference(text) == path


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("inputs", "message"), "hi"),
        (("inputs", "nothing"), None),
        (("nodes", "search", "documents", 1, "text"), "two"),
        (("nodes", "search", "documents", 2), MISSING),
        (("inputs", "message", 0), MISSING),
        (("inputs", "message", "x"), MISSING),
        (("inputs", "gone"), MISSING),
    ],
)
def test_lookup_tells_null_from_nothing(path: Path, found: Any) -> None:
    assert lookup(path, DATA) is found or lookup(path, DATA) == found


def test_an_exact_reference_keeps_its_type_and_text_around_it_is_left_alone() -> None:
    value = {"docs": ["{{ nodes.search.documents }}", "as {{ inputs.message }} it is"], "n": 1}

    filled = fill_exact(value, DATA)

    assert filled == {"docs": [DATA["nodes"]["search"]["documents"], "as {{ inputs.message }} it is"], "n": 1}


def test_a_reference_to_nothing_is_an_error_that_names_it() -> None:
    with pytest.raises(TemplateError, match=r"^nodes\.gone\.text is not there$"):
        fill_exact(["{{ nodes.gone.text }}"], DATA)


def test_only_what_is_named_is_picked() -> None:
    assert pick([("nodes", "search", "took-ms")], DATA) == {"nodes": {"search": {"took-ms": 3}}}


def test_the_parents_of_what_is_not_there_are_so_that_a_template_can_ask_for_it() -> None:
    assert pick([("nodes", "gone", "text"), ("nodes", "search", "gone")], DATA) == {"nodes": {"search": {}}}


def test_a_path_through_a_list_takes_the_list_so_that_its_index_still_holds() -> None:
    picked = pick([("nodes", "search", "documents", 1, "text")], DATA)

    assert lookup(("nodes", "search", "documents", 1, "text"), picked) == "two"


def test_paths_below_another_are_pruned() -> None:
    assert prune([("a", "b", "c"), ("a", "b"), ("a", "b"), ("d",)]) == (("a", "b"), ("d",))


def test_paths_are_shown_as_people_write_them() -> None:
    assert format_path(("nodes", "a", "x-y", 0, "z")) == "nodes.a['x-y'][0].z"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("nodes", "get", "status"), 200),
        (("nodes", "get", "body"), BLOB),
        (("nodes", "get", "parts", 0), BLOB),
        (("nodes", "get", "parts", 1), 1),
        (("nodes", "get", "gone"), MISSING),
        (("nodes", "gone", "body", "rows"), MISSING),
    ],
)
def test_a_stored_value_is_reached_as_a_whole(path: Path, found: Any) -> None:
    assert reach(path, STORED) is found or reach(path, STORED) == found


@pytest.mark.parametrize(
    "path",
    [("nodes", "get", "body", "rows"), ("nodes", "get", "body", 0), ("nodes", "get", "parts", 0, "a", "b")],
)
def test_what_is_inside_a_stored_value_is_not_there_nor_missing_but_out_of_reach(path: Path) -> None:
    with pytest.raises(BlobReachedError, match=r"^nodes\.get\.(body|parts\[0\]) is a map of 52,000,000 bytes in blob"):
        reach(path, STORED)


def test_a_reference_to_a_stored_value_is_filled_in_as_it_is() -> None:
    assert fill_exact({"a": ["{{ nodes.get.body }}"]}, STORED) == {"a": [BLOB]}


def test_filling_in_what_is_inside_a_stored_value_tells_so_and_not_that_it_is_missing() -> None:
    with pytest.raises(BlobReachedError) as caught:
        fill_exact(["{{ nodes.get.body.rows }}"], STORED)

    assert caught.value.details["reference"] == "nodes.get.body.rows"


def test_of_a_stored_value_the_reference_is_picked_however_far_below_it_the_path_goes() -> None:
    paths: list[Path] = [
        ("nodes", "get", "body", "rows", "first"),
        ("nodes", "get", "body", "count"),
        ("nodes", "get", "parts", 0, "a"),
        ("nodes", "get", "status"),
    ]

    assert pick(paths, STORED) == STORED
