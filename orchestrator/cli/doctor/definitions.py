"""Check of the folder of definitions: how many there are, and which are not valid."""

from collections.abc import Sequence
from functools import partial

from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok, warn
from orchestrator.compiler import compile_definition
from orchestrator.definition.library import Library
from orchestrator.errors import OrchestratorError
from orchestrator.models import add_models
from orchestrator.settings import Settings

__all__ = ["checks"]

_MOST_SHOWN = 5


def checks(settings: Settings) -> dict[str, Check]:
    """The checks of this family."""
    return {"definitions": partial(in_thread, partial(_definitions, settings))}


def _definitions(settings: Settings) -> Sequence[Finding]:
    folder = settings.definitions_dir.absolute()
    if not folder.is_dir():
        mend = "`orchestrator new hello` makes it, or set ORCHESTRATOR_DEFINITIONS_DIR. Files can be run without it."
        return [warn("definitions", f"there is no folder {folder}", mend)]
    add_models(settings.models_file)
    library = Library(folder)
    entries = library.entries()
    if not entries:
        return [warn("definitions", f"none in {folder}", "`orchestrator new hello` writes one.")]
    invalid: list[str] = []
    for entry in entries:
        try:
            compile_definition(library.load(entry.name, entry.version), library.find)
        except OrchestratorError:
            invalid.append(entry.file.name)
    if invalid:
        more = f" and {len(invalid) - _MOST_SHOWN} more" if len(invalid) > _MOST_SHOWN else ""
        says = f"{len(invalid)} of {len(entries)} in {folder} are not valid: {', '.join(invalid[:_MOST_SHOWN])}{more}"
        shown = " ".join(str(settings.definitions_dir / name) for name in invalid[:_MOST_SHOWN])
        return [fail("definitions", says, f"`orchestrator validate {shown}` says what is wrong.")]
    return [ok("definitions", f"{len(entries)} in {folder}, all valid")]
