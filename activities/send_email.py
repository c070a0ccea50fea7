"""Performs SendEmail."""

import asyncio
import re
from dataclasses import asdict
from datetime import UTC, datetime
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256
from typing import Any, Final, cast

from activities.files import file_of
from activities.mail import MailServer
from activities.runtime import Handler
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import NodeError, SettingsError
from orchestrator.node_types.send_email import SendEmailConfig

__all__ = ["handler"]

_CHARSET: Final = re.compile(r';\s*charset="?([A-Za-z0-9._:-]{1,40})', re.IGNORECASE)


def handler(server: MailServer) -> Handler[SendEmailConfig]:
    """Sends mail through ``server``: at least once, with the same Message-ID on every attempt of a visit."""

    async def handle(config: SendEmailConfig, call: NodeCall) -> NodeOutput:
        sender = _sender(config, server, call)
        headed = {field: _addresses(config, field, call) for field in ("to", "cc", "bcc")}
        recipients = list(dict.fromkeys(each.addr_spec for found in headed.values() for each in found))
        message = await asyncio.to_thread(_message, config, call, sender, headed)
        refused = await server.deliver(message, sender.addr_spec, recipients)
        turned_away = {each.address for each in refused}
        return NodeOutput(
            output={
                "message_id": message["Message-ID"],
                "accepted": [address for address in recipients if address not in turned_away],
                "refused": [asdict(each) for each in refused],
            }
        )

    return handle


def _message(
    config: SendEmailConfig, call: NodeCall, sender: Address, headed: dict[str, list[Address]]
) -> EmailMessage:
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    for field in ("to", "cc"):
        if headed[field]:
            message[field.title()] = headed[field]
    if config.reply_to is not None:
        message["Reply-To"] = _address(config.reply_to, "reply_to", call)
    message["Subject"] = config.subject
    message["Date"] = format_datetime(datetime.now(UTC))
    # Receivers that have seen it drop a repeat.
    message["Message-ID"] = f"<{sha256(call.idempotency_key.encode()).hexdigest()[:40]}@{sender.domain}>"
    message["Auto-Submitted"] = "auto-generated"
    try:
        _fill(message, config, call)
    except UnicodeEncodeError:
        raise NodeError(f"the mail of node {call.node!r} holds half a character (a lone surrogate)") from None
    return message


def _fill(message: EmailMessage, config: SendEmailConfig, call: NodeCall) -> None:
    if config.text is not None:
        message.set_content(config.text)
    if config.html is not None:
        (message.set_content if config.text is None else message.add_alternative)(config.html, subtype="html")
    for number, value in enumerate(config.attachments):
        file = file_of(value, f"config.attachments[{number}] of node {call.node!r}")
        kind, subtype, params = _media_type(file.content_type)
        message.add_attachment(file.content, maintype=kind, subtype=subtype, filename=file.filename, params=params)


def _media_type(text: str) -> tuple[str, str, dict[str, str]]:
    kind, _, subtype = text.partition(";")[0].partition("/")
    if kind.lower() in {"message", "multipart"}:  # these are mails themselves, which may not be sent as base64
        return "application", "octet-stream", {}
    charset = _CHARSET.search(text)
    return kind, subtype, {"charset": charset[1]} if charset else {}


def _sender(config: SendEmailConfig, server: MailServer, call: NodeCall) -> Address:
    if config.sender is not None:
        return _address(config.sender, "from", call)
    if not server.sender:
        raise SettingsError(
            f"node {call.node!r} does not say whom its mail is from; write `from`, or set ORCHESTRATOR_SMTP_FROM"
        )
    return _address(server.sender, "from", call)


def _addresses(config: SendEmailConfig, field: str, call: NodeCall) -> list[Address]:
    given = getattr(config, field)
    texts = (given,) if isinstance(given, str) else cast("tuple[str, ...]", given)
    return [_address(text, field, call) for text in texts]


def _address(text: str, field: str, call: NodeCall) -> Address:
    found = _one_address(text)
    if found is None:
        raise NodeError(
            f"config.{field} of node {call.node!r}: {text[:100]!r} is not one mail address; "
            "write ada@example.com or Ada <ada@example.com>, plain ASCII before the @, and several as a list"
        )
    return found


def _one_address(text: str) -> Address | None:
    """One address, and one only: data that names several must not send the mail to them all."""
    try:
        header: Any = SMTP.header_factory("To", text)
        (group,) = header.groups
        (found,) = group.addresses
        if header.defects or group.display_name is not None or not found.username:
            return None
        return Address(found.display_name, found.username, found.domain.encode("idna").decode("ascii"))
    # The standard library's reader stumbles over some texts.
    except (ValueError, IndexError, HeaderParseError):
        return None
