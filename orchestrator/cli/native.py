"""Keeps what the SDK's native part logs off standard output, which is for data."""

import logging
from functools import cache

from temporalio.runtime import Runtime, TelemetryConfig

from orchestrator.operating.telemetry import native_logs

__all__ = ["take_over_logs"]


@cache
def take_over_logs() -> None:
    """From now on its lines go where this process logs: with ``--verbose`` and in ``dev``; otherwise nowhere."""
    logger = logging.getLogger("temporalio.core")
    # Without a handler anywhere Python would write them to standard error by itself.
    logger.addHandler(logging.NullHandler())
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=native_logs())), error_if_already_set=False)
