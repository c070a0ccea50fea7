"""The events of a run in plain words, one line each."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from orchestrator.cli.output import clean
from orchestrator.contracts import Event, visit_label

__all__ = ["event_line", "style_of"]

_STYLES: Mapping[str, str] = {
    "RUN_STARTED": "bold",
    "RUN_COMPLETED": "bold green",
    "RUN_PAUSED": "yellow",
    "RUN_RESUMED": "cyan",
    "RUN_CANCELLING": "yellow",
    "RUN_CONTINUED": "dim",
    "RUN_MIGRATED": "cyan",
    "STARTED": "cyan",
    "COMPLETED": "green",
    "AWAITING_INPUT": "yellow",
    "REMINDER": "yellow",
    "DEFERRED": "yellow",
    "PARKED": "bold red",
    "RESOLVED": "cyan",
    "COMPENSATED": "magenta",
    "SKIPPED": "dim",
    "CANCELLED": "dim",
}
_FAILED = "red"
_RUN_WORDS: Mapping[str, str] = {
    "RUN_PAUSED": "what is under way finishes, nothing new starts",
    "RUN_CANCELLING": "undoes and cleans up first",
    "RUN_CONTINUED": "goes on in a new workflow run, which keeps its history short",
}
_MOST_SHOWN = 160


def event_line(event: Event, since: datetime, *, narrow: bool = False) -> str:
    """An event in one line, with the seconds since ``since``; ``narrow`` leaves no room between the columns."""
    seconds = (datetime.fromisoformat(event.at) - since).total_seconds()
    what = event.type.lower().replace("_", " ")
    where = "run" if _is_of_the_run(event) else visit_label(event.node, event.visit)
    if narrow:
        place = "" if where == "run" else f"{where} "
        return clean(f"{seconds:7.1f}s  {place}{what} {_about(event)}".rstrip())
    return clean(f"{seconds:8.2f} s  {where:<18} {what:<15} {_about(event)}".rstrip())


def style_of(event: Event) -> str:
    """The colours of an event's line."""
    return _STYLES.get(event.type, _FAILED)


def _about(event: Event) -> str:
    line = " ".join((_of_the_run(event) if _is_of_the_run(event) else _of_a_node(event)).split())
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN - 1]}…"


def _is_of_the_run(event: Event) -> bool:
    return event.node is None or event.type.startswith("RUN_")


def _of_the_run(event: Event) -> str:
    data = event.data
    match event.type:
        case "RUN_STARTED":
            text = f"{data.get('definition')}@{data.get('version')}"
        case "RUN_MIGRATED":
            text = f"to {data['definition']}" if "definition" in data else ""
        case "RUN_RESUMED":
            changed = ", ".join(f"state.{name}" for name in data.get("variables") or ())
            text = f"goes on with a new value of {changed}" if changed else "goes on"
        case "RUN_FAILED" | "RUN_TIMED_OUT" | "REJECTED":
            text = _problem(data)
        case _:
            text = _RUN_WORDS.get(event.type, "")
    return text + _who(data)


def _of_a_node(event: Event) -> str:
    data = event.data
    match event.type:
        case "AWAITING_INPUT":
            text = str(data.get("question", ""))
        case "REMINDER":
            text = "still nobody has answered"
        case "DEFERRED":
            text = f"until {data['until']}" if data.get("until") else "until somebody decides"
        case "EXPIRED":
            text = "nobody answered in time"
        case "COMPLETED" if "to" in data:
            text = f"to {data['to']}"
        case "PARKED":
            text = "waits to be resolved"
        case "RESOLVED":
            text = str(data.get("action", ""))
        case "COMPENSATED":
            text = "undone"
        case "ERROR" | "REJECTED":
            text = _problem(data)
        case _:
            text = ""
    return text + _who(data)


def _problem(data: Mapping[str, Any]) -> str:
    return f"{data.get('code')}: {data['message']}" if "message" in data else ""


def _who(data: Mapping[str, Any]) -> str:
    """Who did it and what they said of it, where that is known."""
    by = f" by {data['by']}" if data.get("by") else ""
    return by + (f": {data['comment']}" if data.get("comment") else "")
