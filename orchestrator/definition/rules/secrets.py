"""Secrets do not belong in a definition: it is stored, shown and pinned in the history of every run."""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

from orchestrator.definition.draft import Draft
from orchestrator.errors import Issue
from orchestrator.graph.plan import Path
from orchestrator.templating import is_template

__all__ = ["no_secrets_in_clear"]

_LOOKS_SECRET: Final = re.compile(
    r"\bsk-[A-Za-z0-9_-]{16,}|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_[A-Za-z0-9_]{20,}"
    r"|\bxox[abeoprs]-[A-Za-z0-9-]{10,}|-----BEGIN [A-Z ]{0,20}PRIVATE KEY|\bAIza[0-9A-Za-z_-]{35}"
    r"|://[^\s/:@{}]{1,64}:[^\s/:@{}]{1,128}@"
)
_NAMES_SECRET: Final = re.compile(
    r"(?:x[_-])?(?:api[_-]?key|apikey|password|passwd|(?:client|app)[_-]secret|secret|authorization"
    r"|proxy[_-]authorization|(?:access|auth|bearer|refresh)[_-]token|private[_-]key)",
    re.IGNORECASE,
)


def no_secrets_in_clear(draft: Draft) -> Iterator[Issue]:
    """DEF080. The message never shows the secret."""
    hint = (
        "Name a secret of the worker's, as HttpRequest does: `auth: {type: bearer, secret: crm_token}`; or take it "
        "from an input. And change it, since it was written down."
    )
    for path, text in _texts(draft.source.data, ()):
        key = path[-1] if path else ""
        named = isinstance(key, str) and _NAMES_SECRET.fullmatch(key) and path[0] == "nodes" and not _is_name(path)
        if _LOOKS_SECRET.search(text) or (named and text.strip() and not is_template(text)):
            yield draft.issue("DEF080", path, "A secret stands here in clear", hint)


def _is_name(path: Path) -> bool:
    """Whether the name of a secret stands there; what is no name, the node type refuses."""
    return path[-3:] == ("config", "auth", "secret")


def _texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in cast("dict[str, Any]", value).items():
            yield from _texts(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _texts(item, (*path, index))
