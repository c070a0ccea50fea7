"""The first activity of every run: finds, checks and compiles its definition, which pins the run to it."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any, Protocol

from pydantic_core import to_json
from temporalio import activity
from temporalio.api.enums.v1 import IndexedValueType
from temporalio.api.operatorservice.v1 import ListSearchAttributesRequest
from temporalio.client import Client
from temporalio.service import RPCError

from activities.blobs import BlobStore
from activities.runtime import translated
from orchestrator.compiler import compile_definition
from orchestrator.contracts import (
    MAX_PAYLOAD_BYTES,
    RESOLVE_ACTIVITY,
    Carry,
    ForkRequest,
    Lineage,
    Resolved,
    Rollover,
    RunRequest,
    SearchAttribute,
)
from orchestrator.definition.inputs import check_inputs
from orchestrator.definition.library import Library
from orchestrator.definition.limits import tighten
from orchestrator.definition.loader import load_mapping
from orchestrator.definition.model import Definition
from orchestrator.definition.named import Find
from orchestrator.errors import OrchestratorError, TooLargeError
from orchestrator.graph.carried import Carried, pack, pages
from orchestrator.graph.plan import Plan, Retry

__all__ = ["Begin", "Fork", "ResolveDefinition"]

_ATTRIBUTES_KEPT_S = 60.0
_MOST_KEPT = 128
_MOST_CARRIED = 300_000
"""Characters of a forked run's state that stand in history, beside its plan."""


class Begin(Protocol):
    """Where a forked run begins."""

    @property
    def plan(self) -> Plan: ...
    @property
    def inputs(self) -> Mapping[str, Any]: ...
    @property
    def carried(self) -> Carried: ...
    @property
    def lineage(self) -> Lineage: ...


Fork = Callable[[ForkRequest, Plan | None], Awaitable[Begin]]


class ResolveDefinition:
    """Resolves definitions for the runs of one worker.

    Args:
        library: The folder of definitions that runs may name.
        client: To ask the server which search attributes it knows.
        heartbeat_timeout: Seconds; handed to each run for its work nodes.
        rollover: When runs go on in a new workflow run; handed to each.
        fork: Finds out where a forked run begins.
        blobs: Keeps what a forked run takes over, where it is too large for history.
    """

    def __init__(
        self,
        library: Path,
        client: Client,
        heartbeat_timeout: float,
        rollover: Rollover,
        fork: Fork,
        blobs: BlobStore,
    ) -> None:
        self._library = Library(library)
        self._client = client
        self._heartbeat_timeout = heartbeat_timeout
        self._rollover = rollover
        self._fork = fork
        self._blobs = blobs
        self._attributes: tuple[str, ...] = ()
        self._attributes_until = 0.0
        self._compiled = _Compiled()

    @activity.defn(name=RESOLVE_ACTIVITY)
    async def resolve_definition(self, request: RunRequest) -> Resolved:
        """Find, check and compile the definition of a request, and check its inputs.

        Raises:
            ApplicationError: Not retryable, where the request, the definition or the inputs are wrong.
        """
        try:
            if request.fork is None:
                resolved = await asyncio.to_thread(self._resolve, request)
            else:
                resolved = await self._resolve_fork(request, request.fork)
            return resolved.model_copy(update={"search_attributes": await self._registered()})
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, Retry()) from None

    def _resolve(self, request: RunRequest) -> Resolved:
        definition = self._find(request)
        plan, plan_hash = self._plan(request, definition)
        given = request.inputs
        if request.moves:
            given = {name: value for name, value in given.items() if name in definition.inputs}
        return self._resolved(request, plan, plan_hash, check_inputs(definition, given))

    def _plan(self, request: RunRequest, definition: Definition) -> tuple[Plan, str]:
        # A definition sent with the run is a new one each time, so there is no use in keeping it.
        compiled = self._compiled.get if isinstance(request.definition, str) else _compile
        return compiled(definition, self._library.find)

    async def _resolve_fork(self, request: RunRequest, fork: ForkRequest) -> Resolved:
        plan = None
        if not fork.own_definition:
            plan, _ = await asyncio.to_thread(lambda: self._plan(request, self._find(request)))
        begin = await self._fork(fork, plan)
        text = pack(begin.carried)
        carry = Carry(text=text)
        if len(text) > _MOST_CARRIED:
            carry = Carry(pages=tuple([await self._blobs.put(to_json(part)) for part in pages(text)]))
        resolved = self._resolved(request, begin.plan, sha256(to_json(begin.plan)).hexdigest(), dict(begin.inputs))
        return resolved.model_copy(update={"start": carry, "lineage": begin.lineage})

    def _resolved(self, request: RunRequest, plan: Plan, plan_hash: str, inputs: dict[str, Any]) -> Resolved:
        resolved = Resolved(
            plan=plan,
            plan_hash=plan_hash,
            inputs=inputs,
            limits=tighten(plan.limits, request.limits),
            heartbeat_timeout=self._heartbeat_timeout,
            rollover=self._rollover,
        )
        if (size := len(to_json(resolved))) > MAX_PAYLOAD_BYTES:
            raise TooLargeError(
                f"definition and inputs take {size:,} bytes once compiled, more than the {MAX_PAYLOAD_BYTES:,} "
                "that a run may carry; split the definition, or pass large inputs by reference"
            )
        return resolved

    def _find(self, request: RunRequest) -> Definition:
        if isinstance(request.definition, str):
            return self._library.find(request.definition)
        return load_mapping(request.definition, blocks=self._library.blocks)

    async def _registered(self) -> tuple[str, ...]:
        if time.monotonic() >= self._attributes_until:
            try:
                answer = await self._client.operator_service.list_search_attributes(
                    ListSearchAttributesRequest(namespace=self._client.namespace)
                )
            except RPCError as error:
                # They only help people to find runs; the next run asks again.
                activity.logger.warning("cannot list search attributes: %s", error)
                return self._attributes
            keyword = IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD
            self._attributes = tuple(
                name for name in SearchAttribute.ALL if answer.custom_attributes.get(name) == keyword
            )
            self._attributes_until = time.monotonic() + _ATTRIBUTES_KEPT_S
        return self._attributes


def _compile(definition: Definition, find: Find) -> tuple[Plan, str]:
    plan = compile_definition(definition, find)
    return plan, sha256(to_json(plan)).hexdigest()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A plan, and what it was compiled from: a definition, and those that it names."""

    definition: Definition
    named: Mapping[str, Definition]
    plan: Plan
    plan_hash: str

    def holds(self, definition: Definition, find: Find) -> bool:
        """Whether all of it is as it was."""
        try:
            return self.definition is definition and all(find(name) is known for name, known in self.named.items())
        except OrchestratorError:
            return False  # compiling says what is wrong


class _Compiled:
    """The plans of the definitions asked for last. Used from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: OrderedDict[tuple[str, str], _Kept] = OrderedDict()

    def get(self, definition: Definition, find: Find) -> tuple[Plan, str]:
        """The plan of a definition, and its hash; compiled once for as long as nothing in it has changed."""
        key = (definition.name, definition.version)
        with self._lock:
            kept = self._kept.get(key)
        if kept is None or not kept.holds(definition, find):
            named: dict[str, Definition] = {}

            def remembered(reference: str) -> Definition:
                named[reference] = find(reference)
                return named[reference]

            kept = _Kept(definition, named, *_compile(definition, remembered))
        with self._lock:
            self._kept[key] = kept
            self._kept.move_to_end(key)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return kept.plan, kept.plan_hash
