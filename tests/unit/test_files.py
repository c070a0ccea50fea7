"""Files as values: what they look like, and what is taken for one."""

from typing import Any

import pytest

from activities.files import content_of, file_of, file_value, safe_name
from orchestrator.errors import NodeError


def test_a_file_comes_back_as_it_was() -> None:
    value = file_value(b"\x00\xff", "a.bin", "image/png")
    assert value == {"filename": "a.bin", "content_type": "image/png", "base64": "AP8="}
    assert content_of(value) == b"\x00\xff"
    assert file_of(value, "it") == ("a.bin", "image/png", b"\x00\xff")


@pytest.mark.parametrize("kind", ["", "png", "image/png\r\nx: 1", "é/x"])
def test_a_content_type_that_is_none_is_replaced(kind: str) -> None:
    assert file_value(b"", "a", kind)["content_type"] == "application/octet-stream"


@pytest.mark.parametrize("value", [None, "text", {}, {"base64": "AP8="}, [1], {**file_value(b"", "a"), "more": 1}])
def test_what_is_no_file_is_told_apart(value: Any) -> None:
    assert content_of(value) is None
    with pytest.raises(NodeError, match="the attachment is no file"):
        file_of(value, "the attachment")


@pytest.mark.parametrize("change", [{"base64": "AP8"}, {"base64": "A P8="}, {"base64": 1}, {"base64": "é"}])
def test_a_file_whose_content_is_not_base64_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(NodeError, match="base64"):
        content_of({**file_value(b"", "a"), **change})


@pytest.mark.parametrize("change", [{"content_type": "a\nb/c"}, {"content_type": 1}, {"filename": 1}])
def test_a_file_with_a_wrong_field_is_an_error(change: dict[str, Any]) -> None:
    with pytest.raises(NodeError, match="its `"):
        file_of({**file_value(b"", "a"), **change}, "it")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a.txt", "a.txt"),
        ("../../etc/passwd", "passwd"),
        ("C:\\dir\\a.txt", "a.txt"),
        ("..", "file"),
        ("", "file"),
        ("a\r\nb\x00.txt", "ab.txt"),
        (" .hidden. ", "hidden"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
        ("é" * 150, "é" * 100),
        ("\ud800a", "a"),
    ],
)
def test_a_name_is_the_name_of_one_file(name: str, safe: str) -> None:
    assert safe_name(name) == safe
