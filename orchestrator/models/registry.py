"""The language models a definition may name, and which provider answers for each."""

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from types import MappingProxyType

from orchestrator.errors import RequestError
from orchestrator.installed import PROVIDERS, declared
from orchestrator.models.info import ModelInfo
from orchestrator.models.reading import read_models

__all__ = [
    "BUILT_IN_PROVIDERS",
    "OPENAI",
    "SIMULATED",
    "add_models",
    "find_model",
    "known_models",
    "provider_names",
]

OPENAI = "openai"
SIMULATED = "simulated"
BUILT_IN_PROVIDERS = (OPENAI, SIMULATED)

_OURS = Path(__file__).with_name("registry.yaml")
_added: dict[str, ModelInfo] = {}


@cache
def _ours() -> Mapping[str, ModelInfo]:
    return MappingProxyType(read_models(_OURS))


def known_models() -> Mapping[str, ModelInfo]:
    """The models known by a short name. Any other is written ``<provider>/<name>``."""
    return MappingProxyType({**_ours(), **_added})


def add_models(path: Path | None) -> None:
    """From now on, in this process, the models of the file at ``path`` come first; none: only ours.

    Raises:
        SettingsError: The file cannot be read, or is no registry.
    """
    found = {} if path is None else read_models(path)
    _added.clear()
    _added.update(found)


@cache
def provider_names() -> frozenset[str]:
    """The built-in providers, and those of installed packages."""
    return frozenset((*BUILT_IN_PROVIDERS, *(entry.name for entry in declared(PROVIDERS))))


def find_model(name: str) -> ModelInfo:
    """The model called ``name``: one of ``known_models()``, or ``<provider>/<any name that provider knows>``.

    Raises:
        RequestError: No model has this name; the message has the nearest one.
    """
    models = known_models()
    if name in models:
        return models[name]
    provider, slash, wire_name = name.partition("/")
    if slash and wire_name and provider in provider_names():
        known = models.get(wire_name)
        if known is not None and known.provider == provider:
            return replace(known, name=name)
        return ModelInfo(name=name, provider=provider, wire_name=wire_name)
    near = get_close_matches(name, models, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"write 'openai/{wire_name or name}' for any other model"
    if slash and wire_name and not near:
        there = ", ".join(sorted(provider_names()))
        hint = f"no provider {provider!r} is installed here; there are {there}: {hint}"
    raise RequestError(f"unknown model {name!r}; {hint}", details={"model": name, "nearest": near})
