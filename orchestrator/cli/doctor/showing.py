"""Shows what the checks found."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.text import Text

from orchestrator.cli.doctor.checking import Finding
from orchestrator.cli.output import clean, data

__all__ = ["as_data", "show", "summary"]

_STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
_WIDTH = 6


def show(findings: Sequence[Finding]) -> None:
    """Print the findings for people, each with how to mend it."""
    console = Console(highlight=False, soft_wrap=True)
    names = max((len(finding.check) for finding in findings), default=0) + 2
    for finding in findings:
        line = Text(f"{finding.status:<{_WIDTH}}", style=_STYLES[finding.status])
        line.append(clean(f"{finding.check:<{names}}{' '.join(finding.says.split())}"), style="default")
        console.print(line)
        if finding.mend:
            console.print(Text(clean(f"{'':<{_WIDTH + names}}mend: {finding.mend}"), style="dim"))
    console.print(Text(f"\n{summary(findings)}"))


def summary(findings: Sequence[Finding]) -> str:
    """How many of each, in words."""
    counts = Counter(finding.status for finding in findings)
    return f"{len(findings)} checks: {counts['ok']} ok, {counts['warn']} to look at, {counts['fail']} failed"


def as_data(findings: Sequence[Finding]) -> None:
    """Print the findings as JSON."""
    healthy = all(finding.status != "fail" for finding in findings)
    data({"healthy": healthy, "checks": [asdict(finding) for finding in findings]})
