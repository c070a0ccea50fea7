"""What is done about what safety checks find: by the node, the definition and the platform."""

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orchestrator import installed
from orchestrator.compiler import compile_definition
from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError, SettingsError, UnsafeTextError
from orchestrator.installed import Declared, Origin
from orchestrator.safety import (
    BUILT_IN,
    Action,
    Check,
    Guard,
    Match,
    SafetySettings,
    check_names,
    checks,
    chosen,
    inspect,
)
from orchestrator.settings import load_settings

MAIL = "ada@example.org"
TEXT = f"write to {MAIL}, or to {MAIL}"


def test_what_is_flagged_is_recorded_and_stays() -> None:
    checked = inspect({"prompt": TEXT}, BUILT_IN, {"personal": "flag"})

    assert checked.texts == {"prompt": TEXT}
    assert [finding.as_dict() for finding in checked.findings] == [
        {"check": "personal", "kind": "e-mail address", "action": "flag", "where": "prompt", "count": 2}
    ]


def test_what_is_masked_says_what_it_was() -> None:
    checked = inspect({"prompt": TEXT, "system": "nothing"}, BUILT_IN, {"personal": "mask"})

    assert checked.texts == {"prompt": "write to [e-mail address], or to [e-mail address]", "system": "nothing"}
    assert [(finding.where, finding.count) for finding in checked.findings] == [("prompt", 2)]


def test_characters_that_nobody_sees_and_what_is_too_long_are_taken_out() -> None:
    checked = Guard(BUILT_IN, {}, {}).inspect(
        "prompt",
        {"prompt": "a\u200bb" + "c" * 10},
        SafetySettings(prompt={"characters": "mask", "size": "mask"}, max_characters=6),
    )

    assert checked.texts == {"prompt": "abccc"}


def test_what_is_refused_is_named_and_never_shown() -> None:
    with pytest.raises(UnsafeTextError) as caught:
        inspect({"a": "fine", "messages[1]": TEXT}, BUILT_IN, {"personal": "refuse", "secrets": "flag"})

    assert caught.value.message == (
        "messages[1] holds what the safety check `personal` refuses: e-mail address, 2 times; take it out, or set "
        "`personal` to mask or flag"
    )
    assert MAIL not in str(caught.value.details)
    assert not caught.value.retryable


def test_a_check_that_is_off_does_not_look() -> None:
    assert inspect({"prompt": TEXT}, BUILT_IN, {"personal": "off"}).findings == ()
    assert inspect({"prompt": TEXT}, BUILT_IN, {}).findings == ()


ACTIONS: list[tuple[dict[str, Action], dict[str, Action], Action]] = [
    ({}, {}, "flag"),
    ({"secrets": "off"}, {}, "off"),
    ({"secrets": "mask"}, {}, "mask"),
    ({"secrets": "off"}, {"secrets": "mask"}, "mask"),
    ({"secrets": "refuse"}, {"secrets": "mask"}, "refuse"),
    ({}, {"secrets": "off"}, "flag"),
]


@pytest.mark.parametrize(("said", "least", "done"), ACTIONS)
def test_a_definition_may_be_stricter_than_the_platform_and_never_laxer(
    said: dict[str, Action], least: dict[str, Action], done: Action
) -> None:
    assert chosen(BUILT_IN, said, least)["secrets"] == done


def test_unless_told_otherwise_secrets_orders_and_characters_are_flagged_and_personal_data_is_left_alone() -> None:
    assert chosen(BUILT_IN, {}, {}) == {
        "size": "refuse",
        "characters": "flag",
        "secrets": "flag",
        "personal": "off",
        "injection": "flag",
    }


def test_each_side_has_its_own_settings() -> None:
    guard = Guard(BUILT_IN, {"personal": "mask"}, {"personal": "flag"})

    assert guard.inspect("prompt", {"p": MAIL}, None).texts == {"p": "[e-mail address]"}
    assert guard.inspect("answer", {"text": MAIL}, None).texts == {"text": MAIL}
    refusing = SafetySettings(answer={"personal": "refuse"})
    assert guard.inspect("prompt", {"p": MAIL}, refusing).texts == {"p": "[e-mail address]"}
    with pytest.raises(UnsafeTextError):
        guard.inspect("answer", {"text": MAIL}, refusing)


def test_a_node_says_more_than_its_definition() -> None:
    node = SafetySettings(prompt={"secrets": "mask"})
    definition = SafetySettings(prompt={"secrets": "refuse", "personal": "flag"}, max_characters=9)

    assert node.over(definition) == SafetySettings(prompt={"secrets": "mask", "personal": "flag"}, max_characters=9)


def test_an_unknown_check_or_action_is_refused_where_it_stands() -> None:
    with pytest.raises(ValidationError, match=r"names no safety check: `secrest`; there are size, characters"):
        SafetySettings(prompt={"secrest": "mask"})

    def refused(safety: dict[str, Any]) -> list[tuple[str, str]]:
        nodes = [{"id": "a", "type": "Format", "config": {"template": "x"}}]
        with pytest.raises(DefinitionError) as caught:
            load_mapping({"name": "a", "nodes": nodes, "safety": safety})
        return [(issue.code, issue.path) for issue in caught.value.issues]

    assert refused({"prompt": {"secrest": "mask"}}) == [("DEF012", "safety.prompt")]
    assert refused({"answer": {"secrets": "hide"}}) == [("DEF012", "safety.answer.secrets")]
    assert refused({"max_characters": 0}) == [("DEF012", "safety.max_characters")]


def test_the_platform_says_its_part_in_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SAFETY_PROMPT", "secrets=mask, personal=flag")

    assert load_settings().safety_prompt == {"secrets": "mask", "personal": "flag"}
    assert load_settings().safety_answer == {}


@pytest.mark.parametrize("value", ["secrets", "secrets=hide", "nope=mask", "secrets=mask,secrets=flag"])
def test_a_setting_that_makes_no_sense_is_refused(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SAFETY_ANSWER", value)

    with pytest.raises(SettingsError, match="ORCHESTRATOR_SAFETY_ANSWER"):
        load_settings()


@given(st.text(alphabet=st.sampled_from("a @.org+149sk-\u200b\x00:/4é"), max_size=300))
def test_masking_once_leaves_nothing_that_the_same_check_finds(text: str) -> None:
    masking: dict[str, Action] = {"characters": "mask"}
    once = inspect({"x": text}, BUILT_IN, masking)

    assert inspect(once.texts, BUILT_IN, masking).findings == ()


@given(st.text(max_size=300), st.sampled_from(sorted(BUILT_IN)))
def test_what_is_found_lies_in_the_text_in_order_and_apart(text: str, name: str) -> None:
    end = 0
    for match in BUILT_IN[name].find(text):
        assert end <= match.start < match.end <= len(text)
        end = match.end


@dataclass(frozen=True)
class Codenames:
    """A check of a package."""

    name: str = "codenames"
    usual: Any = "mask"

    def find(self, text: str) -> Iterator[Match]:
        at = text.find("Bluebird")
        if at >= 0:
            yield Match(at, at + 8, "codename")


class Broken:
    """An object that is no check."""

    name = "codenames"
    usual = "mask"


def declare(monkeypatch: pytest.MonkeyPatch, **found: Any) -> None:
    """As if a package were installed that declares ``found``."""
    entries = [
        Declared(name, Origin("codenames", "1.0"), EntryPoint(name, f"{__name__}:MADE_{name}", "orchestrator.checks"))
        for name in found
    ]

    def declared(_group: str) -> list[Declared]:
        return entries

    monkeypatch.setattr(installed, "declared", declared)
    for name, value in found.items():
        monkeypatch.setitem(globals(), f"MADE_{name}", value)


@pytest.fixture(autouse=True)
def afresh() -> Iterator[None]:
    check_names.cache_clear()
    checks.cache_clear()
    yield
    check_names.cache_clear()
    checks.cache_clear()


def test_a_package_adds_a_check(monkeypatch: pytest.MonkeyPatch) -> None:
    declare(monkeypatch, codenames=Codenames())

    found: dict[str, Check] = dict(checks())

    assert list(found) == [*BUILT_IN, "codenames"]
    assert SafetySettings(prompt={"codenames": "mask"})
    masked = Guard(found, {}, {}).inspect("prompt", {"p": "Call it Bluebird."}, None)
    assert masked.texts == {"p": "Call it [codename]."}


@pytest.mark.parametrize(
    ("name", "made", "reason"),
    [
        ("secrets", Codenames("secrets"), "there is a check `secrets` already"),
        ("Code", Codenames("Code"), "small letters"),
        ("codenames", Codenames("other"), "whose `name` is `codenames`"),
        ("codenames", Codenames(usual="hide"), "its `usual` must be one of off, flag, mask, refuse"),
        ("codenames", Broken(), "must have a method `find`"),
    ],
)
def test_a_check_that_cannot_be_used_is_refused_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str, made: Any, reason: str
) -> None:
    declare(monkeypatch, **{name: made})

    with pytest.raises(SettingsError, match=reason) as caught:
        checks()

    assert "package codenames 1.0" in caught.value.message


def test_what_a_definition_says_is_pinned_beneath_what_its_nodes_say() -> None:
    asking = {"model": "simulated", "prompt": "x"}
    nodes = [
        {"id": "a", "type": "ModelInvoke", "config": {**asking, "safety": {"prompt": {"personal": "flag"}}}},
        {"id": "b", "type": "ModelInvoke", "config": asking},
        {"id": "c", "type": "Format", "config": {"template": "x"}},
    ]
    edges = [{"from": "a", "to": "b"}, {"from": "b", "to": "c"}]
    said = {"taint": "refuse", "prompt": {"personal": "mask", "secrets": "refuse"}, "max_characters": 9}

    plan = compile_definition(load_mapping({"name": "a", "nodes": nodes, "edges": edges, "safety": said}))

    found = [node.config.value.get("safety") for node in plan.nodes]
    common = {"prompt": {"personal": "mask", "secrets": "refuse"}, "max_characters": 9}
    assert found == [{**common, "prompt": {"personal": "flag", "secrets": "refuse"}}, common, None]
    silent = compile_definition(load_mapping({"name": "a", "nodes": nodes[1:], "edges": edges[1:]}))
    assert silent.nodes[0].config.value == asking
