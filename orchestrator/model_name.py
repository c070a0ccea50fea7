"""What a model may be called: a name that logs, messages and a database can hold."""

import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field

__all__ = ["LONGEST_MODEL_NAME", "ModelName", "is_printable"]

LONGEST_MODEL_NAME = 200
_UNPRINTABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})


def is_printable(name: str) -> bool:
    """Whether a name has neither control characters nor line breaks, nor half a character."""
    return not any(unicodedata.category(character) in _UNPRINTABLE for character in name)


def _printable(name: str) -> str:
    if not is_printable(name):
        raise ValueError("the name of a model must not have control characters or line breaks")
    return name


ModelName = Annotated[str, Field(min_length=1, max_length=LONGEST_MODEL_NAME), AfterValidator(_printable)]
"""A name as a config has it once it is rendered; whether there is such a model, ``find_model`` says."""
