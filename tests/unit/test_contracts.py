"""What people send is bounded before it reaches the server."""

from typing import Any

import pytest
from pydantic import ValidationError

from orchestrator.contracts import RunContext

TOO_MUCH = {
    "long": ("x" * 201, "at most 200 characters"),
    "control": ("a\x00b", "control characters"),
    "line break": ("a\nb", "control characters"),
    "emoji": ("\U0001f600" * 200, "1,000 bytes"),
}


@pytest.mark.parametrize(("text", "said"), TOO_MUCH.values(), ids=TOO_MUCH)
@pytest.mark.parametrize("field", ["tenant", "user", "owners", "conversation_id", "correlation_id", "key", "value"])
def test_a_context_holds_only_short_printable_text(field: str, text: str, said: str) -> None:
    special: dict[str, dict[str, Any]] = {
        "owners": {"owners": [text]},
        "key": {"tags": {text: "a"}},
        "value": {"tags": {"a": text}},
    }
    with pytest.raises(ValidationError, match=said):
        RunContext.model_validate(special.get(field, {field: text}))


def test_a_context_takes_text_of_any_language() -> None:
    context = RunContext(tenant="x" * 200, user="渡辺 é \U0001f600", owners=("a@b",), tags={"ключ": "значение"})
    assert RunContext.model_validate_json(context.model_dump_json()) == context
