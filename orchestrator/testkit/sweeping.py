"""What the kill sweep holds against a case: the same run, and nothing done twice, though its workers were ended."""

import re
from collections import Counter
from collections.abc import Iterator

from pydantic_core import to_json

from orchestrator.testkit.outcome import Difference, Outcome
from orchestrator.testkit.playing import Played

__all__ = ["changes"]

_OWN = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:\d\d)|case-[0-9a-f]{32}")


def changes(steady: Played, swept: Played) -> list[Difference]:
    """How a case went differently when its worker was ended after every step."""
    told = {trouble.what for trouble in steady.troubles}
    found = [Difference(f"kill sweep: {new.what}") for new in swept.troubles if new.what not in told]
    if steady.outcome is None or swept.outcome is None:
        return found
    return [*found, *_compared(steady.outcome, swept.outcome)]


def _compared(steady: Outcome, swept: Outcome) -> Iterator[Difference]:
    for what, one, other in (
        ("status", steady.result.status, swept.result.status),
        ("error", _error(steady), _error(swept)),
        ("outputs", _json(steady.result.outputs), _json(swept.result.outputs)),
        ("state", _json(steady.state.state), _json(swept.state.state)),
        ("path", _sorted(steady.result.path), _sorted(swept.result.path)),
        ("skipped", _sorted(steady.skipped), _sorted(swept.skipped)),
        ("awaiting", _sorted(steady.awaiting), _sorted(swept.awaiting)),
        ("parked", _sorted(steady.parked), _sorted(swept.parked)),
        ("undone", _sorted(steady.result.undone), _sorted(swept.result.undone)),
        ("rejected", str(steady.rejected), str(swept.rejected)),
        ("cost_usd", str(steady.result.cost_usd), str(swept.result.cost_usd)),
    ):
        if one != other:
            yield Difference(f"kill sweep: {what}", one, other)
    for label in dict.fromkeys([*steady.performed, *swept.performed]):
        once, again = (found.finished if (found := outcome.performed.get(label)) else 0 for outcome in (steady, swept))
        if once != again:
            yield Difference(f"kill sweep: `{label}` was performed", f"{once} times", f"{again} times")


def _error(outcome: Outcome) -> str:
    error = outcome.result.error
    return "(none)" if error is None else f"{error.code} at {error.node or 'the run itself'}: {error.message}"


def _json(value: object) -> str:
    """As JSON, without what no two runs have in common: moments, and the id of the run."""
    return _OWN.sub("…", to_json(value).decode())


def _sorted(labels: tuple[str, ...]) -> str:
    return ", ".join(sorted(Counter(labels).elements())) or "(none)"
