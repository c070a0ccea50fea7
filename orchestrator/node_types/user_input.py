"""UserInput: asks a question and waits, for weeks if need be, until somebody answers."""

from typing import Any

from pydantic import Field

from orchestrator.node_types.asking import AskingConfig
from orchestrator.node_types.base import NodeType
from orchestrator.node_types.trust import Trust


class UserInputConfig(AskingConfig):
    """The question, and what an answer must look like."""

    question: str = Field(min_length=1)
    """What is asked."""
    answer: dict[str, Any] | None = None
    """JSON Schema of the answer. For an object, answers come as ``values``; for the rest ``text`` will do and is read
    as the number or truth value that the schema asks for. None takes any text or values."""


USER_INPUT = NodeType(
    name="UserInput",
    summary="Asks a question and waits for a `message` signal or a `submit` update.",
    tier="control",
    config=UserInputConfig,
    outputs=("value", "text", "values", "message_id", "at", "by"),
    asides={"on_expiry": "expiry"},
    trust=Trust(
        gives={
            "value": "a person",
            "text": "a person",
            "values": "a person",
            "by": "a person",
            "message_id": "a person",
        },
        clean=("at", "expired"),
        fits={"value": "answer", "values": "answer"},
        acts={"assignees": "who may answer"},
    ),
)
