"""What other installed packages declare for us by entry points, and the one error that says what is wrong with it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

from orchestrator.errors import SettingsError

__all__ = ["ACTIVITIES", "NODE_TYPES", "PROVIDERS", "Declared", "Origin", "declared", "refusal"]

NODE_TYPES: Final = "orchestrator.node_types"
ACTIVITIES: Final = "orchestrator.activities"
PROVIDERS: Final = "orchestrator.providers"


@dataclass(frozen=True, slots=True)
class Origin:
    """The package that something comes from, and its version."""

    package: str
    version: str

    def __str__(self) -> str:
        return f"{self.package} {self.version}"


@dataclass(frozen=True, slots=True)
class Declared:
    """One entry point: its name, and where it comes from."""

    name: str
    origin: Origin
    _entry: EntryPoint

    def load(self) -> Any:
        """The object it names.

        Raises:
            SettingsError: It cannot be imported; the message names package, entry point and reason.
        """
        try:
            return self._entry.load()
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise SettingsError(self.problem(f"cannot be imported ({reason})")) from error

    def problem(self, reason: str) -> str:
        """The sentence that says what is wrong with it."""
        return (
            f"package {self.origin}, entry point `{self.name} = {self._entry.value}` of {self._entry.group}: {reason}"
        )


def declared(group: str) -> list[Declared]:
    """The entry points of a group, by name and package."""
    return sorted(_found(group), key=lambda entry: (entry.name, entry.origin.package))


def _found(group: str) -> Iterator[Declared]:
    for entry in entry_points(group=group):
        about = entry.dist
        yield Declared(entry.name, Origin(about.name, about.version) if about else Origin("unknown", "0"), entry)


def refusal(problems: Sequence[str]) -> SettingsError:
    """The error for everything that is wrong with what is installed; there is at least one problem."""
    listed = "; ".join(problems)
    return SettingsError(f"An installed extension cannot be used: {listed}. Mend or uninstall the package.")
