"""Log lines of a process: JSON or readable, with the run and node they belong to, and without secrets."""

import json
import logging
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, cast

import structlog
from structlog.types import EventDict, Processor, WrappedLogger
from temporalio import activity

from orchestrator.errors import SettingsError

__all__ = ["configure_logs", "mask_with", "without_temporal"]

Masker = Callable[[str], str]

_maskers: list[Masker] = []

_NAMES = {"run": "workflow_id", "node": "activity_id", "attempt": "attempt", "workflow_run": "run_id"}
"""What we call the details of a line, by what Temporal calls them."""
_MOST_CHARACTERS = 1_000
"""Of one detail that the SDK's native part tells: some are whole failures."""

_CHATTY = ("httpx", "httpcore", "httpx2", "httpcore2", "openai", "anthropic", "google_genai", "botocore", "uvicorn")
"""Libraries that log each request with its whole address, which may hold a key, or each start of a server."""


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
        structlog.stdlib.ExtraAdder(allow=("temporal_workflow", "temporal_activity", "temporal_log")),
        _add_run,
        _say_why,
    ]
    last: list[Processor] = (
        [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
        if readable
        else [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Masking(
            sorted({spelling for text in secrets for spelling in _spellings(text)}, key=len, reverse=True),
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def mask_with(*maskers: Masker) -> None:
    """From now on passes each log line through ``maskers``, in place of any before: for secrets that change meanwhile.

    They stay until the process ends, since its last line may be the one with a secret in its traceback.
    """
    _maskers[:] = maskers


@contextmanager
def without_temporal() -> Generator[None]:
    """Nothing of the Temporal SDK is logged in the context, unless the process logs down to debug.

    It is for commands that work in their own process and tell themselves what failed.
    """
    logger = logging.getLogger("temporalio")
    before = logger.level
    if logging.getLogger().level != logging.DEBUG:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(before)


def _spellings(text: str) -> Iterator[str]:
    """A secret as a line may show it: as it is or, as in most messages of errors, quoted; and both within JSON."""
    for form in (text, repr(text)[1:-1]):
        yield from (spelling for spelling in (form, json.dumps(form)[1:-1]) if spelling)


class _Masking(structlog.stdlib.ProcessorFormatter):
    """Masks secrets in the finished line, so that a traceback cannot show one either."""

    def __init__(self, secrets: Sequence[str], **options: Any) -> None:
        super().__init__(**options)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        for text in self._secrets:
            line = line.replace(text, "***")
        for mask in _maskers.copy():
            line = mask(line)
        return line


def _add_run(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Puts run, node and attempt in place of Temporal's own details."""
    core = event.pop("temporal_log", None)
    told: dict[str, Any] = {} if core is None else dict(core.fields)
    details = {**event.pop("temporal_workflow", {}), **event.pop("temporal_activity", {})} or told or _here()
    for name, source in _NAMES.items():
        if found := details.pop(source, None):
            event[name] = found
    if told:
        event["details"] = {name: str(value)[:_MOST_CHARACTERS] for name, value in details.items()}
    return event


def _say_why(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """In place of a traceback the sentence of an error that a wrong setting makes, and the run that it holds up."""
    exception = event.get("exc_info")
    error = cast("tuple[Any, ...]", exception)[1] if isinstance(exception, tuple) else None
    if isinstance(error, SettingsError):
        del event["exc_info"]
        event["reason"] = error.message
        if run := error.details.get("run"):
            event["run"] = run
    return event


def _here() -> dict[str, Any]:
    """Details for a line of somebody who does not know Temporal, such as a library that a node calls."""
    if not activity.in_activity():
        return {}
    info = activity.info()
    return {"workflow_id": info.workflow_id, "activity_id": info.activity_id, "attempt": info.attempt}
