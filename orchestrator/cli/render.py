"""Draws runs for people: events as they come, the result at the end."""

import json
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.text import Text

from orchestrator.cli.events import event_line, style_of
from orchestrator.cli.output import clean
from orchestrator.cli.writing import Writing, last_lines
from orchestrator.contracts import Event, ProgressPage, RunResult, Usage, visit_label

__all__ = ["Screen", "aftermath_lines", "result_lines", "usage_line", "usage_lines"]

_OVER = frozenset({"COMPLETED", "ERROR", "CANCELLED", "SKIPPED", "AWAITING_INPUT", "PARKED"})
"""After these a visit is not under way: it is over, or waits for somebody."""
_MOST_NODES = 10


class Screen(AbstractContextManager["Screen"]):
    """Shows a run on standard error: a line per event, and on a terminal what is under way below them."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)
        self._live: Live | None = None
        self._since: datetime | None = None
        self._running: dict[str, None] = {}
        self._done = 0
        self._writing: Sequence[Writing] = ()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.rest()

    def say(self, text: str) -> None:
        """A line between the events."""
        self._console.print(Text(clean(text)))

    def event(self, event: Event) -> None:
        """Show an event, and note what is under way."""
        if self._since is None:
            self._since = datetime.fromisoformat(event.at)
        where = visit_label(event.node, event.visit)
        if event.type == "STARTED" or (event.type == "RESOLVED" and event.data.get("action") == "retry"):
            self._running[where] = None
        elif event.type in _OVER:
            self._running.pop(where, None)
            self._done += event.type == "COMPLETED"
        self._console.print(Text(event_line(event, self._since), style=style_of(event)))
        self._below()

    def writing(self, texts: Sequence[Writing]) -> None:
        """Show what models are writing, below the events."""
        self._writing = texts
        self._below()

    @property
    def live(self) -> bool:
        """Whether it can show what changes."""
        return self._console.is_terminal

    def busy(self, page: ProgressPage) -> bool:
        """Whether anything is under way, apart from nodes inside which something waits for somebody."""
        waiting = (*page.awaiting, *page.parked, *(child for child in page.children if child.parked))
        places = [visit_label(item.node, item.visit) for item in waiting]
        return any(
            not any(place == where or place.startswith((f"{where}[", f"{where}.")) for place in places)
            for where in self._running
        )

    def rest(self) -> None:
        """Take the line about what is under way off the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def _below(self) -> None:
        if not self._console.is_terminal or not (self._running or self._writing):
            self.rest()
            return
        text = Text(f" {', '.join(self._running)} under way, {self._done} finished", style="dim")
        lines = last_lines(self._writing, self._console.width - 2)
        below = [Text(lines, no_wrap=True)] if lines else []
        drawn = Group(*below, *([Spinner("dots", text)] if self._running else []))
        if self._live is None:
            self._live = Live(drawn, console=self._console, transient=True)
            self._live.start()
        else:
            self._live.update(drawn)


def usage_line(usage: Usage, cost: float | None) -> str:
    """Tokens and cost in words."""
    if not usage.calls:
        return "no model calls"
    price = _price(usage, cost)
    calls = "1 model call" if usage.calls == 1 else f"{usage.calls} model calls"
    return f"{calls}, {usage.input_tokens} tokens in, {usage.output_tokens} out, {price}"


def _price(usage: Usage, cost: float | None) -> str:
    if usage.simulated == usage.calls:
        return "simulated, costs nothing"
    if cost is None:
        return "cost not known"
    beside = f" and what {usage.unpriced} of the calls cost, which is not known" if usage.unpriced else ""
    return f"${cost:.6f}{beside}"


def usage_lines(result: RunResult) -> list[str]:
    """What a run took; by node where there are several, the dearest first, and what of it failed."""
    lines = [f"usage   {usage_line(result.usage, result.cost_usd)}"]
    failed = [it for it in result.attempts if it.failed]
    if len(result.usage_by_node) > 1:
        by_node = sorted(result.usage_by_node.items(), key=lambda item: (-(item[1].cost_usd or 0), item[0]))
        lines += [f"          {node}: {usage_line(used, used.cost_usd)}" for node, used in by_node[:_MOST_NODES]]
        if len(by_node) > _MOST_NODES:
            lines.append(f"          and {len(by_node) - _MOST_NODES} more nodes, which --json has")
    if failed:
        many = "1 attempt" if len(failed) == 1 else f"{len(failed)} attempts"
        of = f"the last {len(result.attempts)}" if result.attempts_omitted else "it"
        lines.append(f"        {many} of {of} failed, ${sum(it.cost_usd or 0 for it in failed):.6f}")
    return lines


def result_lines(run_id: str, result: RunResult, link: str | None) -> list[str]:
    """A result for people: outputs, path, usage, and where to look."""
    skipped = f"({result.path_omitted} more) " if result.path_omitted else ""
    lines = ["result", *_indented(result.outputs)] if result.outputs else []
    lines.append(f"status  {result.status}")
    if result.error is not None:
        place = f" at {visit_label(result.error.node, result.error.visit)}" if result.error.node else ""
        lines.append(f"error   {result.error.code}{place}: {result.error.message}")
    lines.append(f"path    {skipped}{' > '.join(result.path) or '(no node has finished)'}")
    lines += aftermath_lines(result)
    lines += usage_lines(result)
    lines.append(f"run     {run_id}")
    if link is not None:
        lines.append(f"web ui  {link}")
    return lines


def aftermath_lines(result: RunResult) -> list[str]:
    """What was undone, what failed meanwhile, and which run it was forked from."""
    lines = [f"undone  {' > '.join(result.undone)}"] if result.undone else []
    for error in result.aside:
        place = f" at {visit_label(error.node, error.visit)}" if error.node else ""
        lines.append(f"aside   {error.code}{place}: {error.message} (while undoing or cleaning up; passed over)")
    if (origin := result.forked_from) is not None:
        lines.append(f"forked  from {origin.run} at {origin.at}, {origin.taken} visits taken over")
    return lines


def _indented(value: Any) -> list[str]:
    return [f"  {line}" for line in json.dumps(value, ensure_ascii=False, indent=2).splitlines()]
