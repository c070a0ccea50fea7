"""The language models a definition may name, and which provider answers for each."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

from orchestrator.errors import RequestError, SettingsError
from orchestrator.installed import PROVIDERS, declared
from orchestrator.model_name import LONGEST_MODEL_NAME, is_printable
from orchestrator.models.info import ModelInfo, ProviderInfo
from orchestrator.models.reading import Registry, read_models

__all__ = [
    "ANTHROPIC",
    "BEDROCK",
    "BUILT_IN_PROVIDERS",
    "GEMINI",
    "OPENAI",
    "SIMULATED",
    "add_models",
    "added_providers",
    "find_model",
    "known_models",
    "provider_names",
]

OPENAI = "openai"
SIMULATED = "simulated"
ANTHROPIC = "anthropic"
GEMINI = "gemini"
BEDROCK = "bedrock"
BUILT_IN_PROVIDERS = (OPENAI, ANTHROPIC, GEMINI, BEDROCK, SIMULATED)

_OURS = Path(__file__).with_name("registry.yaml")
_added: dict[str, ModelInfo] = {}
_added_providers: dict[str, ProviderInfo] = {}


@cache
def _ours() -> Mapping[str, ModelInfo]:
    return MappingProxyType(read_models(_OURS).models)


def known_models() -> Mapping[str, ModelInfo]:
    """The models known by a short name. Any other is written ``<provider>/<name>``."""
    return MappingProxyType({**_ours(), **_added})


def added_providers() -> Mapping[str, ProviderInfo]:
    """The endpoints that the file of ``add_models`` names."""
    return MappingProxyType(_added_providers)


def add_models(path: Path | None) -> None:
    """From now on, in this process, the models of the file at ``path`` come first; none: only ours.

    Raises:
        SettingsError: The file cannot be read, or is no registry.
    """
    found = Registry() if path is None else _read(path)
    _added.clear()
    _added.update(found.models)
    _added_providers.clear()
    _added_providers.update(found.providers)
    provider_names.cache_clear()


def _read(path: Path) -> Registry:
    found = read_models(path)
    taken = {entry.name: f"the package {entry.origin} declares it" for entry in declared(PROVIDERS)}
    taken |= dict.fromkeys(BUILT_IN_PROVIDERS, "it is built in, and has settings of its own")
    for name in found.providers:
        if name in taken:
            raise SettingsError(f"providers.{name} of the models in {path}: {taken[name]}; choose another name")
    there = sorted({*taken, *found.providers})
    for name, model in found.models.items():
        if model.provider not in there:
            near = get_close_matches(model.provider, there, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(there)}"
            raise SettingsError(
                f"models.{name}.provider of the models in {path}: no provider {model.provider!r} is installed here, or "
                f"named in `providers`; {hint}"
            )
    return found


@cache
def provider_names() -> frozenset[str]:
    """The built-in providers, those of installed packages, and those of the file of ``add_models``."""
    return frozenset((*BUILT_IN_PROVIDERS, *(entry.name for entry in declared(PROVIDERS)), *_added_providers))


def find_model(name: str) -> ModelInfo:
    """The model called ``name``: one of ``known_models()``, or ``<provider>/<any name that provider knows>``.

    Raises:
        RequestError: No model has this name, or none can; the message has the nearest one.
    """
    models = known_models()
    if name in models:
        return models[name]
    if len(name) > LONGEST_MODEL_NAME or not is_printable(name):
        raise RequestError(
            f"{name[:80]!a} is no name of a model: it has at most {LONGEST_MODEL_NAME} characters, none of them a "
            "control character or a line break"
        )
    provider, slash, wire_name = name.partition("/")
    if slash and wire_name and provider in provider_names():
        known = models.get(wire_name)
        if known is not None and known.provider == provider:
            return replace(known, name=name)
        return ModelInfo(name=name, provider=provider, wire_name=wire_name)
    near = get_close_matches(name, models, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"write 'openai/{wire_name or name}' for any other model"
    if not provider or (slash and not wire_name):
        hint = "write a name of `orchestrator models`, or a provider, a slash and a name that it knows"
    elif slash and not near:
        there = ", ".join(sorted(provider_names()))
        hint = f"no provider {provider!r} is installed here; there are {there}: {hint}"
    raise RequestError(f"unknown model {name!r}; {hint}", details={"model": name, "nearest": near})
