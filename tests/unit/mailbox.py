"""A real mail server on loopback, with a certificate of a made-up authority."""

import socket
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Mailbox", "certificate", "mailbox"]

USER, PASSWORD = "ada", "pass-hidden"


class Mailbox:
    """What arrived; ``answers`` maps an address, or ``DATA``, to what the server says to it instead of 250."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.envelopes: list[Any] = []
        self.secured: list[bool] = []
        self.port = 0

    @property
    def mails(self) -> list[EmailMessage]:
        """The messages, read."""
        found: list[Any] = [message_from_bytes(each.content, policy=policy.default) for each in self.envelopes]
        return found

    async def handle_RCPT(  # noqa: N802 - the name the server looks for
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 OK")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return answer

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - as above
        self.envelopes.append(envelope)
        self.secured.append(server.transport.get_extra_info("sslcontext") is not None)
        return self.answers.get("DATA", "250 OK")


def _login(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    fits = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=fits, handled=fits)


@contextmanager
def mailbox(
    *, starttls: ssl.SSLContext | None = None, tls: ssl.SSLContext | None = None, login: bool = False
) -> Generator[Mailbox]:
    """The server, until the block ends; with ``login`` it wants a user and a password first."""
    state = Mailbox()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        state.port = free.getsockname()[1]
    controller = Controller(
        state,
        hostname="127.0.0.1",
        port=state.port,
        ssl_context=tls,
        tls_context=starttls,
        require_starttls=starttls is not None,
        authenticator=_login,
        auth_required=login,
        auth_require_tls=tls is None,
        enable_SMTPUTF8=False,
        ready_timeout=60,  # a machine that is busy with other tests takes its time
    )
    controller.start()
    try:
        yield state
    finally:
        controller.stop()


def certificate(folder: Path) -> tuple[ssl.SSLContext, Path]:
    """The context of a server on 127.0.0.1, and the file of the authority that vouches for it."""
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority_name, name = (
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("Test authority", "127.0.0.1")
    )
    own_address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    authority = _signed(
        authority_name, authority_key, authority_name, authority_key, x509.BasicConstraints(ca=True, path_length=0)
    )
    server = _signed(name, key, authority_name, authority_key, own_address)
    files = {"authority.pem": authority, "server.pem": server}
    for file, made in files.items():
        (folder / file).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "key.pem")
    return context, folder / "authority.pem"


def _signed(
    name: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    by: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(extension, critical=True)
        .sign(by, hashes.SHA256())
    )
