"""Checks of what nodes talk to: the mail server, and the databases that are named."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import aiosmtplib
from sqlalchemy import text

from activities.databases import Databases
from activities.secrets import DATABASE_PREFIX, NamedSecrets
from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok, warn
from orchestrator.errors import OrchestratorError
from orchestrator.settings import Settings

__all__ = ["checks"]

_SHARE = 0.8
"""Of the time of a check, what its library may take: its own words say more than ours about the end of the time."""


def checks(settings: Settings, timeout: float) -> dict[str, Check]:
    """The checks of this family: of what is configured only."""
    found: dict[str, Check] = {"databases": partial(_databases, settings, timeout)}
    if settings.smtp_host:
        found["mail server"] = partial(_mail, settings, timeout)
    return found


async def _mail(settings: Settings, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - aiosmtplib has its own
    """Whether the mail server lets us in. No mail is sent."""
    where = f"{settings.smtp_host}{f':{settings.smtp_port}' if settings.smtp_port else ''}"
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    client = aiosmtplib.SMTP(
        hostname=settings.smtp_host,
        port=settings.smtp_port,
        username=settings.smtp_user,
        password=password,
        use_tls=settings.smtp_tls == "tls",
        start_tls=settings.smtp_tls == "starttls",
        timeout=timeout * _SHARE,
    )
    try:
        async with client:
            await client.noop()
    except aiosmtplib.SMTPAuthenticationError:
        mend = "Check ORCHESTRATOR_SMTP_USER and ORCHESTRATOR_SMTP_PASSWORD."
        return [fail("mail server", f"{where} refuses the user or the password", mend)]
    except (aiosmtplib.SMTPException, OSError, ValueError) as error:
        mend = "Check ORCHESTRATOR_SMTP_HOST, ORCHESTRATOR_SMTP_PORT and ORCHESTRATOR_SMTP_TLS."
        return [fail("mail server", f"{where} cannot be used: {_first_line(error)}", mend)]
    who = f" as {settings.smtp_user}" if settings.smtp_user else ""
    if not settings.smtp_from:
        mend = "Set ORCHESTRATOR_SMTP_FROM, or `from` in each node."
        return [warn("mail server", f"{where} lets us in{who}, but no sender is set", mend)]
    return [ok("mail server", f"{where} lets us in{who}")]


async def _databases(settings: Settings, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - a share for each
    secrets = NamedSecrets(DATABASE_PREFIX, settings.databases_dir, Path(".env"))
    names = await in_thread(secrets.names)
    databases = Databases(secrets)
    try:
        return [await _database(databases, name, timeout * _SHARE / len(names)) for name in names]
    finally:
        await databases.close()


async def _database(databases: Databases, name: str, patience: float) -> Finding:
    check = f"database {name}"
    try:
        database = await databases.named(name)
        async with database.transaction(patience, write=False) as connection:
            await connection.execute(text("SELECT 1"))
    except OrchestratorError as error:
        return fail(
            check, error.message, f"Check ORCHESTRATOR_DATABASE_{name.upper()} (or its file), and the way there."
        )
    return ok(check, f"answers ({'PostgreSQL' if database.is_postgresql else 'SQLite'})")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__
