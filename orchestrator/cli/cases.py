"""Does what ``test`` asks for."""

import asyncio
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.cli.errors import FAILED, ISSUE_COLUMNS, OK, issue_rows, report
from orchestrator.cli.output import data, out, table
from orchestrator.definition.words import did_you_mean
from orchestrator.errors import RequestError
from orchestrator.models import add_models
from orchestrator.settings import load_settings
from orchestrator.testkit.coverage import Covered
from orchestrator.testkit.durations import spelled
from orchestrator.testkit.reading import CaseFileError, Suite, load_cases
from orchestrator.testkit.running import CaseReport, Report, run_suites

__all__ = ["test"]

_COLUMNS = ("case", "result", "virtual time", "real time")


def test(files: Sequence[Path], *, names: Sequence[str], kill_sweep: bool, as_json: bool) -> int:
    """Run cases and print how they went. Returns the exit code.

    Raises:
        RequestError: No case has one of ``names``, or a folder has no files.
        ServerUnavailableError: The test server is not there.
    """
    settings = load_settings()
    add_models(settings.models_file)
    try:
        suites = [load_cases(file, settings.definitions_dir) for file in _files(files)]
    except CaseFileError as error:
        code = report(error)
        if len(error.issues) > 1:
            table(ISSUE_COLUMNS, issue_rows(error.issues), sys.stderr)
        return code
    _check_names(suites, names)
    total = sum(not names or case.name in names for suite in suites for case in suite.cases)
    console = Console(stderr=True, quiet=not sys.stderr.isatty())
    with console.status(f"0 of {total} cases") as status:
        done: list[CaseReport] = []

        def told(case: CaseReport) -> None:
            done.append(case)
            status.update(f"{len(done)} of {total} cases")

        found = asyncio.run(run_suites(suites, settings, names=names, kill_sweep=kill_sweep, told=told))
    if as_json:
        data(_as_json(found))
    else:
        _show(found)
    return OK if found.passed else FAILED


def _files(given: Sequence[Path]) -> Iterator[Path]:
    for path in given:
        if not path.is_dir():
            yield path
            continue
        inside = sorted({*path.glob("*.yaml"), *path.glob("*.yml")})
        if not inside:
            raise RequestError(f"the folder {path} has no files of cases (*.yaml)")
        yield from inside


def _check_names(suites: Sequence[Suite], names: Sequence[str]) -> None:
    known = [case.name for suite in suites for case in suite.cases]
    for name in names:
        if name not in known:
            hint = did_you_mean(name, known)
            raise RequestError(f"no case has the name {name[:200]!r}{f'. {hint}' if hint else ''}")


def _show(found: Report) -> None:
    table(_COLUMNS, (_row(case) for case in found.cases))
    for case in found.cases:
        if not case.passed:
            out("")
            for line in _failure(case):
                out(line)
    out("")
    for about, coverage in found.coverage.items():
        out(f"coverage of {about}: {_covered('node', coverage.nodes)}, {_covered('way', coverage.edges)}")
        for place in coverage.nodes.never:
            out(f"  never taken: node {place}")
        for way in coverage.edges.never:
            out(f"  never taken: way {way}")
    failed = sum(not case.passed for case in found.cases)
    out(f"{len(found.cases) - failed} of {_count(len(found.cases), 'case')} passed")


def _row(case: CaseReport) -> tuple[str, ...]:
    ended = f", with {_count(case.restarts, 'worker')} ended" if case.restarts else ""
    result = "passed" if case.passed else "FAILED"
    return case.name, f"{result}{ended}", spelled(case.virtual_s), spelled(case.real_s)


def _failure(case: CaseReport) -> Iterator[str]:
    yield f"FAILED {case.name} ({case.file})"
    for difference in case.differences:
        yield f"  {difference.what}"
        if difference.expected is not None:
            yield f"    expected  {difference.expected}"
        if difference.actual is not None:
            yield f"    actual    {difference.actual}"


def _covered(what: str, covered: Covered) -> str:
    return f"{covered.taken} of {_count(covered.total, what)}"


def _count(number: int, what: str) -> str:
    return f"1 {what}" if number == 1 else f"{number} {what}s"


def _as_json(found: Report) -> dict[str, Any]:
    return {
        "passed": found.passed,
        "cases": [
            {
                "file": str(case.file),
                "definition": case.definition,
                "name": case.name,
                "passed": case.passed,
                "differences": [difference.as_dict() for difference in case.differences],
                "virtual_s": round(case.virtual_s, 3),
                "real_s": round(case.real_s, 3),
                "workers_ended": case.restarts,
            }
            for case in found.cases
        ],
        "coverage": {
            about: {
                "nodes": {"total": coverage.nodes.total, "never": list(coverage.nodes.never)},
                "ways": {"total": coverage.edges.total, "never": list(coverage.edges.never)},
            }
            for about, coverage in found.coverage.items()
        },
    }
