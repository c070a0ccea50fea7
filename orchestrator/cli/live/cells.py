"""The words and colours of the view's cells."""

from collections.abc import Mapping

from rich.text import Text

from orchestrator.cli.live.outline import Row
from orchestrator.cli.live.picture import Picture, PlaceStatus, RowView
from orchestrator.cli.output import clean
from orchestrator.cli.render import usage_line

__all__ = ["RUN_STYLES", "headline", "name_cell", "row_cells", "spent"]

_LOOKS: Mapping[PlaceStatus, tuple[str, str]] = {
    "pending": ("·", "dim"),
    "running": ("▶", "bold cyan"),
    "waiting": ("?", "bold yellow"),
    "parked": ("!", "bold red"),
    "failed": ("✗", "red"),
    "completed": ("✓", "green"),
    "skipped": ("-", "dim"),
    "cancelled": ("o", "dim"),
    "undone": ("↶", "magenta"),
}
RUN_STYLES: Mapping[str, str] = {
    "running": "bold cyan",
    "awaiting_input": "bold yellow",
    "needs_attention": "bold red",
    "paused": "bold yellow",
    "cancelling": "yellow",
    "completed": "bold green",
}
"""Colours of a run's status; any other is a bad end."""
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def name_cell(row: Row) -> Text:
    """A node's id, as deep as it lies."""
    branch = f"{'  ' * (row.depth - 1)}└ " if row.depth else ""
    cell = Text().append(branch, style="dim").append(clean(row.name))
    if row.note:
        cell.append(f"  ({row.note})", style="dim")
    return cell


def row_cells(view: RowView) -> tuple[Text, Text, Text]:
    """State, visits and time of a row."""
    symbol, style = _LOOKS[view.status]
    if view.counts:
        state = Text(" ").join(
            Text(f"{_LOOKS[status][0]} {count}", style=_LOOKS[status][1])
            for status in _LOOKS
            if (count := view.counts.get(status))
        )
    else:
        state = Text(f"{symbol} {view.status}", style=style)
    return state, Text(str(view.visits) if view.visits else "", justify="right"), Text(spent(view.seconds))


def spent(seconds: float | None) -> str:
    """A duration, short and never longer than seven characters."""
    if seconds is None:
        return ""
    if seconds < _MINUTE:
        return f"{seconds:.1f}s"
    minutes = int(seconds)
    if minutes < _HOUR:
        return f"{minutes // _MINUTE}m {minutes % _MINUTE}s"
    if minutes < _DAY:
        return f"{minutes // _HOUR}h {minutes % _HOUR // _MINUTE}m"
    return f"{minutes // _DAY}d {minutes % _DAY // _HOUR}h"


def headline(picture: Picture, seconds: float | None) -> Text:
    """Two lines about the run: which, how it stands, for how long, and what it took."""
    line = Text().append(clean(picture.run_id), style="bold").append(f"  {clean(picture.definition)}  ")
    line.append(picture.status.replace("_", " "), style=RUN_STYLES.get(picture.status, "bold red"))
    line.append(f"  {spent(seconds)}\n")
    line.append(
        f"{picture.done()} of {len(picture.rows)} nodes done, {usage_line(picture.usage, picture.usage.cost_usd)}",
        style="dim",
    )
    return line
