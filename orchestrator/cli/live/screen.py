"""The textual app that draws a run's picture and takes what somebody wants of it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from typing import ClassVar

from rich.text import Text
from temporalio.client import Client
from textual import work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, Vertical
from textual.widgets import DataTable, Footer, RichLog, Static

from orchestrator.cli.answers import message_for
from orchestrator.cli.events import event_line, style_of
from orchestrator.cli.live.asking import for_approval, for_question, for_trouble, resolution
from orchestrator.cli.live.cells import headline, name_cell, row_cells
from orchestrator.cli.live.feed import Change, Feed
from orchestrator.cli.output import clean
from orchestrator.cli.render import result_lines
from orchestrator.cli.tokens import read_along
from orchestrator.cli.writing import Writing, last_lines
from orchestrator.client import Orchestrator
from orchestrator.contracts import Event
from orchestrator.errors import OrchestratorError

__all__ = ["RunView"]

_STATIC = ("node", "type")
# A column that fits its content measures every row whenever one cell gets shorter: half a second with 500 nodes.
_WIDTHS = {"state": 18, "visits": 6, "time": 8}
_TICK_S = 1.0


class _Nodes(DataTable[Text]):
    """The rows of the graph."""


class RunView(App[None]):
    """A run, live. Leaving it leaves the run alone.

    Args:
        runs: The server.
        feed: What is new of the run; it has begun.
        by: Who answers.
        client: Tells under which id what models write is kept; none shows nothing of it.
    """

    TITLE = "orchestrator"
    ENABLE_COMMAND_PALETTE = False
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (110, "-wide")]  # noqa: RUF012 - textual's own annotation
    CSS = """
    #head { height: 2; padding: 0 1; }
    #notice { height: auto; padding: 0 1; color: $error; display: none; }
    #notice.shown { display: block; }
    #body { height: 1fr; }
    .-wide #body { layout: horizontal; }
    #nodes { height: 1fr; min-height: 5; border: round $primary; }
    .-wide #nodes { width: 1fr; height: 100%; }
    #side { height: 45%; }
    .-wide #side { width: 1fr; height: 100%; }
    #waits { height: auto; max-height: 50%; border: round $warning; padding: 0 1; display: none; overflow-y: auto; }
    #waits.shown { display: block; }
    #text { height: auto; max-height: 9; border: round $accent; padding: 0 1; display: none; }
    #text.shown { display: block; }
    #events { height: 1fr; border: round $primary; padding: 0 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "answer", "Answer, decide"),
        Binding("r", "resolve", "Resolve"),
        Binding("n", "next", "Next under way"),
        Binding("p", "pause", "Pause"),
        Binding("c", "resume", "Continue"),
        Binding("q", "quit", "Leave"),
        Binding("ctrl+c", "quit", "Leave", show=False, priority=True),
    ]

    def __init__(self, runs: Orchestrator, feed: Feed, *, by: str | None = None, client: Client | None = None) -> None:
        super().__init__()
        self._runs, self._feed, self._by, self._client = runs, feed, by, client
        self._picture = feed.picture

    def compose(self) -> ComposeResult:
        yield Static(id="head")
        yield Static(id="notice", markup=False)
        with Container(id="body"):
            yield _Nodes(id="nodes", cursor_type="row", zebra_stripes=True)
            with Vertical(id="side"):
                yield Static(id="waits", markup=False)
                yield Static(id="text", markup=False)
                yield RichLog(id="events", max_lines=500, wrap=False, auto_scroll=True)
        yield Footer()

    def on_mount(self) -> None:
        self._table.border_title = "nodes"
        self.query_one("#waits").border_title = "waits for"
        self.query_one("#text").border_title = "is written"
        self.query_one("#events").border_title = "events"
        for key in _STATIC:
            self._table.add_column(key, key=key)
        for key, width in _WIDTHS.items():
            self._table.add_column(key, key=key, width=width)
        self._redraw()
        self._log(self._picture.events)
        self._table.focus()
        self.set_interval(_TICK_S, self._tick)
        self._follow()
        if self._client is not None:
            self._read_along(self._client)

    @property
    def _table(self) -> _Nodes:
        return self.query_one("#nodes", _Nodes)

    def _redraw(self) -> None:
        """Draw the whole graph anew."""
        table, now = self._table, datetime.now(UTC)
        table.clear()
        for row in self._picture.rows:
            state = row_cells(self._picture.view(row.key, now))
            table.add_row(name_cell(row), Text(clean(row.type), style="dim"), *state, key=row.key)
        self._frame()

    def _tick(self) -> None:
        """Let time go on where something is under way."""
        self._update(self._picture.under_way())
        self._frame()

    def _update(self, keys: frozenset[str] | set[str]) -> None:
        table, now = self._table, datetime.now(UTC)
        for key in keys:
            if key in table.rows:
                for column, cell in zip(_WIDTHS, row_cells(self._picture.view(key, now)), strict=True):
                    table.update_cell(key, column, cell)

    def _frame(self) -> None:
        """Draw what stands around the graph."""
        self.query_one("#head", Static).update(headline(self._picture, self._picture.elapsed(datetime.now(UTC))))
        lines = self._picture.waits()
        if lines:
            self._panel(lines, "waits for")

    def _panel(self, lines: list[str], title: str) -> None:
        waits = self.query_one("#waits", Static)
        waits.border_title = title
        waits.set_class(bool(lines), "shown")
        waits.update(clean("\n".join(lines)))

    def _log(self, events: Iterable[Event]) -> None:
        log = self.query_one("#events", RichLog)
        began = datetime.fromisoformat(self._picture.began or datetime.now(UTC).isoformat())
        for event in events:
            log.write(Text(event_line(event, began, narrow=True), style=style_of(event)))

    @work(exclusive=True)
    async def _follow(self) -> None:
        async with aclosing(self._feed.changes()) as changes:
            async for change in changes:
                if not self.is_running:  # it closes, and has nothing to show it in any more
                    return
                self._show(change)

    @work
    async def _read_along(self, client: Client) -> None:
        async with read_along(client, self._picture.run_id, self._write, self._complain):
            await asyncio.Event().wait()

    def _write(self, texts: Sequence[Writing]) -> None:
        """Show what models are writing."""
        if not self.is_running:
            return
        panel = self.query_one("#text", Static)
        lines = last_lines(texts, self.size.width // 2 - 6)
        panel.set_class(bool(lines), "shown")
        panel.update(lines)

    def _complain(self, text: str) -> None:
        self.notify(clean(text), severity="warning", markup=False)

    def _show(self, change: Change) -> None:
        notice = self.query_one("#notice", Static)
        notice.set_class(change.problem is not None, "shown")
        if change.problem is not None:
            notice.update(clean(f"not up to date, trying again: {change.problem}"))
            return
        self._log(change.events)
        if change.graph:
            self._redraw()
        else:
            self._update(change.rows)
        self._panel(self._picture.waits(), "waits for")
        self._frame()
        if change.result is not None:
            self._panel(result_lines(self._picture.run_id, change.result, None), "ended")

    def _here(self) -> str | None:
        """The key of the row under the cursor."""
        table = self._table
        if not table.row_count:
            return None
        return table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value

    def action_answer(self) -> None:
        """Answer the question under the cursor, else the oldest."""
        question = self._picture.question(self._here())
        if question is None:
            self.notify("no question and no approval waits")
            return
        approval = question.kind == "approval"

        async def submit(choice: str, text: str) -> None:
            typed = f"{choice} {text}" if approval else text
            await self._runs.answer(self._picture.run_id, message_for(typed, question, by=self._by))

        self.push_screen((for_approval if approval else for_question)(question, submit))

    def action_resolve(self) -> None:
        """Resolve the parked node under the cursor, else the one that has been parked longest."""
        trouble = self._picture.trouble(self._here())
        if trouble is None:
            self.notify("no node is parked")
            return

        async def submit(choice: str, text: str) -> None:
            await self._runs.resolve(trouble.run, resolution(choice, text, trouble, self._by))

        self.push_screen(for_trouble(trouble, submit))

    def action_next(self) -> None:
        """Go to the next node that runs or waits, from the top again after the last."""
        busy = self._picture.under_way()
        places = [number for number, row in enumerate(self._picture.rows) if row.key in busy]
        if not places:
            self.notify("nothing is under way")
            return
        here = self._table.cursor_coordinate.row
        self._table.move_cursor(row=next((place for place in places if place > here), places[0]))

    def action_pause(self) -> None:
        """Pause the run."""
        self._signal(self._runs.pause, "asked to pause: what is under way finishes")

    def action_resume(self) -> None:
        """End the run's pause."""
        self._signal(self._runs.resume, "asked to go on")

    @work
    async def _signal(self, send: Callable[[str], Awaitable[None]], told: str) -> None:
        try:
            await send(self._picture.run_id)
        except OrchestratorError as error:
            self.notify(clean(error.message), severity="error", markup=False)
        else:
            self.notify(told)
