"""Shows what a run waits for: questions, approvals, parked nodes, child runs; and what to type about it."""

import json
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestrator.cli.output import out
from orchestrator.contracts import Awaiting, ChildRun, Parked, visit_label

__all__ = [
    "age",
    "child_lines",
    "command",
    "error_line",
    "parked_lines",
    "question_lines",
    "show",
    "show_questions",
    "to_resolve",
    "wants_json",
]

_MOST_NODES = 20
_MOST_SHOWN = 2_000
_UNITS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def command(*arguments: str, address: str | None = None) -> str:
    """One of our commands as it is typed in a shell; ``address`` is of a server that it would not find by itself."""
    where = f"TEMPORAL_ADDRESS={address} " if address else ""
    return where + shlex.join(("orchestrator", *arguments))


def to_resolve(run_id: str, node: str, *, address: str | None = None) -> list[str]:
    """What to type about a parked node."""
    return [
        command("resolve", run_id, node, "--retry", address=address),
        "  (or in place of --retry: --override JSON, --skip, --fail)",
    ]


def parked_lines(
    run_id: str, parked: Sequence[Parked], *, address: str | None = None, advise: bool = True
) -> Iterator[str]:
    """The parked nodes of a run, each with its error and, with ``advise``, what to type."""
    for item in parked[:_MOST_NODES]:
        tries = "" if item.tries == 1 else f", tried {item.tries} times"
        yield f"parked  {visit_label(item.node, item.visit)}, for {age(item.since)}{tries}"
        yield f"        {error_line(item)}"
        if advise:
            yield from (f"        {line}" for line in to_resolve(run_id, item.node, address=address))
    if len(parked) > _MOST_NODES:
        yield f"        and {len(parked) - _MOST_NODES} more; without NODE, `resolve` takes all of them"


def child_lines(children: Sequence[ChildRun], *, advise: bool = True) -> Iterator[str]:
    """The child runs, each with its parked nodes."""
    for child in children[:_MOST_NODES]:
        yield f"child   {visit_label(child.node, child.visit)}: run {child.run}, {child.status}"
        yield from (f"  {line}" for line in parked_lines(child.run, child.parked, advise=advise))
    if len(children) > _MOST_NODES:
        yield f"        and {len(children) - _MOST_NODES} more child runs"


def question_lines(run_id: str, question: Awaiting, *, advise: bool = True) -> Iterator[str]:
    """A question that waits, with everything that somebody who answers needs."""
    schema = f"  {json.dumps(question.answer_schema)}" if question.answer_schema else ""
    yield f"awaits  {visit_label(question.node, question.visit)}: {question.question}{schema}"
    yield from (f"        {line}" for line in about(question))
    if not advise:
        return
    if question.kind == "approval":
        first = _option(question.decisions[0] if question.decisions else "approve")
        yield f"        {command('approve', run_id, question.node, *first)}"
        others = ", ".join(" ".join(_option(decision)) for decision in question.decisions[1:])
        if others:
            yield f"          (or {others}; --by and --comment say who and why)"
    else:
        values = ("--values", "JSON") if wants_json(question) else ("TEXT",)
        yield f"        {command('answer', run_id, '--node', question.node, *values)}"


def wants_json(question: Awaiting) -> bool:
    """Whether an answer is an object or a list, which text can only be as JSON."""
    named = (question.answer_schema or {}).get("type")
    types = {named} if isinstance(named, str) else set(named or ())
    return bool(types & {"object", "array"})


def about(question: Awaiting) -> Iterator[str]:
    """What else is known of a question: what it is about, who may answer, until when."""
    if question.proposal is not None:
        yield f"proposal  {_brief(question.proposal)}"
    if question.kind == "approval" and question.decisions:
        yield f"decide    {', '.join(question.decisions)}"
    if question.assignees:
        yield f"for       {', '.join(question.assignees)}"
    if question.expires:
        yield f"expires   {question.expires}"
    if question.deferred_until is not None:
        yield f"deferred  until {question.deferred_until or 'somebody decides'}"
    if question.reminded:
        yield f"reminded  {question.reminded} {'time' if question.reminded == 1 else 'times'}"


def show_questions(run_id: str, awaiting: Sequence[Awaiting], *, advise: bool = True) -> None:
    """Print the questions that wait."""
    for question in awaiting:
        for line in question_lines(run_id, question, advise=advise):
            out(line)


def show(
    run_id: str,
    awaiting: Sequence[Awaiting],
    parked: Sequence[Parked],
    children: Sequence[ChildRun],
    *,
    advise: bool = True,
) -> None:
    """Print all that a run waits for; with ``advise``, also what to type about it."""
    for line in (*parked_lines(run_id, parked, advise=advise), *child_lines(children, advise=advise)):
        out(line)
    show_questions(run_id, awaiting, advise=advise)


def error_line(parked: Parked) -> str:
    """Why a node is parked, in one line."""
    return f"{parked.error.code}: {' '.join(parked.error.message.split())}"


def age(since: str, now: datetime | None = None) -> str:
    """How long ago a moment was, in its two largest units: ``4d 3h``, ``12m``, ``0s``."""
    seconds = max(0, int(((now or datetime.now(UTC)) - datetime.fromisoformat(since)).total_seconds()))
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or parts:
            parts.append(f"{count}{unit}" if count else "")
    return " ".join(part for part in parts[:2] if part) or "0s"


def _option(decision: str) -> tuple[str, ...]:
    return {"modify": ("--modify", "JSON"), "defer": ("--defer", "2h")}.get(decision, (f"--{decision}",))


def _brief(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = " ".join(text.split())
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"
