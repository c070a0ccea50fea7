"""Approval: asks somebody to approve, change, reject or put off something, and waits."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from orchestrator.node_types.asking import AskingConfig
from orchestrator.node_types.base import NodeType, VerbatimMark
from orchestrator.node_types.trust import Trust

Allowed = Literal["approve", "reject", "modify", "defer"]


class ApprovalConfig(AskingConfig):
    """What is proposed, and how it may be decided."""

    question: str = Field(min_length=1)
    """What is asked."""
    proposal: Any = None
    """What the question is about: any value."""
    form: dict[str, Any] | None = None
    """JSON Schema of a changed proposal."""
    decisions: Annotated[tuple[Allowed, ...] | None, VerbatimMark()] = None
    """Which decisions may be taken; without it all of them, ``modify`` only where there is something to change."""
    on_reject: Annotated[str | None, VerbatimMark()] = None
    """The node to go to when it is rejected; without it, the node fails."""

    @model_validator(mode="after")
    def _can_be_decided(self) -> Self:
        decisions = self.decisions
        if decisions is None:
            return self
        if not decisions:
            raise ValueError("needs at least one decision in `decisions`")
        if len(set(decisions)) < len(decisions):
            raise ValueError("names a decision twice")
        if decisions == ("defer",):
            raise ValueError("could only ever be put off: allow another decision")
        if "modify" in decisions and self.form is None and "proposal" not in self.model_fields_set:
            raise ValueError("allows `modify`, but has neither a `proposal` nor a `form` that could be changed")
        if self.on_reject is not None and "reject" not in decisions:
            raise ValueError("has `on_reject`, but does not allow `reject`")
        return self


APPROVAL = NodeType(
    name="Approval",
    summary="Asks somebody to approve, change, reject or put off a proposal, and waits for the decision.",
    tier="control",
    config=ApprovalConfig,
    outputs=("decision", "value", "by", "comment", "message_id", "at"),
    asides={"on_expiry": "expiry", "on_reject": "reject"},
    trust=Trust(
        gives={"comment": "a person", "by": "a person", "message_id": "a person"},
        clean=("decision", "at", "expired"),
        acts={"assignees": "who may approve"},
        approves=("question", "proposal"),
    ),
)
