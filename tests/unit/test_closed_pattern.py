"""A pattern clears untrusted text only where it leaves no room for an address, a domain or a path."""

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.node_types.closed_pattern import closed_pattern

CLOSED = [
    "^[A-Z]{2}[0-9]{6}$",
    r"^\d{4}-\d{2}-\d{2}$",
    r"^\w+@example\.org$",
    r"^https://shop\.example/[a-z0-9-]+$",
    r"^reports/[a-z]+\.txt$",
    "^(yes|no|maybe)$",
    "^(?:a|b){1,3}$",
    r"^(?P<year>\d+) (?<name>\w*)$",
    "^[a-zA-Z_ -]+$",
    r"^fixed\.example\.org/$",
    "^$",
]
OPEN = [
    "[A-Z]{2}",
    "^a|b$",
    "^.+$",
    "^[^/]+$",
    r"^\S+$",
    r"^[\s\S]*$",
    r"^\p{Any}+$",
    r"^\pL+$",
    "^[ -~]+$",
    "^[!-z]+$",
    "^[A-z]+$",
    "^[0-z]+$",
    "^[[:print:]]+$",
    "^[a-z.]+$",
    "^[a-z/]+$",
    r"^\w+@\w+\.com$",
    r"^\w+(\.\w+)*$",
    r"^(\.|[a-z])+$",
    r"^https?://[a-z]+\.example/$",
    r"^/+\w+$",
    r"^[a-z]\$",
    "(?m)^[a-z]$",
    "^(?m:[a-z])$",
    "^(?i)[a-z]$",
    "^[a-z&&[b]]$",
    r"^\x2f+$",
]


@pytest.mark.parametrize("pattern", CLOSED)
def test_what_is_fixed_but_for_letters_and_digits_is_closed(pattern: str) -> None:
    assert closed_pattern(pattern)


@pytest.mark.parametrize("pattern", OPEN)
def test_everything_else_is_open(pattern: str) -> None:
    assert not closed_pattern(pattern)


def test_what_is_taken_out_of_a_text_needs_no_anchors() -> None:
    assert closed_pattern("[A-Z]{2}[0-9]{6}", anchored=False)
    assert closed_pattern("cat|dog", anchored=False)
    assert not closed_pattern(r"cat|\w+\.dog", anchored=False)
    assert not closed_pattern("to: (.*)", anchored=False)


pieces = st.sampled_from(
    [
        r"\w",
        r"\d",
        "[a-z]",
        "[A-Z0-9_]",
        "[a-z-]",
        "a",
        "-",
        "_",
        " ",
        r"\.",
        r"\@",
        "/",
        ":",
        "x{2}",
        r"\.?",
        "(b|c)",
        "+",
    ]
)


@settings(max_examples=500)
@given(st.lists(pieces, max_size=6), st.text(alphabet="ab./@:-_ cx", max_size=12))
def test_what_a_closed_pattern_matches_has_signs_at_its_ends_only(found: list[str], text: str) -> None:
    pattern = f"^{''.join(found)}$"
    try:
        match = re.compile(pattern.replace("$", r"\Z")).match(text)
    except re.error:
        return
    if match is None or not closed_pattern(pattern):
        return
    # Between what is fixed at both ends there are no signs, so any two texts that match have the same signs in order.
    fixed = re.sub(r"[^./@:]", "", re.sub(r"\\([.@])", r"\1", pattern))
    assert re.sub(r"[^./@:]", "", text) == fixed
