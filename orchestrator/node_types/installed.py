"""The table of node types: the built-in ones, and those of installed packages, found when somebody first looks."""

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Final

from orchestrator import installed
from orchestrator.errors import SettingsError
from orchestrator.installed import Declared, Origin
from orchestrator.node_types.aliases import ALIASES
from orchestrator.node_types.base import ConfigModel, NodeType

__all__ = ["NodeTypes"]

_NAME: Final = re.compile(r"[A-Z][A-Za-z0-9]{0,99}")


class NodeTypes(Mapping[str, NodeType]):
    """Node types by name. Packages are looked for once per table.

    Every look into it raises ``SettingsError`` while an installed package declares a type that cannot be used: better
    than a worker that refuses, or leaves out, what another one runs.
    """

    def __init__(self, built_in: Mapping[str, NodeType]) -> None:
        self._built_in = built_in

    def __getitem__(self, name: str) -> NodeType:
        # Most lookups need not look at what is installed.
        found = self._built_in.get(name)
        return self._installed[name][0] if found is None else found

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from self._installed

    def __len__(self) -> int:
        return len(self._built_in) + len(self._installed)

    @property
    def origins(self) -> Mapping[str, Origin]:
        """The types that come from installed packages, and from which."""
        return {name: origin for name, (_, origin) in self._installed.items()}

    @cached_property
    def _installed(self) -> dict[str, tuple[NodeType, Origin]]:
        found: dict[str, tuple[NodeType, Origin]] = {}
        problems: list[str] = []
        for entry in installed.declared(installed.NODE_TYPES):
            reason = self._taken(entry.name, found)
            if reason is None:
                try:
                    kind = entry.load()
                except SettingsError as error:
                    problems.append(error.message)
                    continue
                reason = _unfit(entry, kind)
                found[entry.name] = kind, entry.origin
            if reason is not None:
                problems.append(entry.problem(reason))
        if problems:
            raise installed.refusal(problems)
        return found

    def _taken(self, name: str, found: Mapping[str, tuple[NodeType, Origin]]) -> str | None:
        if not _NAME.fullmatch(name):
            return "the name of a node type begins with a capital letter and has letters and digits only, at most 100"
        if name in self._built_in:
            return f"`{name}` is a built-in node type; choose another name"
        if name in ALIASES:
            return f"`{name}` is another word for the built-in `{ALIASES[name]}`; choose another name"
        return f"package {found[name][1]} declares `{name}` as well; uninstall one of them" if name in found else None


def _unfit(entry: Declared, kind: Any) -> str | None:
    """Why an object cannot be used as a node type; none if it can."""
    if not isinstance(kind, NodeType):
        return f"it must be a NodeType, not a {type(kind).__name__}"
    if kind.name != entry.name:
        return f"the NodeType is named `{kind.name}`; both names must be the same"
    if kind.tier == "control":
        return (
            "its tier is `control`, which the workflow performs itself: its code is replayed and cannot come from a "
            "package; use `quick` for computing and `work` for everything else"
        )
    if kind.ways is not None or kind.asides or kind.has_body or kind.body_roots:
        return "`ways`, `asides`, `has_body` and `body_roots` are for control nodes"
    config: Any = kind.config
    if not (isinstance(config, type) and issubclass(config, ConfigModel)):
        return "its config must be a class made from ConfigModel"
    return None
