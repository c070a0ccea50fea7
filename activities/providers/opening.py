"""Opens an adapter for every model provider that is configured, and says which of them answers for a model.

Each adapter's module is imported when it is opened: an SDK costs up to a second.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Protocol, TypedDict

from dotenv import dotenv_values
from pydantic import SecretStr

from activities.providers.base import ChatProvider, ModelProvider
from activities.providers.simulated import Simulated
from activities.providers.stand_ins import Keyless, whole
from activities.secrets import ENV_FILE, NamedSecrets
from orchestrator.errors import NodeError, ProviderAuthError
from orchestrator.installed import PROVIDERS, declared
from orchestrator.models import (
    ANTHROPIC,
    BEDROCK,
    GEMINI,
    OPENAI,
    SIMULATED,
    ModelInfo,
    ProviderInfo,
    added_providers,
    provider_names,
)
from orchestrator.settings import Settings

__all__ = ["anything_configured", "is_ready", "key_of", "keys_of_endpoints", "open_providers", "provider_for"]


class _Opened(ModelProvider, Protocol):
    async def close(self) -> None: ...


class _Bounds(TypedDict):
    timeout: float
    most_bytes: int


def _bounds(settings: Settings) -> _Bounds:
    return {"timeout": settings.model_timeout, "most_bytes": settings.model_max_response_bytes}


def _shown(key: SecretStr | None) -> str | None:
    return key.get_secret_value() if key else None


def _openai(settings: Settings) -> _Opened:
    from activities.providers.openai_compatible import OpenAICompatible  # noqa: PLC0415 - costs a second

    return OpenAICompatible(
        api_key=_shown(settings.openai_api_key), base_url=settings.openai_base_url, **_bounds(settings)
    )


def _anthropic(settings: Settings) -> _Opened:
    from activities.providers.anthropic_messages import AnthropicMessages  # noqa: PLC0415 - costs a second

    return AnthropicMessages(
        api_key=_shown(settings.anthropic_api_key), base_url=settings.anthropic_base_url, **_bounds(settings)
    )


def _gemini(settings: Settings) -> _Opened:
    from activities.providers.gemini import Gemini  # noqa: PLC0415 - costs a second

    return Gemini(api_key=_shown(settings.gemini_api_key), base_url=settings.gemini_base_url, **_bounds(settings))


def _bedrock(settings: Settings) -> _Opened:
    from activities.providers.bedrock import Bedrock  # noqa: PLC0415 - costs a second

    return Bedrock(region=settings.bedrock_region, endpoint_url=settings.bedrock_endpoint_url, **_bounds(settings))


@dataclass(frozen=True, slots=True, kw_only=True)
class _BuiltIn:
    """A built-in provider: whether the settings configure it, how it is opened then, and which settings these are."""

    configured: Callable[[Settings], bool]
    open: Callable[[Settings], _Opened]
    needs: str


_BUILT_IN: Mapping[str, _BuiltIn] = {
    OPENAI: _BuiltIn(
        configured=lambda settings: bool(settings.openai_api_key or settings.openai_base_url),
        open=_openai,
        needs="OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint of your own",
    ),
    ANTHROPIC: _BuiltIn(
        configured=lambda settings: bool(settings.anthropic_api_key or settings.anthropic_base_url),
        open=_anthropic,
        needs="ANTHROPIC_API_KEY, or ANTHROPIC_BASE_URL for an endpoint of your own",
    ),
    GEMINI: _BuiltIn(
        configured=lambda settings: bool(settings.gemini_api_key or settings.gemini_base_url),
        open=_gemini,
        needs="GEMINI_API_KEY, or GEMINI_BASE_URL for an endpoint of your own",
    ),
    BEDROCK: _BuiltIn(
        configured=lambda settings: bool(settings.bedrock_region or settings.bedrock_endpoint_url),
        open=_bedrock,
        needs="ORCHESTRATOR_BEDROCK_REGION, with AWS credentials where AWS's own client finds them",
    ),
}


def anything_configured(settings: Settings) -> bool:
    """Whether any real provider is to be asked: of the settings, of the file of ``add_models``, or of a package."""
    if settings.simulate_models:
        return False
    built_in = any(provider.configured(settings) for provider in _BUILT_IN.values())
    return built_in or bool(added_providers()) or bool(declared(PROVIDERS))


def is_ready(name: str, settings: Settings, secrets: NamedSecrets) -> bool:
    """Whether models of the provider ``name`` can be asked: it is configured, and its key is there if it needs one.

    Of a built-in one whose key another program finds, as Bedrock's, it is taken to be there.
    """
    if name in _BUILT_IN:
        return _BUILT_IN[name].configured(settings)
    added = added_providers().get(name)
    if added is not None:
        return added.key_env is None or key_of(added.key_env, secrets) is not None
    return name == SIMULATED or any(entry.name == name for entry in declared(PROVIDERS))


def open_providers(
    settings: Settings, secrets: NamedSecrets, open_parts: AsyncExitStack
) -> Mapping[str, ModelProvider]:
    """Adapters by the names of ``orchestrator.models``: the simulated one, and each that is configured.

    Args:
        settings: Keys and addresses of the built-in ones; ``add_models`` has read the file of the others. Where they
            ask for simulated models, no other is opened.
        secrets: Where the keys of endpoints from that file may be.
        open_parts: Closes them.
    """
    made: dict[str, ModelProvider] = {SIMULATED: Simulated()}
    if settings.simulate_models:
        return dict.fromkeys(provider_names(), made[SIMULATED])
    for name, built_in in _BUILT_IN.items():
        if built_in.configured(settings):
            opened = built_in.open(settings)
            open_parts.push_async_callback(opened.close)
            made[name] = opened
    for endpoint in added_providers().values():
        made[endpoint.name] = _endpoint(endpoint, settings, secrets, open_parts)
    return made


def _endpoint(
    endpoint: ProviderInfo, settings: Settings, secrets: NamedSecrets, open_parts: AsyncExitStack
) -> ModelProvider:
    key = None if endpoint.key_env is None else key_of(endpoint.key_env, secrets)
    if endpoint.key_env is not None and key is None:
        return Keyless(endpoint.name, endpoint.key_env)
    from activities.providers.openai_compatible import OpenAICompatible  # noqa: PLC0415 - costs a second

    opened = OpenAICompatible(
        api_key=key,
        base_url=endpoint.base_url,
        **_bounds(settings),
        name=endpoint.name,
        key_setting=endpoint.key_env or "its key (`key_env` in the file of ORCHESTRATOR_MODELS_FILE)",
        structured=endpoint.structured,
        address_setting=f"`base_url` of {endpoint.name} in the file of ORCHESTRATOR_MODELS_FILE",
    )
    open_parts.push_async_callback(opened.close)
    return opened


def key_of(name: str, secrets: NamedSecrets) -> str | None:
    """The key called ``name``: of a variable where the name is in capitals, else of a named secret; none: not there."""
    if name.isupper():
        found = os.environ.get(name) or dotenv_values(ENV_FILE, interpolate=False).get(name) or ""
        return found.strip() or None
    try:
        return secrets.get(name)
    except NodeError:
        return None


def keys_of_endpoints(secrets: NamedSecrets) -> list[str]:
    """The keys of the endpoints that the file of ``add_models`` names, as far as they are there: logs mask them."""
    names = [provider.key_env for provider in added_providers().values() if provider.key_env is not None]
    return [key for name in names if (key := key_of(name, secrets)) is not None]


def provider_for(providers: Mapping[str, ChatProvider], model: ModelInfo) -> ModelProvider:
    """The provider that answers for a model. Where no real one is configured at all, it is the simulated one.

    Raises:
        ProviderAuthError: The model's is not configured, and another one is: a made-up answer among real ones could go
            unnoticed. The message names the setting that is missing.
    """
    found = providers.get(model.provider)
    if found is not None:
        return whole(found)
    if all(provider.name == SIMULATED for provider in providers.values()):
        return whole(providers[SIMULATED])
    built_in = _BUILT_IN.get(model.provider)
    missing = built_in.needs if built_in else "it in the file of ORCHESTRATOR_MODELS_FILE, or install its package"
    raise ProviderAuthError(
        f"the model {model.name!r} needs the provider {model.provider}, which is not configured here: set {missing}",
        details={"model": model.name, "provider": model.provider},
    )
