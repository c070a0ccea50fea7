"""The rules a definition must keep. Each is a generator of issues; all run, so that an author sees every problem at once."""

from collections.abc import Callable, Iterator

from orchestrator.definition.draft import Draft
from orchestrator.errors import Issue

__all__ = ["RULES", "broken_rules"]

RULES: tuple[Callable[[Draft], Iterator[Issue]], ...] = ()


def broken_rules(draft: Draft) -> list[Issue]:
    """Every issue of every rule."""
    return [issue for rule in RULES for issue in rule(draft)]
