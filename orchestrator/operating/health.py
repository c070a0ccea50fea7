"""Says over HTTP whether a worker lives (``/healthz``) and whether it takes work (``/readyz``)."""

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.worker import Worker

from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from orchestrator.settings import Settings, variable_name

__all__ = ["Health", "health_app", "serving_health"]

_PATIENCE = timedelta(seconds=2)
_FRESH_S = 1.0
"""Seconds that the server's answer holds, however often we are asked."""


class Health:
    """How a worker is.

    Args:
        client: Its client.
        worker: The worker.
        stop: Set as soon as it is told to stop.
    """

    def __init__(self, client: Client, worker: Worker, stop: asyncio.Event) -> None:
        self._client = client
        self._worker = worker
        self._stop = stop
        self._asked = asyncio.Lock()
        self._trouble: str | None = None
        self._looked = -_FRESH_S

    def failure(self) -> str | None:
        """Why the worker will not work again; none while it lives."""
        return "the worker has ended" if self._worker.is_shutdown and not self._stop.is_set() else None

    async def unready(self) -> str | None:
        """Why the worker takes no work just now; none if it does."""
        if self._stop.is_set():
            return "draining: nodes in flight may finish, nothing new is taken"
        if not self._worker.is_running:
            return self.failure() or "the worker has not begun to poll"
        async with self._asked:
            if time.monotonic() - self._looked >= _FRESH_S:
                self._trouble = await self._trouble_of_server()
                self._looked = time.monotonic()
        return self._trouble

    async def _trouble_of_server(self) -> str | None:
        try:
            serves = await self._client.service_client.check_health(timeout=_PATIENCE)
        except RPCError as error:
            return f"the Temporal server does not answer: {error.status.name}"
        return None if serves else "the Temporal server says that it does not serve"


def health_app(health: Health) -> Starlette:
    """The application that answers probes."""

    async def healthz(_request: Request) -> JSONResponse:
        return _answer(health.failure())

    async def readyz(_request: Request) -> JSONResponse:
        return _answer(await health.unready())

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz)])


def _answer(reason: str | None) -> JSONResponse:
    if reason is None:
        return JSONResponse({"status": "ok"})
    return JSONResponse({"status": "unavailable", "reason": reason}, status_code=503)


@asynccontextmanager
async def serving_health(settings: Settings, health: Health) -> AsyncGenerator[None]:
    """Answers probes where the settings say, as long as the context lasts.

    Raises:
        SettingsError: Nothing can listen there.
    """
    if settings.health_address is None:
        yield
        return
    listener = reserved(settings.health_address, variable_name("health_address"))
    async with serving(health_app(health), listener):
        yield
