"""What definitions may say of models: DEF024 and DEF025."""

from typing import Any

import pytest

from orchestrator.definition.loader import load_mapping
from orchestrator.errors import DefinitionError, RequestError
from orchestrator.models import find_model


def issues(node_type: str = "ModelInvoke", **config: Any) -> list[tuple[str, str]]:
    config.setdefault("prompt" if node_type == "ModelInvoke" else "text", "Hi")
    node = {"id": "ask", "type": node_type, "config": config}
    try:
        load_mapping({"name": "asks", "version": "1.0.0", "nodes": [node]})
    except DefinitionError as error:
        return [(issue.code, issue.message) for issue in error.issues]
    return []


@pytest.mark.parametrize(
    "config",
    [
        {"model": "gpt-4o-mini", "fallback": ["gpt-4.1-mini", "openai/anything"]},
        {"model": "gpt-4o-mini", "stream": True, "answer": {"type": "object"}, "max_tokens": 16_384},
        {"model": "{{ inputs.model }}", "fallback": ["gpt-4o-mini"]},
        {"model": "simulated", "fallback": ["gpt-4o-mini"]},
    ],
)
def test_models_that_can_stand_in_for_each_other_are_fine(config: dict[str, Any]) -> None:
    assert [code for code, _ in issues(**config) if code in ("DEF024", "DEF025")] == []


def test_an_unknown_fallback_is_named_with_the_nearest_one() -> None:
    assert issues(model="gpt-4o-mini", fallback=["gpt-4o-mimi"]) == [("DEF024", "No model is named `gpt-4o-mimi`")]


def test_a_fallback_with_a_smaller_window_is_refused_with_both_figures() -> None:
    [(code, message)] = issues(model="gpt-4.1", fallback=["gpt-4o-mini"])

    assert code == "DEF025"
    assert message.startswith("`gpt-4o-mini` has a window of 128,000 tokens and cannot stand in for `gpt-4.1`: 1,0")


@pytest.mark.parametrize("again", ["gpt-4o-mini", "openai/gpt-4o-mini"])
def test_a_model_cannot_stand_in_for_itself(again: str) -> None:
    assert issues(model="gpt-4o-mini", fallback=["gpt-4.1-mini", again]) == [
        ("DEF025", f"`{again}` cannot stand in for itself: it is named before, as `gpt-4o-mini`")
    ]


def test_a_provider_without_a_name_of_a_model_is_not_said_to_be_missing() -> None:
    assert issues(model="openai/") == [("DEF024", "No model is named `openai/`")]
    with pytest.raises(RequestError, match="unknown model 'openai/'; write a name of `orchestrator models`, or a prov"):
        find_model("openai/")


def test_more_tokens_than_a_model_writes_are_refused() -> None:
    assert issues(model="gpt-4o-mini", max_tokens=16_385) == [
        ("DEF025", "`gpt-4o-mini` writes at most 16,384 tokens, and `max_tokens` asks for 16,385")
    ]


def test_a_model_of_vectors_answers_no_question_and_another_makes_no_vectors() -> None:
    assert issues(model="gemini-embedding-001") == [
        ("DEF025", "`gemini-embedding-001` turns text into vectors and answers no questions")
    ]
    assert issues("Embed", model="gpt-4o-mini") == [("DEF025", "`gpt-4o-mini` cannot turn text into vectors (`Embed`)")]
    assert issues("Embed", model="gemini-embedding-001") == []


def test_a_schema_of_an_answer_that_is_none_is_refused() -> None:
    [(code, _)] = issues(model="gpt-4o-mini", answer={"type": "rock"})

    assert code == "DEF060"


def test_only_what_models_answer_can_be_kept() -> None:
    text = {"id": "say", "type": "Format", "config": {"template": "Hi"}, "cache": "1h"}
    with pytest.raises(DefinitionError) as caught:
        load_mapping({"name": "says", "version": "1.0.0", "nodes": [text]})

    assert [(issue.code, issue.message) for issue in caught.value.issues] == [
        ("DEF014", "`cache` keeps what models answer; a `Format` is performed each time")
    ]
