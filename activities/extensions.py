"""Performs what installed packages declare: node types and model providers, from their entry points."""

import inspect
import os
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NoReturn, cast

from dotenv import dotenv_values
from temporalio import activity
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from activities.extending import ExtensionContext, Secrets
from activities.providers.base import ChatProvider
from activities.runtime import NodeActivity, node_activity, quick_activity
from activities.secrets import ENV_FILE
from orchestrator import installed
from orchestrator.contracts import NodeCall, NodeOutput
from orchestrator.errors import NodeError, OrchestratorError, SettingsError
from orchestrator.installed import Declared
from orchestrator.models import BUILT_IN_PROVIDERS
from orchestrator.node_types import NODE_TYPES
from orchestrator.node_types.base import ConfigModel, NodeType

__all__ = ["SETTINGS_PREFIX", "extension_activities", "extension_providers", "extension_settings", "not_installed"]

SETTINGS_PREFIX: Final = "ORCHESTRATOR_EXTENSION_"
_PROVIDER: Final = re.compile(r"[a-z][a-z0-9_-]{0,63}")


def extension_settings() -> Mapping[str, str]:
    """The variables of this process, and of ``.env``, that begin with ``ORCHESTRATOR_EXTENSION_``, without that."""
    variables = {**dotenv_values(ENV_FILE, interpolate=False), **os.environ}
    return {
        name.removeprefix(SETTINGS_PREFIX).lower(): value
        for name, value in variables.items()
        if name.startswith(SETTINGS_PREFIX) and value
    }


def extension_activities(context: ExtensionContext) -> list[NodeActivity]:
    """The activities that perform the node types of installed packages.

    Args:
        context: What their factories are given. Its secrets are masked wherever a handler could show them.

    Raises:
        SettingsError: A package declares something that cannot be used; the message has everything that is wrong.
    """
    made: dict[str, NodeActivity] = {}
    problems: list[str] = []
    origins = NODE_TYPES.origins
    for entry in installed.declared(installed.ACTIVITIES):
        try:
            if entry.name in made:
                _refuse(entry, f"there are two activities for `{entry.name}`; uninstall one of the packages")
            if entry.name not in origins:
                _refuse(entry, f"no package declares a node type `{entry.name}` in {installed.NODE_TYPES}")
            handle = _made(entry, context)
            made[entry.name] = _activity(entry, NODE_TYPES[entry.name], handle, context)
        except SettingsError as error:
            problems.append(error.message)
    declared = {entry.name for entry in installed.declared(installed.ACTIVITIES)}
    problems += [
        f"package {origins[name]}: the node type `{name}` has no activity; declare one of that name in "
        f"{installed.ACTIVITIES}"
        for name in origins
        if name not in declared
    ]
    if problems:
        raise installed.refusal(problems)
    return list(made.values())


def extension_providers(context: ExtensionContext) -> dict[str, ChatProvider]:
    """The model providers of installed packages, by the name that stands before the slash in a model's name.

    Raises:
        SettingsError: A package declares something that cannot be used; the message has everything that is wrong.
    """
    made: dict[str, ChatProvider] = {}
    problems: list[str] = []
    for entry in installed.declared(installed.PROVIDERS):
        try:
            if not _PROVIDER.fullmatch(entry.name):
                _refuse(entry, "the name of a provider has small letters, digits, - and _, and begins with a letter")
            if entry.name in (*BUILT_IN_PROVIDERS, *made):
                _refuse(entry, f"there is a provider `{entry.name}` already; choose another name")
            provider = _made(entry, context)
            if not isinstance(getattr(provider, "name", None), str):
                _refuse(entry, "its factory must give a ChatProvider; what it gave has no `name`")
            if not inspect.iscoroutinefunction(getattr(provider, "complete", None)):
                _refuse(entry, "its factory must give a ChatProvider; what it gave has no `async def complete`")
            made[entry.name] = cast("ChatProvider", provider)
        except SettingsError as error:
            problems.append(error.message)
    if problems:
        raise installed.refusal(problems)
    return made


def _refuse(entry: Declared, reason: str) -> NoReturn:
    raise SettingsError(entry.problem(reason))


def _made(entry: Declared, context: ExtensionContext) -> Any:
    """What the factory of an entry point gives."""
    factory = entry.load()
    if not callable(factory):
        _refuse(entry, f"it must be a factory that takes an ExtensionContext, not a {type(factory).__name__}")
    try:
        return factory(context)
    except Exception as error:
        reason = error.message if isinstance(error, OrchestratorError) else f"{type(error).__name__}: {error}"
        raise SettingsError(context.secrets.mask(entry.problem(f"its factory failed ({reason})"))) from error


def _activity(entry: Declared, kind: NodeType, handle: Any, context: ExtensionContext) -> NodeActivity:
    secrets = context.secrets
    if not callable(handle):
        _refuse(entry, f"its factory must give a handler, not a {type(handle).__name__}")
    waits = inspect.iscoroutinefunction(handle) or inspect.iscoroutinefunction(type(handle).__call__)
    if waits != (kind.tier == "work"):
        wanted = (
            "`async def`, since its tier is `work`" if kind.tier == "work" else "plain `def`, as its tier is `quick`"
        )
        _refuse(entry, f"its handler must be {wanted}")
    if kind.tier == "work":
        return node_activity(kind, kind.config, _guarded(kind, handle, secrets), context.blobs)

    def quick(config: ConfigModel, call: NodeCall) -> NodeOutput:
        try:
            return _checked(kind, handle(config, call), secrets)
        except OrchestratorError as error:
            _mask(error, secrets)
            raise

    return quick_activity(kind, kind.config, quick, context.blobs)


def _guarded(kind: NodeType, handle: Any, secrets: Secrets) -> Any:
    async def work(config: ConfigModel, call: NodeCall) -> NodeOutput:
        try:
            return _checked(kind, await handle(config, call), secrets)
        except OrchestratorError as error:
            _mask(error, secrets)
            raise

    return work


def _checked(kind: NodeType, output: Any, secrets: Secrets) -> NodeOutput:
    """What a handler gave, if it is what its type declares, without secrets."""
    if not isinstance(output, NodeOutput):
        raise NodeError(f"the handler of {kind.name} gave a {type(output).__name__}, not a NodeOutput")
    missing = [name for name in kind.outputs or () if name not in output.output]
    if missing:
        raise NodeError(f"the handler of {kind.name} left out {', '.join(missing)}, which the node type declares")
    return output.model_copy(update={"output": secrets.mask(output.output)})


def _mask(error: OrchestratorError, secrets: Secrets) -> None:
    error.message, error.details = secrets.mask(error.message), secrets.mask(error.details)


@activity.defn(dynamic=True)
async def not_installed(_args: Sequence[RawValue]) -> None:
    """Stands in for every activity that this worker does not know.

    Raises:
        ApplicationError: Always. It may be tried again: while workers are being replaced, another may know it.
    """
    name = activity.info().activity_type
    raise ApplicationError(
        f"this worker has no node type `{name}`: install the package that declares it on every worker of the task "
        "queue, then retry the node",
        {"node_type": name},
        type=NodeError.code,
    )
