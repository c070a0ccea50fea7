"""Text to checked cases: every problem with its line and column, and the nearest right name."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any, cast

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orchestrator.compiler import compile_definition
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.library import Library
from orchestrator.definition.loader import load_file
from orchestrator.definition.model import Definition
from orchestrator.definition.source import MAX_BYTES, Source
from orchestrator.definition.words import did_you_mean, explain, spell
from orchestrator.definition.yaml_reader import read_yaml
from orchestrator.errors import DefinitionError, InputError, Issue, OrchestratorError, RequestError
from orchestrator.graph.plan import Path, Plan, PlanNode
from orchestrator.testkit.labels import Label, find_node, nodes_under
from orchestrator.testkit.model import AT, Case, CaseFile

__all__ = ["CASES", "CaseFileError", "Suite", "load_cases"]

CASES = ".cases.yaml"
"""Ending of a file of cases beside the definition that it is about."""


class CaseFileError(RequestError):
    """A file of cases cannot be used; ``issues`` say all that is wrong with it."""

    def __init__(self, file: File, issues: list[Issue]) -> None:
        self.issues = tuple(sorted(issues, key=lambda issue: (issue.line or 0, issue.column or 0)))
        first = self.issues[0]
        place = f"{file}:{first.line}:{first.column}" if first.line else f"{file}"
        more = f" (and {len(issues) - 1} more)" if len(issues) > 1 else ""
        super().__init__(f"{place}: {first.message}{f'. {first.hint}' if first.hint else ''}{more}")


@dataclass(frozen=True, slots=True)
class Suite:
    """The cases of one file, and the definition they are about.

    ``request`` is what a run is asked for with: the name of a definition in the folder, or the whole of one.
    """

    file: File
    definition: Definition
    request: dict[str, Any] | str
    plan: Plan
    children: Mapping[str, Plan]
    cases: tuple[Case, ...]


def load_cases(file: File, library: File) -> Suite:
    """The cases in a file.

    Args:
        file: The file.
        library: The folder of definitions that cases may name.

    Raises:
        CaseFileError: It cannot be read, something in it is wrong, or its definition is.
    """
    return _Reader(file, _source(file), library).suite()


def _source(file: File) -> Source:
    try:
        with file.open("rb") as stream:
            text = stream.read(MAX_BYTES + 1)
        if len(text) > MAX_BYTES:
            raise CaseFileError(file, [Issue("CASE01", "", f"A file of cases may take at most {MAX_BYTES:,} bytes")])
        return read_yaml(text.decode("utf-8-sig"))
    except OSError as error:
        raise CaseFileError(file, [Issue("CASE01", "", f"It cannot be read: {error.strerror or error}")]) from error
    except UnicodeDecodeError as error:
        raise CaseFileError(file, [Issue("CASE01", "", "The text is not UTF-8")]) from error
    except DefinitionError as error:
        raise CaseFileError(file, [_said_of_cases(issue) for issue in error.issues]) from error


def _said_of_cases(issue: Issue) -> Issue:
    if issue.code == "DEF005":
        return Issue("CASE01", "", "A file of cases must be a mapping: definition, cases", issue.line, issue.column)
    message = issue.message.replace("a definition", "a file of cases").replace("A definition", "A file of cases")
    return Issue("CASE01", issue.path, message, issue.line, issue.column, issue.hint)


class _Reader:
    def __init__(self, file: File, source: Source, library: File) -> None:
        self._file = file
        self._source = source
        self._library = Library(library)
        self._issues: list[Issue] = []

    def suite(self) -> Suite:
        found = self._shape()
        self._stop_if_wrong()
        definition, request = self._definition(found.definition)
        plan, children = self._plans(definition)
        names: set[str] = set()
        for number, case in enumerate(found.cases):
            at: Path = ("cases", number)
            if case.name in names:
                self._wrong((*at, "name"), f"Two cases have the name {case.name!r}")
            names.add(case.name)
            self._check_inputs(definition, case, at)
            self._check_labels(plan, children, case, at)
            self._check_expected(plan, case, at)
            self._check_times(case, at)
        self._stop_if_wrong()
        return Suite(self._file, definition, request, plan, children, tuple(found.cases))

    def _stop_if_wrong(self) -> None:
        if self._issues:
            raise CaseFileError(self._file, self._issues)

    def _wrong(self, path: Path, message: str, hint: str | None = None, *, key: bool = False) -> None:
        line, column = self._source.mark(path, key=key) or (None, None)
        self._issues.append(Issue("CASE02", spell(path), message, line, column, hint))

    def _shape(self) -> CaseFile:
        try:
            return CaseFile.model_validate(self._source.data)
        except ValidationError as error:
            problems = error.errors(include_url=False)
        for problem in problems:
            self._report(problem)
        meant = {issue.hint for issue in self._issues}
        # A field that was mistyped is not missing as well.
        found = [issue for issue in dict.fromkeys(self._issues) if _meaning(issue.message) not in meant]
        raise CaseFileError(self._file, found)

    def _report(self, problem: ErrorDetails) -> None:
        path = tuple(_real(problem["loc"], self._source.data))
        if _off_the_branch(problem, path, self._source.data):
            return
        name = str(path[-1]) if path else "the file"
        if problem["type"] == "missing":
            self._wrong(path[:-1], f"The field `{name}` is missing")
        elif problem["type"] == "extra_forbidden":
            model = AT.get(_kind_of_place(path[:-1]))
            fields = list(model.model_fields) if model is not None else []
            self._wrong(path, f"The field `{name}` is unknown", did_you_mean(name, fields, most=12), key=True)
        else:
            whole = spell(path) if path and isinstance(path[-1], int) else name
            self._wrong(path, f"`{whole}` {explain(problem)}")

    def _definition(self, reference: str | None) -> tuple[Definition, dict[str, Any] | str]:
        if reference is None and not self._file.name.endswith(CASES):
            self._wrong((), "The field `definition` is missing", f"Only NAME{CASES} may leave it out.")
            self._stop_if_wrong()
        try:
            if reference is not None and not _is_path(reference):
                return self._library.find(reference), reference
            beside = reference or f"{self._file.name.removesuffix(CASES)}.yaml"
            definition = load_file(self._file.parent / beside)
        except OrchestratorError as error:
            self._wrong(("definition",), f"The definition cannot be used: {error.message}")
            raise CaseFileError(self._file, self._issues) from error
        return definition, definition.source.data

    def _plans(self, definition: Definition) -> tuple[Plan, dict[str, Plan]]:
        try:
            plan = compile_definition(definition, self._library.find)
            return plan, dict(self._children(plan))
        except OrchestratorError as error:
            self._wrong(("definition",), f"The definition cannot be used: {error.message}")
            raise CaseFileError(self._file, self._issues) from error

    def _children(self, plan: Plan) -> Iterator[tuple[str, Plan]]:
        """The plans of runs that are started as children, which have nodes of their own to mock."""
        waiting = [("", plan)]
        for around, scope in waiting:
            if len(waiting) > _MOST_CHILDREN:
                return
            for place, (_, node) in nodes_under(scope).items():
                if (child := self._child(node)) is not None:
                    full = f"{around}.{place}".removeprefix(".")
                    waiting.append((full, child))
                    yield full, child

    def _child(self, node: PlanNode) -> Plan | None:
        config: Any = node.config.value
        if node.type != "Subworkflow" or not isinstance(config, dict):
            return None
        fields = cast("dict[str, Any]", config)
        reference = fields.get("definition")
        if fields.get("mode") != "child" or not isinstance(reference, str):
            return None
        return compile_definition(self._library.find(reference), self._library.find)

    def _check_inputs(self, definition: Definition, case: Case, at: Path) -> None:
        try:
            check_inputs(definition, case.inputs)
        except InputError as error:
            if case.expect.error is None or case.expect.error.code != error.code:
                place: Path = (*at, "inputs") if case.inputs else at
                self._wrong(place, error.message[:1].upper() + error.message[1:])

    def _check_labels(self, plan: Plan, children: Mapping[str, Plan], case: Case, at: Path) -> None:
        for text in case.mocks:
            path: Path = (*at, "mocks", text)
            node = self._node(plan, children, text, path)
            if node is None:
                continue
            if node.activity is None:
                advice = _INSTEAD.get(node.type, "It is performed by the run itself.")
                self._wrong(path, f"`{text}` is a {node.type}, which cannot be mocked", advice, key=True)
        for number, step in enumerate(case.messages):
            if step.node is not None:
                self._node(plan, children, step.node, (*at, "messages", number, "node"))
        for field in ("path", "path_in_order", "skipped", "awaiting", "parked", "undone"):
            for number, text in enumerate(getattr(case.expect, field) or ()):
                self._node(plan, children, text, (*at, "expect", field, number))
        for text in case.expect.attempts:
            self._node(plan, children, text, (*at, "expect", "attempts", text))

    def _node(self, plan: Plan, children: Mapping[str, Plan], text: str, path: Path) -> PlanNode | None:
        try:
            label = Label.read(text)
        except ValueError as error:
            self._wrong(path, f"`{text}` {error}", key=path[-1] == text)
            return None
        found = find_node(plan, label, children)
        if found.node is None:
            self._wrong(path, found.problem, found.hint, key=path[-1] == text)
        return found.node

    def _check_expected(self, plan: Plan, case: Case, at: Path) -> None:
        outputs = list(cast("dict[str, Any]", plan.outputs.value))
        for field, known in (("outputs", outputs), ("state", list(plan.state))):
            for name in getattr(case.expect, field):
                if name not in known:
                    what = "output" if field == "outputs" else "channel of shared state"
                    hint = did_you_mean(name, known) or ("There is none." if not known else None)
                    self._wrong((*at, "expect", field, name), f"There is no {what} `{name}`", hint, key=True)

    def _check_times(self, case: Case, at: Path) -> None:
        latest = 0.0
        for number, step in enumerate(case.messages):
            if step.at is not None and step.at < latest:
                self._wrong((*at, "messages", number, "at"), "It comes before the step above it", "Put them in order.")
            latest = max(latest, step.at or 0.0)


_MOST_CHILDREN = 100
_INSTEAD: Mapping[str, str] = {
    "UserInput": "Answer it under `messages`.",
    "Approval": "Answer it under `messages`.",
    "Wait": "Waiting takes no time here.",
    "ForEach": "Mock the nodes in it: `items[*].answer`.",
    "Subworkflow": "Mock the nodes in it: `sub.answer`.",
}


def _real(place: tuple[int | str, ...], data: Any) -> Iterator[int | str]:
    """The steps of pydantic's place that are in the data, and the last one where it names a field not there."""
    value = data
    for number, step in enumerate(place):
        last = number == len(place) - 1
        if isinstance(value, dict):
            fields = cast("dict[Any, Any]", value)
            if step not in fields and not last:
                continue
            if step == "[key]":
                return
            yield step
            value = fields.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(cast("list[Any]", value)):
            yield step
            value = cast("list[Any]", value)[step]


def _meaning(message: str) -> str:
    """The hint of a field that was meant to be the one that ``message`` says is missing."""
    return f"Did you mean {message.removeprefix('The field ').removesuffix(' is missing')}?"


def _is_path(reference: str) -> bool:
    return "/" in reference or reference.endswith((".yaml", ".yml", ".json"))


def _off_the_branch(problem: ErrorDetails, path: Path, data: Mapping[str, Any]) -> bool:
    """Whether it is said of the form of a mock that the author did not choose: one attempt, or a list of them."""
    if len(path) < _MOCK or path[0] != "cases" or path[2] != "mocks":
        return False
    value: Any = data
    for step in path[:_MOCK]:
        value = value[step]
    form = str(problem["loc"][_MOCK]) if len(problem["loc"]) > _MOCK else ""
    return form.startswith("list[") != isinstance(value, list)


_MOCK = 4
"""Steps to a mock: cases, 0, mocks, answer."""


def _kind_of_place(path: Path) -> Path:
    """The key in ``AT`` for a place."""
    steps: list[str | int] = []
    for number, step in enumerate(path):
        named = number == _MOCK - 1 and path[2] == "mocks"
        steps.append("" if named else 0 if isinstance(step, int) else step)
    return tuple(steps)
