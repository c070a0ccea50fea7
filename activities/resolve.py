"""The first activity of every run: finds, checks and compiles its definition, which pins the run to it."""

import asyncio
import time
from hashlib import sha256
from pathlib import Path

from pydantic_core import to_json
from temporalio import activity
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client

from activities.runtime import translated
from orchestrator.compiler import compile_definition
from orchestrator.contracts import (
    MAX_PAYLOAD_BYTES,
    RESOLVE_ACTIVITY,
    Resolved,
    RunRequest,
    SearchAttribute,
)
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.library import Library
from orchestrator.definition.limits import tighten
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.model import Definition
from orchestrator.errors import OrchestratorError, TooLargeError
from orchestrator.graph.plan import Retry

__all__ = ["ResolveDefinition"]

_ATTRIBUTES_KEPT_S = 60.0


class ResolveDefinition:
    """Resolves definitions for the runs of one worker.

    Args:
        library: The folder of definitions that runs may name.
        client: To ask the server which search attributes it knows.
        heartbeat_timeout: Seconds; handed to each run for its work nodes.
    """

    def __init__(self, library: Path, client: Client, heartbeat_timeout: float) -> None:
        self._library = Library(library)
        self._client = client
        self._heartbeat_timeout = heartbeat_timeout
        self._attributes: tuple[str, ...] = ()
        self._attributes_until = 0.0

    @activity.defn(name=RESOLVE_ACTIVITY)
    async def resolve_definition(self, request: RunRequest) -> Resolved:
        """Find, check and compile the definition of a request, and check its inputs.

        Raises:
            ApplicationError: Not retryable, where the request, the definition or the inputs are wrong.
        """
        try:
            resolved = await asyncio.to_thread(self._resolve, request)
        except OrchestratorError as error:
            raise translated(error, Retry()) from None
        return resolved.model_copy(update={"search_attributes": await self._registered()})

    def _resolve(self, request: RunRequest) -> Resolved:
        definition = self._find(request)
        plan = compile_definition(definition)
        resolved = Resolved(
            plan=plan,
            plan_hash=sha256(to_json(plan)).hexdigest(),
            inputs=check_inputs(definition, request.inputs),
            limits=tighten(plan.limits, request.limits),
            heartbeat_timeout=self._heartbeat_timeout,
        )
        if (size := len(to_json(resolved))) > MAX_PAYLOAD_BYTES:
            raise TooLargeError(
                f"definition and inputs take {size:,} bytes once compiled, more than the {MAX_PAYLOAD_BYTES:,} "
                "that a run may carry; split the definition, or pass large inputs by reference"
            )
        return resolved

    def _find(self, request: RunRequest) -> Definition:
        if isinstance(request.definition, str):
            name, _, version = request.definition.partition("@")
            return self._library.load(name, version or None)
        return load_mapping(request.definition)

    async def _registered(self) -> tuple[str, ...]:
        if time.monotonic() >= self._attributes_until:
            answer = await self._client.operator_service.list_search_attributes(
                ListSearchAttributesRequest(namespace=self._client.namespace)
            )
            keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
            self._attributes = tuple(
                name for name in SearchAttribute.ALL if answer.custom_attributes.get(name) == keyword
            )
            self._attributes_until = time.monotonic() + _ATTRIBUTES_KEPT_S
        return self._attributes
