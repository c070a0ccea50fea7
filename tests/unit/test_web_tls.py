"""TLS goes by the name of the host, while the connection goes to the address that was checked."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from activities.http_request import handler
from activities.secrets import SECRET_PREFIX, NamedSecrets
from activities.web import web_client
from orchestrator.errors import OrchestratorError
from orchestrator.node_types.http_request import HttpRequestConfig
from tests.unit.loopback import call

HOST = "api.example"


@dataclass
class Site:
    """A server that speaks TLS. ``names`` are those that clients asked for, ``seen`` the requests."""

    folder: Path
    port: int = 0
    names: list[str | None] = field(default_factory=list[str | None])
    seen: list[str] = field(default_factory=list[str])
    answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

    def trust(self) -> ssl.SSLContext:
        """What a client needs to trust its certificate."""
        return ssl.create_default_context(cafile=str(self.folder / "certificate.pem"))


def write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(HOST)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


@asynccontextmanager
async def secure_site(folder: Path) -> AsyncGenerator[Site]:
    """The server, on loopback, with a certificate for ``HOST``."""
    await asyncio.to_thread(write_certificate, folder)
    site = Site(folder)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    context.sni_callback = lambda _socket, name, _context: site.names.append(name)

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                site.seen.append((await reader.readuntil(b"\r\n\r\n")).decode())
                writer.write(site.answer)
        except asyncio.IncompleteReadError:
            writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0, ssl=context)
    site.port = server.sockets[0].getsockname()[1]
    async with server:
        yield site


async def names(_host: str, _port: int) -> Sequence[str]:
    return ["127.0.0.1"]


async def ask(site: Site, url: str, *, trusted: bool = True, **config: object) -> int:
    async with web_client(["127.0.0.1"], resolve=names, verify=site.trust() if trusted else None) as client:
        handle = handler(client, max_bytes=1000, secrets=NamedSecrets(SECRET_PREFIX))
        settings = HttpRequestConfig.model_validate({"url": url, **config})
        output = await handle(settings, call("HttpRequest", {}))
    return output.output["status"]


async def test_the_certificate_is_checked_by_name_at_the_pinned_address(tmp_path: Path) -> None:
    async with secure_site(tmp_path) as site:
        assert await ask(site, f"https://{HOST}:{site.port}/a") == 200
    assert site.names == [HOST]
    assert f"\r\nHost: {HOST}:{site.port}\r\n" in site.seen[0]


@pytest.mark.parametrize(("host", "trusted"), [("other.example", True), (HOST, False), ("127.0.0.1", True)])
async def test_a_certificate_of_another_name_or_of_nobody_is_refused(
    tmp_path: Path, host: str, *, trusted: bool
) -> None:
    async with secure_site(tmp_path) as site:
        with pytest.raises(OrchestratorError, match="certificate"):
            await ask(site, f"https://{host}:{site.port}/a", trusted=trusted)
    assert site.seen == []


async def test_a_request_with_auth_never_goes_on_from_https_to_http(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_TOKEN", "secret-value")
    async with secure_site(tmp_path) as site:
        site.answer = (
            f"HTTP/1.1 302 Found\r\nlocation: http://{HOST}:{site.port}/\r\ncontent-length: 0\r\n\r\n".encode()
        )
        with pytest.raises(OrchestratorError, match="from https to http"):
            await ask(site, f"https://{HOST}:{site.port}/a", auth={"type": "bearer", "secret": "token"})
    assert len(site.seen) == 1
