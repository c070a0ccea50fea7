"""Reads what a person types as the decision on an approval."""

from collections.abc import Mapping
from typing import Any

from orchestrator.cli.json_texts import loaded
from orchestrator.contracts import Awaiting, Decision
from orchestrator.errors import AnswerError

__all__ = ["HOW_TO", "decided"]

HOW_TO: Mapping[Decision, str] = {
    "approve": "approve [COMMENT]",
    "reject": "reject [COMMENT]",
    "modify": "modify JSON",
    "defer": "defer [2h]",
}
"""What to type for each decision."""
_WORDS: Mapping[str, Decision] = {
    "approve": "approve",
    "approved": "approve",
    "yes": "approve",
    "y": "approve",
    "reject": "reject",
    "rejected": "reject",
    "no": "reject",
    "n": "reject",
    "modify": "modify",
    "defer": "defer",
}


def decided(text: str, question: Awaiting) -> dict[str, Any]:
    """The fields of a message for a typed decision.

    Args:
        text: Such as ``approve looks good``, ``reject``, ``modify {"text": "Hi"}``, ``defer 2h``.
        question: The approval.

    Raises:
        AnswerError: It is no decision, or none that this approval takes; says which it takes.
        RequestError: The changed proposal holds half a character.
    """
    word, _, rest = text.strip().partition(" ")
    decision = _WORDS.get(word.lower().rstrip(":,."))
    rest = rest.strip()
    if decision is None or (question.decisions and decision not in question.decisions):
        takes = ", ".join(how for name, how in HOW_TO.items() if not question.decisions or name in question.decisions)
        raise AnswerError(f"{word[:80]!r} is not what this can be decided with: {takes}")
    if decision == "modify":
        return {"decision": decision, "values": _changed(rest, question.proposal)}
    if decision == "defer":
        return {"decision": decision, "until": rest or None}
    return {"decision": decision, "comment": rest or None}


def _changed(text: str, proposal: Any) -> Any:
    """The changed proposal: JSON, or text as it stands where the proposal is text."""
    if not text:
        raise AnswerError("say what it is to be: modify JSON")
    try:
        return loaded("the changed proposal", text)
    except (ValueError, RecursionError) as error:
        if isinstance(proposal, str):
            return text
        raise AnswerError(f"the changed proposal is not JSON: {error}") from error
