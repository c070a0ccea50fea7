"""Turns a node's handler into a Temporal activity: renders, validates, heartbeats, and translates errors.

What may take long is done in a thread, since one event loop carries the heartbeats of all that a worker does. Large
values come from blob storage before a node is performed, and go there afterwards.
"""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import to_json
from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities import taking
from activities.blobs import BlobStore
from activities.blobs.moving import LOOKALIKE, MAX_VALUE_BYTES, Part, bring_in, divide, move_out
from activities.collecting import uncollected
from activities.weight import is_long
from orchestrator.contracts import MAX_INLINE_BYTES, MAX_LOCAL_BYTES, TOO_LARGE_FOR_LOCAL, NodeCall, NodeOutput, Taken
from orchestrator.errors import NodeError, OrchestratorError, ProviderError, TooLargeError
from orchestrator.graph.blobs import blobs_in
from orchestrator.graph.plan import Retry
from orchestrator.node_types.base import ConfigModel, NodeType, unrendered_fields
from orchestrator.templating import render_value

__all__ = [
    "Handler",
    "NodeActivity",
    "QuickHandler",
    "heartbeat",
    "kept_small",
    "node_activity",
    "quick_activity",
    "retry_delay",
    "translated",
    "with_large_values",
]

Config = TypeVar("Config", bound=ConfigModel)
Handler = Callable[[Config, NodeCall], Awaitable[NodeOutput]]
"""Performs one visit of a node, given its configuration with every template filled in."""
QuickHandler = Callable[[Config, NodeCall], NodeOutput]
"""The same for a quick node, which only computes."""
NodeActivity = Callable[[NodeCall], Awaitable[NodeOutput]]

_JITTER = 0.5
_MAX_NESTING = 100
"""How deep an output may be nested. What reads it afterwards gives up somewhat below 200."""
_NESTING = frozenset({dict, list, tuple})


def node_activity(
    node_type: NodeType, config_model: type[Config], handle: Handler[Config], blobs: BlobStore
) -> NodeActivity:
    """The activity that performs work nodes of ``node_type`` with ``handle``. It heartbeats meanwhile.

    Raises:
        TypeError: ``config_model`` is not the one that the type declares.
    """
    configured = _configured(node_type, config_model)

    async def performed(call: NodeCall) -> NodeOutput:
        if not is_long(call.config, call.values):
            return await handle(configured(call), call)
        call = await _whole(call, blobs)
        return await handle(await asyncio.to_thread(configured, call), call)

    return _activity(node_type, performed, blobs)


def quick_activity(
    node_type: NodeType, config_model: type[Config], handle: QuickHandler[Config], blobs: BlobStore
) -> NodeActivity:
    """The activity that performs quick nodes of ``node_type`` with ``handle``. Called as a regular one, it heartbeats.

    Raises:
        TypeError: ``config_model`` is not the one that the type declares.
    """
    configured = _configured(node_type, config_model)

    async def performed(call: NodeCall) -> NodeOutput:
        if not is_long(call.config, call.values):
            return handle(configured(call), call)
        call = await _whole(call, blobs)
        return await asyncio.to_thread(lambda: handle(configured(call), call))

    return _activity(node_type, performed, blobs)


def _activity(node_type: NodeType, performed: NodeActivity, blobs: BlobStore) -> NodeActivity:
    @activity.defn(name=node_type.activity)
    async def perform(call: NodeCall) -> NodeOutput:
        taking.begin()
        try:
            async with heartbeat():
                output = await performed(call)
                kept = await kept_small(output.output, f"the output of node {call.node!r}", blobs)
            return output if kept is output.output else output.model_copy(update={"output": kept})
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, call.retry, taking.told(call, activity.info().attempt)) from None

    return perform


async def _whole(call: NodeCall, blobs: BlobStore) -> NodeCall:
    values = await with_large_values(call.values, f"node {call.node!r}", blobs)
    return call if values is call.values else call.model_copy(update={"values": values})


def _configured(node_type: NodeType, model: type[Config]) -> Callable[[NodeCall], Config]:
    """What makes the configuration of a call: rendered and validated."""
    if model is not node_type.config:
        raise TypeError(f"{node_type.name} is configured by {node_type.config.__name__}, not {model.__name__}")
    unrendered = unrendered_fields(model)
    return lambda call: _validated(model, _rendered(call, unrendered), call)


def _rendered(call: NodeCall, unrendered: frozenset[str]) -> Any:
    config: Any = call.config
    if not unrendered or not isinstance(config, dict):
        return render_value(config, call.values)
    fields = cast("dict[str, Any]", config)
    rendered = render_value({name: value for name, value in fields.items() if name not in unrendered}, call.values)
    return {name: value if name in unrendered else rendered[name] for name, value in fields.items()}


def _validated(model: type[Config], config: Any, call: NodeCall) -> Config:
    try:
        return model.model_validate(config)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        place = ".".join(("config", *(str(part) for part in first["loc"])))
        reason = first["msg"].removeprefix("Value error, ")
        raise NodeError(f"{place} of node {call.node!r}: {reason}", details={"field": place}) from None


async def with_large_values(values: dict[str, Any], what: str, blobs: BlobStore) -> dict[str, Any]:
    """``values`` with everything in place that they refer to in blob storage.

    Raises:
        OrchestratorError: Some of it cannot be had; the message begins with ``what``.
        ApplicationError: ``TOO_LARGE_FOR_LOCAL``: the workflow will call the same as a regular activity.
    """
    if await asyncio.to_thread(lambda: next(blobs_in(values), None)) is None:
        return values
    if activity.info().is_local:
        raise _too_large_for_local(f"{what} reads from blob storage, which takes too long")
    return await bring_in(values, blobs, what)


async def kept_small(value: Any, what: str, blobs: BlobStore) -> Any:
    """``value`` with its large parts in blob storage, and references in their place.

    Raises:
        NodeError: It has no JSON, or is nested more than 100 deep; the message begins with ``what``.
        TooLargeError: Its JSON takes more than even blob storage may hold of one visit.
        ProviderUnavailableError: Blob storage cannot be written.
        ApplicationError: ``TOO_LARGE_FOR_LOCAL``: the workflow will call the same as a regular activity.
    """
    kept, parts = await asyncio.to_thread(_divided, value, what) if is_long(value, {}) else _divided(value, what)
    if parts:
        await move_out(parts, blobs, what)
    return kept


def _divided(value: Any, what: str) -> tuple[Any, list[Part]]:
    size, divides = _weighed(value, what)
    local = activity.info().is_local
    if local and (divides or size > MAX_LOCAL_BYTES):
        raise _too_large_for_local(f"{what} takes {size} bytes, too many")
    if not divides:
        return value, []
    try:
        with uncollected():
            return divide(value)
    except TooLargeError as error:
        raise TooLargeError(f"{what} {error.message}", details=error.details) from None


def _weighed(value: Any, what: str) -> tuple[int, bool]:
    """The bytes that the JSON of ``value`` takes, and whether some of it may have to go to blob storage."""
    try:
        encoded = to_json(value)
    except ValueError as error:
        reason = str(error).removeprefix("Error serializing to JSON: ")
        raise NodeError(f"{what} cannot be written as JSON: {reason}") from None
    size = len(encoded)
    if size > MAX_VALUE_BYTES:
        raise TooLargeError(
            f"{what} takes {size:,} bytes; at most {MAX_VALUE_BYTES:,} are allowed",
            details={"bytes": size, "limit": MAX_VALUE_BYTES},
        )
    # So few brackets cannot nest deeper, which spares most values the walk.
    if encoded.count(b"[") + encoded.count(b"{") > _MAX_NESTING and _is_deep([value]):
        raise NodeError(f"{what} is nested more than {_MAX_NESTING} deep")
    return size, size > MAX_INLINE_BYTES or LOOKALIKE in encoded


def _too_large_for_local(reason: str) -> ApplicationError:
    return ApplicationError(
        f"{reason} for a local activity",
        type=TOO_LARGE_FOR_LOCAL,
        non_retryable=True,
        category=ApplicationErrorCategory.BENIGN,
    )


def _is_deep(value: Any) -> bool:
    level: list[Any] = [value]
    for _ in range(_MAX_NESTING + 1):
        level = [child for item in level for child in _children(item) if child.__class__ in _NESTING]
    return bool(level)


def _children(value: Any) -> Iterable[Any]:
    return cast("dict[Any, Any]", value).values() if value.__class__ is dict else value


@asynccontextmanager
async def heartbeat() -> AsyncGenerator[None]:
    """Heartbeats at a third of the patience the server has, if it has any, while the block runs."""
    timeout = activity.info().heartbeat_timeout
    if timeout is None:
        yield
        return
    beating = asyncio.create_task(_beat(timeout.total_seconds() / 3))
    try:
        yield
    finally:
        beating.cancel()


async def _beat(interval: float) -> None:
    while True:
        activity.heartbeat()
        await asyncio.sleep(interval)


def translated(error: Exception, retry: Retry, taken: Taken | None = None) -> ApplicationError:
    """``error`` as Temporal knows it: our code as its type, our details, and when to try again.

    Args:
        error: What went wrong.
        retry: When it is tried again.
        taken: What it has cost all the same: behind the details.
    """
    if isinstance(error, ApplicationError):  # of our own making, already in Temporal's words
        return error
    more = () if taken is None else (taken.model_dump(mode="json", exclude_defaults=True),)
    if isinstance(error, OrchestratorError):
        wait = error.retry_after_s if isinstance(error, ProviderError) else None
        delay = retry_delay(retry, activity.info().attempt) if wait is None else wait
        return ApplicationError(
            error.message,
            error.details,
            *more,
            type=error.code,
            non_retryable=not error.retryable,
            next_retry_delay=timedelta(seconds=delay) if error.retryable else None,
        )
    # What an unforeseen error says may quote the configuration, so only its kind is told.
    activity.logger.error("activity failed unexpectedly", exc_info=error)
    return ApplicationError(
        f"an unexpected {type(error).__name__} in the worker; its log has the details",
        {},
        *more,
        type=OrchestratorError.code,
        next_retry_delay=timedelta(seconds=retry_delay(retry, activity.info().attempt)),
    )


def retry_delay(retry: Retry, attempt: int) -> float:
    """Seconds to wait after the failure of attempt number ``attempt``, counted from 1.

    With jitter, a random time between half of the delay and all of it, so that many runs do not return together.
    """
    if retry.strategy == "fixed":
        delay = retry.initial_delay
    elif retry.strategy == "linear":
        delay = retry.initial_delay * attempt
    else:
        # The exponent is bounded because a float overflows; max_delay is reached long before.
        delay = retry.initial_delay * retry.multiplier ** min(attempt - 1, 64)
    delay = min(delay, retry.max_delay)
    if retry.jitter:
        delay *= random.uniform(1 - _JITTER, 1)  # noqa: S311 - spreads load; nothing secret hangs on it
    return delay
