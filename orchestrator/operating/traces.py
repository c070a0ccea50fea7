"""Whether this process traces, and what its clients and workers need for that; loads OpenTelemetry only then."""

import os
from typing import Any, TypedDict

from temporalio import client, worker

__all__ = ["client_traces", "worker_traces"]

_COLLECTORS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


class ClientTracing(TypedDict):
    """Arguments of ``Client.connect``."""

    interceptors: list[client.Interceptor]
    plugins: list[client.Plugin]


def client_traces() -> ClientTracing:
    """What a client needs so that its requests are traced; nothing where no collector is named.

    Raises:
        SettingsError: The OTEL_* variables ask for what we cannot do.
    """
    if not _wanted():
        return {"interceptors": [], "plugins": []}
    from orchestrator.operating import tracing  # noqa: PLC0415 - costs a third of a second

    tracing.start()
    return {"interceptors": [tracing.ClientTraces()], "plugins": [tracing.plugin()]}


def worker_traces() -> list[worker.Interceptor]:
    """What a worker needs so that runs and nodes are traced; its client has ``client_traces``."""
    if not _wanted():
        return []
    from orchestrator.operating.tracing import RunTraces  # noqa: PLC0415 - see client_traces

    return [RunTraces()]


def _wanted() -> bool:
    off: dict[str, Any] = {"OTEL_SDK_DISABLED": "true", "OTEL_TRACES_EXPORTER": "none"}
    if any(os.environ.get(name, "").lower() == value for name, value in off.items()):
        return False
    return any(os.environ.get(name) for name in _COLLECTORS)
