"""Log lines of a process: JSON or readable, with the run and node they belong to, and without secrets."""

import logging
import sys
from collections.abc import Sequence
from typing import Any, Literal

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

__all__ = ["configure_logs"]

_CHATTY = ("httpx", "httpcore", "openai")
"""Libraries that log each request with its whole address, which may hold a key."""


def configure_logs(
    level: Literal["debug", "info", "warning", "error"],
    form: Literal["json", "readable", "auto"],
    *,
    secrets: Sequence[str] = (),
) -> None:
    """Sends all logging of this process to standard error.

    Args:
        level: Least important message that is shown.
        form: How a line looks; ``auto`` is readable at a terminal and JSON elsewhere.
        secrets: Texts that are masked wherever they turn up.
    """
    readable = form == "readable" or (form == "auto" and sys.stderr.isatty())
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(allow=("temporal_workflow", "temporal_activity")),
        _add_run,
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Masking(
            [text for text in secrets if text],
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Masking(structlog.stdlib.ProcessorFormatter):
    """Masks secrets in the finished line, so that a traceback cannot show one either."""

    def __init__(self, secrets: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for text in self._secrets:
            line = line.replace(text, "***")
        return line


def _add_run(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Puts run, node and attempt in place of Temporal's own details."""
    details = {**event.pop("temporal_workflow", {}), **event.pop("temporal_activity", {})}
    for name, source in (("run", "workflow_id"), ("node", "activity_id"), ("attempt", "attempt")):
        if details.get(source):
            event[name] = details[source]
    return event
