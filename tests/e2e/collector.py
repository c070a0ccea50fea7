"""A collector of traces on loopback, which keeps the spans that it is sent over OTLP/HTTP."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orchestrator.operating.serving import serving
from orchestrator.operating.telemetry import reserved
from tests.addresses import free_address

__all__ = ["Collector", "Seen", "collector"]

_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Seen:
    """A span; ids are hexadecimal, ``parent`` is empty for the first of a trace."""

    name: str
    id: str
    trace: str
    parent: str
    attributes: dict[str, str | int]
    failed: str | None
    raw: bytes
    service: str


@dataclass
class Collector:
    """What came in so far."""

    url: str
    spans: list[Seen] = field(default_factory=list[Seen])
    _change: asyncio.Condition = field(default_factory=asyncio.Condition)

    def named(self, name: str, **attributes: str | int) -> list[Seen]:
        """The spans of this name with at least these attributes, their ``orchestrator.`` left out."""
        wanted = {f"orchestrator.{key}": value for key, value in attributes.items()}
        return [span for span in self.spans if span.name == name and wanted.items() <= span.attributes.items()]

    async def until(self, count: int, name: str, **attributes: str | int) -> list[Seen]:
        """Wait until so many such spans have come in."""
        async with asyncio.timeout(_PATIENCE_S), self._change:
            await self._change.wait_for(lambda: len(self.named(name, **attributes)) >= count)
        return self.named(name, **attributes)

    async def take(self, request: Request) -> Response:
        """Take what an exporter sends."""
        sent = ExportTraceServiceRequest.FromString(await request.body())
        async with self._change:
            for resource in sent.resource_spans:
                about = {pair.key: pair.value.string_value for pair in resource.resource.attributes}
                for scope in resource.scope_spans:
                    self.spans.extend(_seen(span, about["service.name"]) for span in scope.spans)
            self._change.notify_all()
        return Response(content=b"", media_type="application/x-protobuf")


@asynccontextmanager
async def collector() -> AsyncGenerator[Collector]:
    """The collector, as long as the context lasts."""
    address = free_address()
    kept = Collector(f"http://{address}")
    app = Starlette(routes=[Route("/v1/traces", kept.take, methods=["POST"])])
    async with serving(app, reserved(address, "address")):
        yield kept


def _seen(span: Span, service: str) -> Seen:
    attributes = {
        pair.key: pair.value.int_value if pair.value.HasField("int_value") else pair.value.string_value
        for pair in span.attributes
    }
    failed = span.status.message if span.status.code == 2 else None
    return Seen(
        span.name,
        span.span_id.hex(),
        span.trace_id.hex(),
        span.parent_span_id.hex(),
        attributes,
        failed,
        span.SerializeToString(),
        service,
    )
