"""Other words for node types: read as the type itself, so that whatever comes after reading knows one name only."""

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ALIASES", "aliases_of", "canonical"]

ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "DataProcessing": "Transform",
        "Delay": "Wait",
        "Sleep": "Wait",
        "approval": "Approval",
        "data_input": "DataInput",
        "data_processing": "Transform",
        "database_insert": "DatabaseInsert",
        "database_query": "DatabaseQuery",
        "delay": "Wait",
        "embed": "Embed",
        "for_each": "ForEach",
        "format": "Format",
        "http_fetch": "HttpRequest",
        "http_request": "HttpRequest",
        "llm": "ModelInvoke",
        "llm_call": "ModelInvoke",
        "model_invoke": "ModelInvoke",
        "router": "Router",
        "save_to_file": "SaveToFile",
        "send_email": "SendEmail",
        "sleep": "Wait",
        "subworkflow": "Subworkflow",
        "transform": "Transform",
        "user_input": "UserInput",
        "wait": "Wait",
    }
)
"""The word, and the built-in type that it stands for: each of them in snake_case, and words of other formats."""


def canonical(word: str) -> str:
    """The name of the node type that ``word`` stands for; a word that is no alias is given back."""
    return ALIASES.get(word, word)


def aliases_of(name: str) -> tuple[str, ...]:
    """The other words for the node type ``name``, in the order of the table."""
    return tuple(alias for alias, meant in ALIASES.items() if meant == name)
