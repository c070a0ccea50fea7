"""YAML text to JSON values: YAML 1.2 scalars, no tags, one document, bounded aliases."""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import yaml

from orchestrator.definition.source import Builder, Mark, Source, finite, refuse

__all__ = ["read_yaml"]

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where it is there: an event takes microseconds, and a deep document cannot exhaust the stack."""
_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_HEX_OCTAL = re.compile(r"0x[0-9a-fA-F]+|0o[0-7]+")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: Final[dict[str, bool | None]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_MOST_DIGITS = 40
_TEXT_TAG = "tag:yaml.org,2002:str"


def read_yaml(text: str) -> Source:
    """Read one YAML document.

    Raises:
        DefinitionError: The text is not YAML, or not what a definition may hold.
    """
    builder = Builder()
    documents = 0
    try:
        for event in _events(text):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    refuse("DEF001", "A file holds one document; a second one starts here", _mark(event))
            _take(builder, event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "cannot be read"
        refuse("DEF001", f"Not YAML: {reason}", (mark.line + 1, mark.column + 1) if mark else None)
    except yaml.YAMLError as error:
        refuse("DEF001", f"Not YAML: {str(error).splitlines()[0]}")
    return builder.finish()


def _events(text: str) -> Iterator[Any]:
    parse = cast("Callable[..., Iterator[Any]]", yaml.parse)
    return parse(text, Loader=_Loader)


def _mark(event: Any) -> Mark:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _take(builder: Builder, event: Any) -> None:
    match event:
        case yaml.ScalarEvent():
            _take_scalar(builder, event)
        case yaml.AliasEvent():
            _no_key(builder, event)
            builder.alias(event.anchor or "", _mark(event))
        case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
            _no_key(builder, event)
            _no_tag(event)
            value: dict[str, Any] | list[Any] = {} if isinstance(event, yaml.MappingStartEvent) else []
            builder.open(value, _mark(event), event.anchor)
        case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
            builder.close()
        case _:
            return


def _no_key(builder: Builder, event: Any) -> None:
    if builder.wants_key:
        hint = "A value such as {{ inputs.x }} must stand in quotes."
        refuse("DEF003", "A key must be plain text", _mark(event), hint=hint)


def _no_tag(event: Any) -> None:
    if event.tag not in (None, "!", _TEXT_TAG):
        refuse("DEF001", f"The tag {event.tag} is not allowed", _mark(event), hint="A definition is plain data.")


def _take_scalar(builder: Builder, event: Any) -> None:
    _no_tag(event)
    mark = _mark(event)
    plain = event.style in (None, "") and event.tag is None
    value = _plain(event.value, mark) if plain else event.value
    if not builder.wants_key:
        builder.scalar(value, mark, event.anchor)
    elif isinstance(value, str):
        builder.key(value, mark)
    else:
        refuse("DEF003", f"The key {event.value!r} must be text", mark, hint="Write it in quotes.")


def _plain(text: str, mark: Mark) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.fullmatch(text) or _HEX_OCTAL.fullmatch(text):
        if len(text) > _MOST_DIGITS:
            refuse("DEF004", "This whole number does not fit in 64 bits", mark, hint="Write it as text, in quotes.")
        return int(text, 0 if _HEX_OCTAL.fullmatch(text) else 10)
    if _FLOAT.fullmatch(text):
        return finite(float(text), mark)
    if _NOT_FINITE.fullmatch(text):
        return finite(float("inf"), mark)
    return text
