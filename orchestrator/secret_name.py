"""How a secret or a connection of the worker's is named in a definition, where its value never stands."""

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, StringConstraints

__all__ = ["SECRET_NAME", "SecretName"]

SECRET_NAME = r"[a-z][a-z0-9_]{0,63}"  # noqa: S105 - what names look like


def _named(value: Any) -> Any:
    if isinstance(value, str) and not re.fullmatch(SECRET_NAME, value):
        raise ValueError(
            "has to be the name of a secret that the worker has: up to 64 small letters, digits and underscores, "
            "a letter first, and no template"
        )
    return value


SecretName = Annotated[str, StringConstraints(pattern=f"^{SECRET_NAME}$"), BeforeValidator(_named)]
"""Small letters, digits, underscores; a letter first. A config field of it is marked ``VerbatimMark``: no template."""
