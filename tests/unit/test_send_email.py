"""SendEmail, to a real mail server."""

import base64
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from activities.mail import MailServer
from activities.send_email import handler
from orchestrator.errors import (
    NodeError,
    OrchestratorError,
    ProviderAuthError,
    ProviderRejectedError,
    ProviderUnavailableError,
    SettingsError,
)
from orchestrator.node_types.send_email import SendEmailConfig
from tests.unit.handling import handled
from tests.unit.loopback import call
from tests.unit.mailbox import PASSWORD, USER, Mailbox, certificate, mailbox

PLAIN = {"to": "ada@example.com", "subject": "Hello", "text": "How are you?\n"}


@pytest.fixture
def post() -> Iterator[Mailbox]:
    with mailbox() as state:
        yield state


async def send(post: Mailbox, config: dict[str, Any] = PLAIN, *, visit: int = 1, **more: Any) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "host": "127.0.0.1",
        "port": post.port,
        "tls": "none",
        "sender": "Shop <shop@example.org>",
        "timeout": 30,
    }
    server = MailServer(**{**settings, **more})
    return await handled(handler(server), SendEmailConfig, config, call("SendEmail", config, visit=visit))


async def test_a_mail_arrives_with_everything_in_it(post: Mailbox) -> None:
    file = {"filename": "bill é.pdf", "content_type": "application/pdf", "base64": base64.b64encode(b"%PDF").decode()}
    output = await send(
        post,
        {
            "to": ["Ada Lovelace <ada@example.com>", "bob@example.com"],
            "cc": "Carl Ö <carl@example.com>",
            "bcc": ["dora@example.com", "ada@example.com"],
            "from": "bills@example.org",
            "reply_to": "desk@example.org",
            "subject": "Your bill: 5 €",
            "text": "Dear Ada, 5 €\n",
            "html": "<p>5 €</p>",
            "attachments": [file],
        },
    )
    (mail,) = post.mails
    everybody = ["ada@example.com", "bob@example.com", "carl@example.com", "dora@example.com"]
    assert output == {"message_id": mail["Message-ID"], "accepted": everybody, "refused": []}
    assert (post.envelopes[0].mail_from, post.envelopes[0].rcpt_tos) == ("bills@example.org", everybody)
    assert (mail["To"], mail["Cc"]) == ("Ada Lovelace <ada@example.com>, bob@example.com", "Carl Ö <carl@example.com>")
    assert (mail["Subject"], mail["From"], mail["Reply-To"]) == (
        "Your bill: 5 €",
        "bills@example.org",
        "desk@example.org",
    )
    assert mail["Bcc"] is None
    assert mail["Date"].datetime.tzinfo is not None
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert (text.get_content(), html.get_content()) == ("Dear Ada, 5 €\r\n", "<p>5 €</p>\r\n")
    (attached,) = mail.iter_attachments()
    assert (attached.get_filename(), attached.get_content_type(), attached.get_content()) == (
        "bill é.pdf",
        "application/pdf",
        b"%PDF",
    )


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ('text/csv; header=present; charset="UTF-8"', 'text/csv; charset="UTF-8"'),
        ("text/plain; charset=<utf-8>", "text/plain"),
        ("message/delivery-status", "application/octet-stream"),
        ("Message/RFC822", "application/octet-stream"),
        ("multipart/mixed; boundary=x", "application/octet-stream"),
    ],
)
async def test_a_file_of_any_content_type_arrives_as_it_is(post: Mailbox, given: str, sent: str) -> None:
    content = b"Status: \xff\r\n\n--x"
    file = {"filename": "a.bin", "content_type": given, "base64": base64.b64encode(content).decode()}
    await send(post, {**PLAIN, "attachments": [file]})
    (part,) = post.mails[0].iter_attachments()
    assert (part["Content-Type"], part.get_filename(), part.get_payload(decode=True)) == (sent, "a.bin", content)


async def test_every_attempt_of_a_visit_has_the_same_message_id(post: Mailbox) -> None:
    first, again = await send(post), await send(post)
    other = await send(post, visit=2)
    assert first["message_id"] == again["message_id"] != other["message_id"]
    assert first["message_id"].endswith("@example.org>")
    assert [mail["Message-ID"] for mail in post.mails[:2]] == [first["message_id"]] * 2
    assert post.mails[0]["From"] == "Shop <shop@example.org>"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("subject", "Hello\r\nBcc: eve@example.com"),
        ("subject", "Hello\u2028Bcc"),
        ("subject", ""),
        ("to", "ada@example.com\nBcc: eve@example.com"),
        ("to", ["ada@example.com", "x\r@example.com"]),
        ("reply_to", "a@b\n.c"),
        ("from", "a@b\0.c"),
        ("to", []),
        ("to", ["a@example.com"] * 101),
    ],
)
def test_no_line_break_gets_into_a_header(field: str, value: Any) -> None:
    with pytest.raises(ValidationError):
        SendEmailConfig.model_validate({**PLAIN, field: value})


@pytest.mark.parametrize(
    "address",
    [
        "ada@example.com, eve@example.com",
        "all: ada@example.com, eve@example.com;",
        "all: ada@example.com;",
        "ada",
        "@example.com",
        "ada@",
        "ädä@example.com",
        "<ada@example.com> <eve@example.com>",
        "ada@example.com> SIZE=1",
        "ada @example.com x",
    ],
)
@pytest.mark.parametrize("field", ["to", "cc", "bcc", "from", "reply_to"])
async def test_what_is_not_one_address_is_refused(post: Mailbox, field: str, address: str) -> None:
    with pytest.raises(NodeError, match="not one mail address"):
        await send(post, {**PLAIN, field: address})
    assert post.envelopes == []


async def test_a_mail_needs_a_text(post: Mailbox) -> None:
    with pytest.raises(ValidationError, match="give text, html or both"):
        await send(post, {"to": "ada@example.com", "subject": "x"})
    await send(post, {"to": "ada@example.com", "subject": "x", "html": "<p>x</p>"})
    assert post.mails[0].get_content_type() == "text/html"


async def test_addresses_that_are_refused_while_others_are_not_are_told(post: Mailbox) -> None:
    post.answers = {"bob@example.com": "550 no such user"}
    output = await send(post, {**PLAIN, "to": ["ada@example.com", "bob@example.com"]})
    assert output["accepted"] == ["ada@example.com"]
    assert output["refused"] == [{"address": "bob@example.com", "code": 550, "reason": "no such user"}]


@pytest.mark.parametrize(
    ("answers", "kind"),
    [
        ({"ada@example.com": "550 no such user"}, ProviderRejectedError),
        ({"ada@example.com": "451 busy"}, ProviderUnavailableError),
        ({"ada@example.com": "530 log in first"}, ProviderAuthError),
        ({"DATA": "554 looks like spam"}, ProviderRejectedError),
        ({"DATA": "452 disk full"}, ProviderUnavailableError),
        ({"DATA": "421 going away"}, ProviderUnavailableError),
    ],
)
async def test_what_the_server_says_tells_whether_to_try_again(
    post: Mailbox, answers: dict[str, str], kind: type[OrchestratorError]
) -> None:
    post.answers = answers
    with pytest.raises(kind, match=next(iter(answers.values()))[:3]):
        await send(post)


async def test_a_refusal_of_many_words_is_cut_short(post: Mailbox) -> None:
    post.answers["ada@example.com"] = f"550 {'no ' * 150}"
    with pytest.raises(ProviderRejectedError, match=r"for ada@example\.com it said 550") as caught:
        await send(post)
    assert len(caught.value.message) < 320


# The server that is asked by TLS from the first byte on does not count that as TLS.
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_mail_is_encrypted_and_the_user_logs_in(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, authority = certificate(tmp_path)
    login: dict[str, Any] = {"user": USER, "password": SecretStr(PASSWORD), "tls": mode}
    with mailbox(**{mode: context}, login=True) as post:
        with pytest.raises(ProviderRejectedError, match=r"certificate of the mail server 127\.0\.0\.1 is not trusted"):
            await send(post, **login)
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        await send(post, **login)
        login["password"] = SecretStr("other-hidden")
        with pytest.raises(ProviderAuthError) as caught:
            await send(post, **login)
        with pytest.raises(ProviderAuthError, match="530"):
            await send(post, tls=mode)
    assert "hidden" not in caught.value.message
    assert post.secured == [True]


async def test_a_server_without_starttls_gets_no_mail(post: Mailbox) -> None:
    with pytest.raises(ProviderRejectedError, match="STARTTLS"):
        await send(post, tls="starttls")
    assert post.envelopes == []


async def test_a_domain_in_any_script_is_reached_by_its_ascii_name(post: Mailbox) -> None:
    await send(post, {**PLAIN, "to": "Ada <ada@exämple.com>"})
    assert post.envelopes[0].rcpt_tos == ["ada@xn--exmple-cua.com"]


async def test_a_server_that_is_away_or_silent_is_tried_again() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        state = Mailbox()
        state.port = silent.getsockname()[1]
        with pytest.raises(ProviderUnavailableError, match="cannot be reached"):
            await send(state)
        silent.listen()
        with pytest.raises(ProviderUnavailableError, match="fell silent"):
            await send(state, timeout=0.2)


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        ({"host": None}, "ORCHESTRATOR_SMTP_HOST"),
        ({"sender": None}, "ORCHESTRATOR_SMTP_FROM"),
        ({"host": "mail.example", "user": "u"}, "would travel in clear"),
    ],
)
async def test_settings_that_are_missing_are_named(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(SettingsError, match=part):
        await send(Mailbox(), **settings)
