"""Does what ``validate``, ``graph`` and ``new`` ask for."""

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.cli.errors import INVALID, ISSUE_COLUMNS, NOT_FOUND, OK, issue_rows
from orchestrator.cli.output import data, out, say, table
from orchestrator.cli.requests import find_definition
from orchestrator.cli.templates import TEMPLATES
from orchestrator.compiler import compile_definition
from orchestrator.definition.library import Library
from orchestrator.definition.mermaid import to_mermaid
from orchestrator.definition.model import NAME
from orchestrator.definition.taint import set_least, taint_warnings
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import DefinitionError, DefinitionNotFoundError, RequestError
from orchestrator.graph.plan import Plan, PlanEdge, PlanNode
from orchestrator.settings import load_settings

__all__ = ["graph", "new", "validate"]

_ROLES: Final = {"main": "", "finally": " (at the very end)", "compensate": " (undoes another node)"}
_SIDES: Final = {"error": " when it fails", "expiry": " when nobody answers in time", "reject": " when it is rejected"}


def validate(files: Sequence[str], *, as_json: bool) -> int:
    """Print what is wrong with each definition. Returns the exit code: invalid comes before not found."""
    settings = load_settings()
    set_least(settings.taint)
    library = settings.definitions_dir
    find = Library(library).find
    reports: list[dict[str, Any]] = []
    codes: set[int] = set()
    for file in files:
        try:
            definition = find_definition(file, library)
            compile_definition(definition, find)
        except (DefinitionError, DefinitionNotFoundError) as error:
            codes.add(INVALID if isinstance(error, DefinitionError) else NOT_FOUND)
            reports.append(_complaint(file, error))
            if not as_json:
                _print_complaint(file, error)
        else:
            about = {"name": definition.name, "version": definition.version}
            warnings = taint_warnings(definition, find)
            shown = [issue.as_dict() for issue in warnings]
            reports.append({"file": file, "valid": True, **about, "issues": [], "warnings": shown})
            if not as_json:
                count = len(definition.nodes)
                nodes = "1 node" if count == 1 else f"{count} nodes"
                out(f"{file}: valid ({definition.name} {definition.version}, {nodes})")
                if warnings:
                    say(f"{file}: {'1 warning' if len(warnings) == 1 else f'{len(warnings)} warnings'}")
                    table(ISSUE_COLUMNS, issue_rows(warnings))
    if as_json:
        data(reports)
    return INVALID if INVALID in codes else NOT_FOUND if codes else OK


def _complaint(file: str, error: DefinitionError | DefinitionNotFoundError) -> dict[str, Any]:
    issues = [issue.as_dict() for issue in error.issues] if isinstance(error, DefinitionError) else []
    return {"file": file, "valid": False, "code": error.code, "message": error.message, "issues": issues}


def _print_complaint(file: str, error: DefinitionError | DefinitionNotFoundError) -> None:
    if not isinstance(error, DefinitionError) or not error.issues:
        say(f"error {error.code}: {error.message}")
        return
    count = len(error.issues)
    out(f"{file}: {'1 problem' if count == 1 else f'{count} problems'}")
    table(ISSUE_COLUMNS, issue_rows(error.issues))


def graph(reference: str, *, form: str, as_json: bool) -> None:
    """Print the graph of a definition."""
    library = load_settings().definitions_dir
    plan = compile_definition(find_definition(reference, library), Library(library).find)
    text = to_mermaid(plan) if form == "mermaid" else _as_text(plan)
    if as_json:
        data({"name": plan.name, "version": plan.version, "format": form, "graph": text})
    else:
        sys.stdout.write(text)


def _as_text(plan: Plan) -> str:
    return "\n".join([f"{plan.name} {plan.version}", *_lines(plan, plan.bodies, "", set())]) + "\n"


def _lines(plan: Plan, bodies: Mapping[str, Plan], margin: str, shown: set[str]) -> Iterator[str]:
    """The nodes of one graph, each with its ways out and, the first time, the graph that it runs."""
    ways: dict[str, list[PlanEdge]] = {}
    for edge in plan.edges:
        ways.setdefault(edge.source, []).append(edge)
    for node in plan.nodes:
        join = " (starts with the first way in)" if node.join == "any" else ""
        yield f"{margin}{node.id}: {node.type}{join}{_ROLES[node.role]}"
        for edge in ways.get(node.id, ()):
            when = f" when {' '.join(edge.when.text.split())}" if edge.when else ""
            when = when or (" otherwise" if node.exclusive and edge.kind == "normal" else _SIDES.get(edge.kind, ""))
            bound = f", at most {edge.max_visits} visits" if edge.max_visits else ""
            yield f"{margin}  {'back to' if edge.max_visits else 'to'} {edge.target}{when}{bound}"
        if node.compensate is not None:
            yield f"{margin}  undone by {node.compensate}"
        if node.body is not None:
            each = "for each item" if node.type == "ForEach" else "runs"
            yield f"{margin}  {each} {_titled(bodies[node.body], node)}"
            if node.body not in shown:
                shown.add(node.body)
                yield from _lines(bodies[node.body], bodies, f"{margin}    ", shown)


def _titled(body: Plan, node: PlanNode) -> str:
    return f"{body.name} {body.version}" if node.config.value.get("definition") else "this graph"


def new(name: str, *, template: str, folder: Path | None, force: bool, as_json: bool) -> None:
    """Write a definition from a template.

    Raises:
        RequestError: The name or the template is not one, or a file is in the way.
    """
    if not re.fullmatch(NAME.removesuffix("$"), name):
        raise RequestError(f"{name[:100]!r} is not a name: up to 100 small letters, digits and dashes, no dash first")
    if template not in TEMPLATES:
        hint = did_you_mean(template, TEMPLATES)
        raise RequestError(
            f"no template {template[:100]!r}; there are {', '.join(TEMPLATES)}{f'. {hint}' if hint else ''}"
        )
    file = (folder or load_settings().definitions_dir) / f"{name}.yaml"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("w" if force else "x", encoding="utf-8") as stream:
            stream.write(TEMPLATES[template].replace("name: NAME", f"name: {name}", 1))
    except FileExistsError as error:
        raise RequestError(f"{file} is there already; --force overwrites it") from error
    except OSError as error:
        raise RequestError(f"{file} cannot be written: {error.strerror}") from error
    if as_json:
        data({"name": name, "file": str(file)})
        return
    out(str(file))
    say(f"check it with `orchestrator validate {file}`, run it with `orchestrator run {file}`")
