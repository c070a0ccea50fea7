"""Check of the folder of definitions: how many there are, and which are not valid."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok, warn
from orchestrator.compiler import compile_definition
from orchestrator.definition.library import Library
from orchestrator.errors import OrchestratorError, RequestError
from orchestrator.graph.plan import Plan
from orchestrator.models import add_models, find_model
from orchestrator.models.retiring import retirement
from orchestrator.settings import Settings

__all__ = ["checks"]

_MOST_SHOWN = 5
_ASKING = frozenset({"ModelInvoke", "Embed"})


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
    leaving: dict[str, None] = {}
    for entry in entries:
        try:
            plan = compile_definition(library.load(entry.name, entry.version), library.find)
        except OrchestratorError:
            invalid.append(entry.file.name)
        else:
            leaving |= dict.fromkeys(f"{entry.file.name}: {said}" for said in _leaving(plan))
    if invalid:
        more = f" and {len(invalid) - _MOST_SHOWN} more" if len(invalid) > _MOST_SHOWN else ""
        says = f"{len(invalid)} of {len(entries)} in {folder} are not valid: {', '.join(invalid[:_MOST_SHOWN])}{more}"
        shown = " ".join(str(settings.definitions_dir / name) for name in invalid[:_MOST_SHOWN])
        return [fail("definitions", says, f"`orchestrator validate {shown}` says what is wrong.")]
    valid = ok("definitions", f"{len(entries)} in {folder}, all valid")
    return [valid, *(warn("models", said, "Name another model there: `orchestrator models`.") for said in leaving)]


def _leaving(plan: Plan) -> Iterator[str]:
    """What is said of the models of a plan that are served no more, or not for long."""
    for name in dict.fromkeys(_models(plan)):
        # A name that is told only when a run starts is no model.
        with suppress(RequestError):
            if said := retirement(find_model(name)):
                yield said


def _models(plan: Plan) -> Iterator[str]:
    for part in (plan, *plan.bodies.values()):
        for node in part.nodes:
            config: Any = node.config.value
            if node.type in _ASKING:
                yield from (config["model"], *config.get("fallback", ()))
