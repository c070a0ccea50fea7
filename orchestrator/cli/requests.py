"""From what stands on the command line to a run's request: definition, inputs, context, limits."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from orchestrator.cli.json_texts import loaded
from orchestrator.contracts import LimitsRequest, RunContext, RunRequest
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.library import Library
from orchestrator.definition.limits import tighten
from orchestrator.definition.loader import load_file
from orchestrator.definition.model import Definition
from orchestrator.errors import (
    DefinitionError,
    DefinitionNotFoundError,
    InputError,
    OrchestratorError,
    RequestError,
)
from orchestrator.graph.inputs import input_schema
from orchestrator.graph.plan import Limits
from orchestrator.graph.schema import problems
from orchestrator.models import add_models
from orchestrator.settings import load_settings

__all__ = [
    "Wanted",
    "find_definition",
    "is_file",
    "made",
    "pairs",
    "read_inputs",
    "read_json",
    "read_object",
    "read_value",
    "wanted",
]

Made = TypeVar("Made", bound=BaseModel)

_ENDINGS = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run to start.

    ``problem`` is what is wrong with a definition given by its name, or with inputs for it, as far as the folder of
    this machine can tell. The library of the worker that takes the run counts, which may be another one.
    """

    request: RunRequest
    name: str
    definition: Definition | None = None
    problem: OrchestratorError | None = None


def wanted(
    reference: str,
    inputs: str | None,
    values: Sequence[str],
    *,
    library: Path,
    context: Mapping[str, Any],
    limits: Mapping[str, Any],
) -> Wanted:
    """The request for a run of ``reference``; checked here if that is a file, else by the worker.

    Raises:
        DefinitionError: A file breaks rules.
        DefinitionNotFoundError: There is no such file.
        InputError: The inputs do not fit the file.
        RequestError: An option is not well formed.
    """
    definition, problem = None, None
    try:
        definition = find_definition(reference, library)
    except (DefinitionError, DefinitionNotFoundError) as error:
        if is_file(reference):
            raise
        problem = error
    given = read_inputs(inputs, values, definition)
    request = _request(reference, definition, given, context, limits)
    tighten(Limits(), request.limits)  # whether they can be read depends on no definition
    if definition is not None:
        try:
            check_inputs(definition, given)
        except InputError as error:
            if is_file(reference):
                raise
            problem = error
    name = definition.name if definition else reference.partition("@")[0]
    return Wanted(request, name, definition, problem)


def _request(
    reference: str,
    definition: Definition | None,
    given: dict[str, Any],
    context: Mapping[str, Any],
    limits: Mapping[str, Any],
) -> RunRequest:
    return made(
        RunRequest,
        definition=definition.source.data if definition and is_file(reference) else reference,
        inputs=given,
        context=made(RunContext, **context),
        limits=made(LimitsRequest, **limits),
    )


def made(kind: type[Made], **fields: Any) -> Made:
    """An object of the contracts.

    Raises:
        RequestError: A field is not well formed; names the first such.
    """
    try:
        return kind(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise RequestError(f"{place}: {first['msg']}") from error


def is_file(reference: str) -> bool:
    """Whether a definition is given as a file rather than by its name."""
    return "/" in reference or reference.endswith(_ENDINGS) or Path(reference).is_file()


def find_definition(reference: str, library: Path) -> Definition:
    """The definition in a file, or by ``NAME`` or ``NAME@VERSION`` in the folder ``library``.

    Raises:
        DefinitionError: It breaks rules.
        DefinitionNotFoundError: There is none.
        RequestError: The name is not well formed.
        SettingsError: The file of models is wrong.
    """
    add_models(load_settings().models_file)
    if is_file(reference):
        return load_file(reference)
    name, _, version = reference.partition("@")
    return Library(library).load(name, version or None)


def read_json(option: str, text: str) -> Any:
    """The JSON value that an option holds: itself, ``@file``, or ``@-`` for standard input.

    Raises:
        RequestError: The file cannot be read, or the text is not JSON, or holds half a character.
    """
    where = option
    if text.startswith("@"):
        name = text[1:]
        where = f"{option} ({'standard input' if name == '-' else name})"
        try:
            text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise RequestError(f"{where} cannot be read: {error}") from error
    try:
        return loaded(where, text)
    except ValueError as error:
        raise RequestError(f'{where} is not JSON: {error}. Give an object such as \'{{"name": "Ada"}}\'') from error
    except RecursionError as error:
        raise RequestError(f"{where} is nested too deeply") from error


def read_object(option: str, text: str | None) -> dict[str, Any]:
    """The JSON object that an option holds; an empty one where it was not given.

    Raises:
        RequestError: It cannot be read, or is no object.
    """
    found: Any = {} if text is None else read_json(option, text)
    if not isinstance(found, dict):
        raise RequestError(f"{option} must be a JSON object: names and their values")
    return cast("dict[str, Any]", found)


def pairs(option: str, texts: Sequence[str]) -> dict[str, str]:
    """``key=value`` texts as a mapping.

    Raises:
        RequestError: One has no ``=``, or no key.
    """
    found: dict[str, str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise RequestError(f"{option} takes key=value, and {text[:80]!r} is not that")
        found[key] = value
    return found


def read_inputs(whole: str | None, values: Sequence[str], definition: Definition | None) -> dict[str, Any]:
    """The inputs that ``--input`` and ``-v`` give together.

    Args:
        whole: Those of ``--input``.
        values: Those of ``-v``, read by their types where the definition is known.
        definition: What they are for.

    Raises:
        RequestError: They cannot be read.
    """
    inputs = read_object("--input", whole)
    declared = definition.inputs if definition else {}
    for name, text in pairs("-v", values).items():
        schema = input_schema(declared[name]) if name in declared else {}
        inputs[name] = read_value(f"-v {name}", text, schema)
    return inputs


def read_value(where: str, text: str, schema: Mapping[str, Any]) -> Any:
    """The value that ``text`` stands for: JSON where that is of a type which ``schema`` names, else the text.

    Args:
        where: What it stands in, for messages: ``-v name``.
        text: As it was given.
        schema: What is wanted there.

    Raises:
        RequestError: It is JSON with half a character in it.
    """
    types = schema.get("type")
    if types in ("string", ["string"]):
        return text
    try:
        value = loaded(where, text)
    except (ValueError, RecursionError):
        return text
    return text if types is not None and problems({"type": types}, value) else value
