"""SendEmail: one mail, through the worker's mail server."""

from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from orchestrator.node_types.base import ConfigModel, NodeType, Text
from orchestrator.node_types.trust import Trust

_MOST_RECIPIENTS = 100

AddressText = Annotated[str, Field(min_length=3, max_length=500)]
Addresses = AddressText | Annotated[tuple[AddressText, ...], Field(max_length=_MOST_RECIPIENTS)]


class SendEmailConfig(ConfigModel):
    """The mail. Each text among the addresses is one address: ``ada@example.com`` or ``Ada <ada@example.com>``."""

    to: Addresses = ()
    cc: Addresses = ()
    bcc: Addresses = ()
    """Get the mail, but are not named in it."""
    sender: AddressText | None = Field(default=None, alias="from")
    """Where the worker's setting is not right."""
    reply_to: AddressText | None = None
    subject: str = Field(min_length=1, max_length=900)
    text: Text | None = None
    html: Text | None = None
    """Given together with ``text``, the reader's program shows one of them."""
    attachments: tuple[Any, ...] = Field(default=(), max_length=50)
    """Files, such as an answer that HttpRequest kept as one."""

    @field_validator("to", "cc", "bcc", "sender", "reply_to", "subject")
    @classmethod
    def _one_line(cls, value: Any) -> Any:
        for text in (value,) if isinstance(value, str) else value or ():
            if any(not character.isprintable() for character in text):
                raise ValueError("no line breaks and no other control characters may stand here")
        return value

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.to or self.cc or self.bcc):
            raise ValueError("name at least one address in to, cc or bcc")
        if self.text is None and self.html is None:
            raise ValueError("give text, html or both")
        return self


SEND_EMAIL = NodeType(
    name="SendEmail",
    summary="Sends one mail, with files if wanted, and tells which addresses the server accepted.",
    tier="work",
    config=SendEmailConfig,
    outputs=("message_id", "accepted", "refused"),
    timeout=120.0,
    trust=Trust(
        clean=("message_id",),
        acts={
            "to": "a recipient",
            "cc": "a recipient",
            "bcc": "a recipient",
            "from": "the sender of a mail",
            "reply_to": "where answers to a mail go",
        },
    ),
)
