"""The safety checks there are: ours, and those of installed packages."""

import re
from collections.abc import Mapping
from functools import cache
from types import MappingProxyType
from typing import Any, Final, cast

from orchestrator import installed
from orchestrator.errors import SettingsError
from orchestrator.installed import Declared
from orchestrator.safety.base import ACTIONS, Check
from orchestrator.safety.characters import CHARACTERS, Size
from orchestrator.safety.injection import INJECTION
from orchestrator.safety.personal import PERSONAL
from orchestrator.safety.secrets import SECRETS

__all__ = ["BUILT_IN", "GROUP", "check_names", "checks"]

GROUP: Final = "orchestrator.checks"
"""The entry points of packages that have checks."""
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,63}")

BUILT_IN: Mapping[str, Check] = MappingProxyType(
    {check.name: check for check in (Size(), CHARACTERS, SECRETS, PERSONAL, INJECTION)}
)
"""Our checks by name, in the order in which they look at a text."""


@cache
def check_names() -> tuple[str, ...]:
    """Every name that a definition may use; packages are looked for once, and not loaded."""
    return (*BUILT_IN, *(entry.name for entry in installed.declared(GROUP) if entry.name not in BUILT_IN))


@cache
def checks() -> Mapping[str, Check]:
    """Every check by its name, in the order in which they look at a text: ours, then those of packages.

    Raises:
        SettingsError: A package declares one that cannot be used; the message has everything that is wrong.
    """
    found: dict[str, Check] = dict(BUILT_IN)
    problems: list[str] = []
    for entry in installed.declared(GROUP):
        try:
            check = entry.load()
        except SettingsError as error:
            problems.append(error.message)
            continue
        reason = _unfit(entry, check, found)
        if reason is not None:
            problems.append(entry.problem(reason))
        found.setdefault(entry.name, cast("Check", check))
    if problems:
        raise installed.refusal(problems)
    return MappingProxyType(found)


def _unfit(entry: Declared, check: Any, found: Mapping[str, Check]) -> str | None:
    """Why an object cannot be used as a check; none if it can."""
    if not _NAME.fullmatch(entry.name):
        return "the name of a check has small letters, digits and underscores, and begins with a letter"
    if entry.name in found:
        return f"there is a check `{entry.name}` already; choose another name"
    if getattr(check, "name", None) != entry.name:
        return f"it must be a check whose `name` is `{entry.name}`"
    if getattr(check, "usual", None) not in ACTIONS:
        return f"its `usual` must be one of {', '.join(ACTIONS)}"
    return None if callable(getattr(check, "find", None)) else "it must have a method `find`"
