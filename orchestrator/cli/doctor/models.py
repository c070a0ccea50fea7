"""Check of the model endpoint: configured, reachable, and whether it takes the key."""

from collections.abc import Sequence
from functools import partial
from http import HTTPStatus

import httpx

from activities.providers.opening import is_ready
from activities.secrets import ENV_FILE, SECRET_PREFIX, NamedSecrets
from orchestrator.cli.doctor.checking import Check, Finding, fail, ok, warn
from orchestrator.models import OPENAI, SIMULATED, provider_names
from orchestrator.settings import Settings

__all__ = ["checks"]

_DEFAULT = "https://api.openai.com/v1"


def checks(settings: Settings, timeout: float) -> dict[str, Check]:
    """The checks of this family."""
    return {"model endpoint": partial(_endpoint, settings, timeout)}


async def _endpoint(settings: Settings, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - httpx has its own, which names what was slow
    key = settings.openai_api_key.get_secret_value() if settings.openai_api_key else ""
    if not key and not settings.openai_base_url:
        return [_without_openai(settings)]
    base = (settings.openai_base_url or _DEFAULT).rstrip("/")
    where = _without_credentials(base)
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        async with httpx.AsyncClient(timeout=timeout * 0.8) as http:
            answer = await http.get(f"{base}/models", headers=headers)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        mend = "Check OPENAI_BASE_URL and the way there (proxy, firewall)."
        return [fail("model endpoint", f"{where} cannot be reached: {_reason(error)}", mend)]
    if answer.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return [fail("model endpoint", f"{where} refuses the key ({answer.status_code})", "Check OPENAI_API_KEY.")]
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        mend = "Look at the endpoint: nodes that ask it are tried again until it answers."
        return [fail("model endpoint", f"{where} answers {answer.status_code}", mend)]
    if not answer.is_success:
        mend = "Check that OPENAI_BASE_URL ends as its documentation says, mostly in /v1."
        return [warn("model endpoint", f"{where} answers, but {answer.status_code} to /models", mend)]
    return [ok("model endpoint", f"{where} answers{' and takes the key' if key else ''}")]


def _without_openai(settings: Settings) -> Finding:
    secrets = NamedSecrets(SECRET_PREFIX, settings.secrets_dir, ENV_FILE)
    others = [name for name in sorted(provider_names() - {OPENAI, SIMULATED}) if is_ready(name, settings, secrets)]
    if others:
        return ok("model endpoint", f"OpenAI's is not configured; others are: {', '.join(others)}")
    mend = "Set OPENAI_API_KEY, OPENAI_BASE_URL or what docs/models.md names, and start the worker anew."
    return warn("model endpoint", "none is configured: the answers of models are simulated", mend)


def _reason(error: Exception) -> str:
    return str(error).partition("\n")[0][:200] or type(error).__name__


def _without_credentials(base: str) -> str:
    url = httpx.URL(base)
    return str(url.copy_with(username=None, password=None, query=None)) if url.userinfo or url.query else base
