"""What came of a case, and how it differs from what was expected."""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_jsonable_python

from orchestrator.contracts import Event, RunResult, RunState, visit_label
from orchestrator.errors import ExpressionError
from orchestrator.graph.expressions import Program
from orchestrator.graph.expressions.parser import parse
from orchestrator.testkit.mocks import Performed
from orchestrator.testkit.model import Expect

__all__ = ["Difference", "Outcome", "differences"]

_MISSING = "(nothing)"
_MOST_SHOWN = 2_000


@dataclass(frozen=True, slots=True)
class Difference:
    """Something that is not as it should be. Without ``expected`` and ``actual``, ``what`` says it all."""

    what: str
    expected: str | None = None
    actual: str | None = None

    def as_dict(self) -> dict[str, str]:
        """The difference as JSON."""
        given = {"what": self.what, "expected": self.expected, "actual": self.actual}
        return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Outcome:
    """Everything about a run that has ended, or that a case has left."""

    state: RunState
    events: tuple[Event, ...]
    awaiting: tuple[str, ...]
    performed: Mapping[str, Performed] = field(default_factory=dict[str, Performed])
    virtual_s: float = 0.0
    took: frozenset[tuple[str, int]] = frozenset()
    """The ways that were taken: the place of their scope, without items and visits, and their number in its plan."""

    @property
    def result(self) -> RunResult:
        """How the run ended, or stands."""
        return self.state.result

    @property
    def rejected(self) -> int:
        """How many messages could not be used."""
        return sum(event.type == "REJECTED" for event in self.events)

    @property
    def parked(self) -> tuple[str, ...]:
        """The visits that wait for somebody to resolve them."""
        return tuple(visit_label(parked.node, parked.visit) for parked in self.state.parked)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The nodes that no way led to, each time."""
        return tuple(event.node or "" for event in self.events if event.type == "SKIPPED")

    def in_words(self) -> dict[str, Any]:
        """What expressions of a case may refer to."""
        result = self.result
        return {
            "status": result.status,
            "outputs": result.outputs,
            "state": self.state.state,
            "path": list(result.path),
            "cost_usd": result.cost_usd,
            "error": None if result.error is None else to_jsonable_python(result.error),
        }


def differences(expect: Expect, outcome: Outcome) -> list[Difference]:
    """How ``outcome`` differs from what is expected; nothing where it does not."""
    return [
        *_ending(expect, outcome),
        *_lists(expect, outcome),
        *_values("outputs", expect.outputs, outcome.result.outputs),
        *_values("state", expect.state, outcome.state.state),
        *_counts(expect, outcome),
        *_checks(expect.check, outcome),
    ]


def _ending(expect: Expect, outcome: Outcome) -> Iterator[Difference]:
    result = outcome.result
    error = result.error
    if expect.status != result.status:
        told = "" if error is None else f" ({error.code} at {error.node or 'the run itself'}: {error.message})"
        yield Difference("status", expect.status, f"{result.status}{told}")
    wanted = expect.error
    if wanted is not None:
        actual = {} if error is None else {"code": error.code, "node": visit_label(error.node, error.visit)}
        for name in ("code", "node"):
            expected = getattr(wanted, name)
            if expected is not None and expected != actual.get(name):
                yield Difference(f"error.{name}", expected, actual.get(name) or _MISSING)
        if wanted.message is not None and (error is None or wanted.message not in error.message):
            yield Difference("error.message", f"… {wanted.message} …", _MISSING if error is None else error.message)
    cost = result.cost_usd
    if expect.cost_usd is not None and (cost is None or not math.isclose(expect.cost_usd, cost, abs_tol=1e-9)):
        yield Difference("cost_usd", f"{expect.cost_usd}", _MISSING if cost is None else f"{cost}")


def _lists(expect: Expect, outcome: Outcome) -> Iterator[Difference]:
    path = outcome.result.path
    for name, wanted, actual in (
        ("path", expect.path, path),
        ("skipped", expect.skipped, outcome.skipped),
        ("awaiting", expect.awaiting, outcome.awaiting),
        ("parked", expect.parked, outcome.parked),
    ):
        if wanted is None or Counter(wanted) == Counter(actual):
            continue
        for label in (Counter(wanted) - Counter(actual)).elements():
            yield Difference(name, label, _MISSING)
        for label in (Counter(actual) - Counter(wanted)).elements():
            yield Difference(name, _MISSING, label)
    for name, wanted, actual in (
        ("path_in_order", expect.path_in_order, path),
        ("undone", expect.undone, outcome.result.undone),
    ):
        if wanted is not None and wanted != list(actual):
            yield Difference(name, _list(wanted), _list(actual))


def _values(name: str, wanted: Mapping[str, Any], actual: Mapping[str, Any]) -> Iterator[Difference]:
    for key, value in wanted.items():
        if key not in actual:
            yield Difference(f"{name}.{key}", _json(value), _MISSING)
        else:
            yield from _parts(f"{name}.{key}", value, actual[key])


def _parts(where: str, wanted: Any, actual: Any) -> Iterator[Difference]:
    """The smallest parts in which two values differ."""
    if _same(wanted, actual):
        return
    if isinstance(wanted, dict) and isinstance(actual, dict):
        left: dict[str, Any] = {**wanted}
        right: dict[str, Any] = {**actual}
        for key in dict.fromkeys([*left, *right]):
            if key not in left or key not in right:
                yield Difference(
                    f"{where}.{key}",
                    _json(left[key]) if key in left else _MISSING,
                    _json(right[key]) if key in right else _MISSING,
                )
            else:
                yield from _parts(f"{where}.{key}", left[key], right[key])
        return
    yield Difference(where, _json(wanted), _json(actual))


def _same(wanted: Any, actual: Any) -> bool:
    """Equal as JSON: 1 and 1.0 are, true and 1 are not."""
    return json.dumps(_plain(wanted), sort_keys=True) == json.dumps(_plain(actual), sort_keys=True)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        items: dict[str, Any] = {**value}
        return {key: _plain(item) for key, item in items.items()}
    if isinstance(value, (list, tuple)):
        rows: list[Any] = [*value]
        return [_plain(item) for item in rows]
    return value


def _counts(expect: Expect, outcome: Outcome) -> Iterator[Difference]:
    if expect.rejected is not None and expect.rejected != outcome.rejected:
        yield Difference("rejected", str(expect.rejected), str(outcome.rejected))
    for label, count in expect.attempts.items():
        found = outcome.performed.get(label)
        if count != (found.attempts if found else 0):
            yield Difference(f"attempts.{label}", str(count), str(found.attempts if found else 0))


def _checks(texts: Sequence[str], outcome: Outcome) -> Iterator[Difference]:
    words = outcome.in_words()
    for text in texts:
        try:
            answer = Program(parse(text)).evaluate(words)
        except ExpressionError as error:
            yield Difference(f"check `{text}`", "true", error.message)
            continue
        if answer is not True:
            yield Difference(f"check `{text}`", "true", _json(answer))


def _json(value: Any) -> str:
    text = json.dumps(to_jsonable_python(value), ensure_ascii=False)
    return text if len(text) <= _MOST_SHOWN else f"{text[:_MOST_SHOWN]}…"


def _list(labels: Sequence[str]) -> str:
    return " > ".join(labels) or "(none)"
