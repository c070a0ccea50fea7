"""The worker's mail server: one connection for each mail, and what it says in our words."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final, Literal

import aiosmtplib
from pydantic import SecretStr

from orchestrator.errors import (
    OrchestratorError,
    ProviderAuthError,
    ProviderRejectedError,
    ProviderUnavailableError,
    SettingsError,
    shortened,
)

__all__ = ["MailServer", "Refused"]

Tls = Literal["starttls", "tls", "none"]

_PORTS: Final[dict[Tls, int]] = {"starttls": 587, "tls": 465, "none": 25}
_OWN_MACHINE: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_AUTH: Final = frozenset({530, 534, 535, 538})
_PERMANENT: Final = 500
_SHOWN: Final = 200


@dataclass(frozen=True, slots=True)
class Refused:
    """An address that the server did not take, and what it said."""

    address: str
    code: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail goes. Without a ``host`` none is sent. ``timeout`` is in seconds, for each step."""

    host: str | None = None
    port: int | None = None
    user: str | None = None
    password: SecretStr | None = None
    tls: Tls = "starttls"
    sender: str | None = None
    timeout: float = 30.0

    async def deliver(self, message: EmailMessage, sender: str, recipients: Sequence[str]) -> list[Refused]:
        """Hands ``message`` over for ``recipients``; gives those that the server refused while it took others.

        Raises:
            SettingsError: There is no server, or the password would travel in clear.
            ProviderUnavailableError: The server is away, or asks to come back later; some of it may have been sent.
            ProviderAuthError: It does not know the user, or does not let it send.
            ProviderRejectedError: It does not take this mail, or is not who it should be.
        """
        client = self._client()
        where = f"the mail server {self.host}"
        try:
            async with client:
                refused, _ = await client.send_message(message, sender=sender, recipients=list(recipients))
        except aiosmtplib.SMTPRecipientsRefused as error:
            refusals = [
                Refused(each.recipient, each.code, shortened(each.message, _SHOWN)) for each in error.recipients
            ]
            raise _nobody(where, refusals) from None
        except aiosmtplib.SMTPResponseException as error:
            raise _answered(where, error) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise _failed(where, error) from None
        return [Refused(address, answer.code, shortened(answer.message, _SHOWN)) for address, answer in refused.items()]

    def _client(self) -> aiosmtplib.SMTP:
        if not self.host:
            raise SettingsError("no mail server is set; give the worker ORCHESTRATOR_SMTP_HOST, then retry the node")
        if self.user and self.tls == "none" and self.host not in _OWN_MACHINE:
            raise SettingsError(
                "the password of the mail server would travel in clear; set ORCHESTRATOR_SMTP_TLS to starttls or tls"
            )
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port or _PORTS[self.tls],
            username=self.user,
            password=self.password.get_secret_value() if self.password else None,
            use_tls=self.tls == "tls",
            start_tls=self.tls == "starttls",
            timeout=self.timeout,
        )


def _nobody(where: str, refused: list[Refused]) -> OrchestratorError:
    first = refused[0]
    message = f"{where} refused every address; for {first.address} it said {first.code} {first.reason}"
    details = {"refused": [{"address": each.address, "code": each.code} for each in refused]}
    if any(each.code in _AUTH for each in refused):
        return ProviderAuthError(message, details=details)
    if any(each.code < _PERMANENT for each in refused):
        return ProviderUnavailableError(message, details=details)
    return ProviderRejectedError(message, details=details)


def _answered(where: str, error: aiosmtplib.SMTPResponseException) -> OrchestratorError:
    details = {"code": error.code}
    if error.code < _PERMANENT:
        return ProviderUnavailableError(f"{where} asks to come back later: {_said(error)}", details=details)
    if isinstance(error, aiosmtplib.SMTPAuthenticationError) or error.code in _AUTH:
        # What it says here might quote what it was given.
        return ProviderAuthError(f"{where} does not let this user send: {error.code}", details=details)
    return ProviderRejectedError(f"{where} does not take the mail: {_said(error)}", details=details)


def _failed(where: str, error: Exception) -> OrchestratorError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return ProviderRejectedError(
                f"the certificate of {where} is not trusted: {cause.verify_message}; "
                "SSL_CERT_FILE names a file of further authorities"
            )
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, (OSError, ConnectionError, TimeoutError)):
        return ProviderUnavailableError(f"{where} cannot be reached, or fell silent: {type(error).__name__}")
    return ProviderRejectedError(f"{where} cannot do what is asked of it: {shortened(str(error), _SHOWN)}")


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {shortened(error.message, _SHOWN)}"
