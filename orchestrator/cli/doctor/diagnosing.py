"""Does what ``doctor`` asks for."""

import asyncio

from orchestrator.cli.doctor import definitions, folders, machine, models, server, services, starting, storing
from orchestrator.cli.doctor.checking import Check, Finding, fail, perform
from orchestrator.cli.doctor.showing import as_data, show
from orchestrator.cli.errors import FAILED, OK
from orchestrator.errors import SettingsError
from orchestrator.settings import Settings, load_settings

__all__ = ["diagnose", "doctor"]


def doctor(timeout: float, *, as_json: bool) -> int:
    """Print what the checks find, each after at most ``timeout`` seconds. Returns the exit code."""
    try:
        findings = asyncio.run(diagnose(load_settings(), timeout))
    except SettingsError as error:
        mend = "Mend that variable, in the environment or in .env; nothing else can be checked before."
        findings = [fail("settings", error.message, mend)]
    if as_json:
        as_data(findings)
    else:
        show(findings)
    return FAILED if any(finding.status == "fail" for finding in findings) else OK


async def diagnose(settings: Settings, timeout: float) -> list[Finding]:  # noqa: ASYNC109 - a bound for each check
    """What every check finds."""
    first = await perform(starting.checks(settings), timeout)
    checks: dict[str, Check] = {
        **machine.checks(settings, timeout),
        **server.checks(settings, timeout),
        **definitions.checks(settings),
        **models.checks(settings, timeout),
        **folders.checks(settings),
        **services.checks(settings, timeout),
        **storing.checks(settings, timeout),
    }
    return [*first, *await perform(checks, timeout)]
