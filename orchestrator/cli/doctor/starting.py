"""Checks of what a worker reads when it starts, and does not start with where it is wrong: the same readers say so."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from activities.asking import read_rates
from activities.budgets import read_budgets
from activities.providers.opening import anything_configured, open_providers
from activities.secrets import ENV_FILE, SECRET_PREFIX, NamedSecrets
from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok, warn
from orchestrator.errors import SettingsError
from orchestrator.models import SIMULATED, add_models
from orchestrator.operating.versioning import deployment
from orchestrator.safety import checks as safety_checks
from orchestrator.settings import Settings, variable_name

__all__ = ["checks"]

_NO_START = "a worker does not start with it."


def checks(settings: Settings) -> dict[str, Check]:
    """The checks of this family: of what is configured only.

    They come before all others, since models of the models file count in those too.
    """
    return {"settings of the worker": partial(_all, settings)}


async def _all(settings: Settings) -> Sequence[Finding]:
    return [*await in_thread(lambda: list(_read(settings))), *await _providers(settings)]


def _read(settings: Settings) -> Iterator[Finding]:
    # The models first: rates may name them.
    models, budgets = settings.models_file, settings.budgets_file
    found = _tried("models file", partial(_models, models), f"Mend {models}, which ORCHESTRATOR_MODELS_FILE names")
    if models is not None or found.status == "fail":
        yield found
    if budgets is not None:
        mend = f"Mend {budgets}, which ORCHESTRATOR_BUDGETS_FILE names"
        yield _tried("budgets file", partial(_budgets, budgets), mend)
    if settings.model_rates:
        yield _tried("model rates", partial(_rates, settings), f"Mend {variable_name('model_rates')}")
    if settings.secret_hosts:
        yield _secret_hosts(settings)
    yield from _wrong_only("worker versioning", _versioned, "Mend that variable")
    yield from _wrong_only("safety checks", _safety, "Mend that package, or take it away")


def _tried(check: str, read: Callable[[], str], mend: str) -> Finding:
    try:
        return ok(check, read())
    except SettingsError as error:
        return fail(check, error.message, f"{mend}: {_NO_START}")


def _wrong_only(check: str, read: Callable[[], str], mend: str) -> Iterator[Finding]:
    """What is hardly ever set: nothing is said of it while it is right."""
    found = _tried(check, read, mend)
    if found.status == "fail":
        yield found


def _models(path: Path | None) -> str:
    add_models(path)
    return f"{path} can be read"


def _budgets(path: Path) -> str:
    count = len(read_budgets(path))
    return f"{'1 budget' if count == 1 else f'{count} budgets'} in {path}"


def _rates(settings: Settings) -> str:
    return f"of {', '.join(sorted(read_rates(settings.model_rates)))}"


def _versioned() -> str:
    deployment()
    return "right"


def _safety() -> str:
    safety_checks()
    return "right"


def _secret_hosts(settings: Settings) -> Finding:
    check, variable = "secret hosts", variable_name("secret_hosts")
    there = NamedSecrets(SECRET_PREFIX, settings.secrets_dir, ENV_FILE).names()
    unknown = sorted(set(settings.secret_hosts) - set(there))
    if unknown:
        mend = f"Look how they are spelt in {variable}, or give the worker these secrets."
        return warn(check, f"{variable} bounds secrets that are not there (yet): {', '.join(unknown)}", mend)
    return ok(check, f"bound {', '.join(sorted(settings.secret_hosts))}")


async def _providers(settings: Settings) -> Sequence[Finding]:
    """Whether the adapters of model providers can be made, of which none is asked."""
    if not anything_configured(settings):
        return []
    secrets = NamedSecrets(SECRET_PREFIX, settings.secrets_dir, ENV_FILE)
    async with AsyncExitStack() as opened:
        try:
            made = await in_thread(partial(open_providers, settings, secrets, opened))
        except SettingsError as error:
            return [fail("model providers", error.message, f"Mend that setting: {_NO_START}")]
    return [ok("model providers", f"configured: {', '.join(sorted(set(made) - {SIMULATED})) or 'those of packages'}")]
