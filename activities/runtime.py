"""Turns a node's handler into a Temporal activity: renders, validates, heartbeats, and translates errors.

What may take long is done in a thread, since one event loop carries the heartbeats of all that a worker does.
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

from activities.weight import is_long
from orchestrator.contracts import MAX_LOCAL_BYTES, MAX_PAYLOAD_BYTES, TOO_LARGE_FOR_LOCAL, NodeCall, NodeOutput
from orchestrator.errors import NodeError, OrchestratorError, ProviderError, TooLargeError
from orchestrator.graph.plan import Retry
from orchestrator.node_types.base import ConfigModel, NodeType, unrendered_fields
from orchestrator.templating import render_value

__all__ = [
    "Handler",
    "NodeActivity",
    "QuickHandler",
    "check_size",
    "node_activity",
    "quick_activity",
    "retry_delay",
    "translated",
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


def node_activity(node_type: NodeType, config_model: type[Config], handle: Handler[Config]) -> NodeActivity:
    """The activity that performs work nodes of ``node_type`` with ``handle``. It heartbeats meanwhile.

    Raises:
        TypeError: ``config_model`` is not the one that the type declares.
    """
    configured = _configured(node_type, config_model)

    @activity.defn(name=node_type.activity)
    async def perform(call: NodeCall) -> NodeOutput:
        try:
            long = is_long(call.config, call.values)
            config = await asyncio.to_thread(configured, call) if long else configured(call)
            async with _heartbeat():
                output = await handle(config, call)
            return _checked(output, call)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, call.retry) from None

    return perform


def quick_activity(node_type: NodeType, config_model: type[Config], handle: QuickHandler[Config]) -> NodeActivity:
    """The activity that performs quick nodes of ``node_type`` with ``handle``.

    Raises:
        TypeError: ``config_model`` is not the one that the type declares.
    """
    configured = _configured(node_type, config_model)

    def performed(call: NodeCall) -> NodeOutput:
        return _checked(handle(configured(call), call), call)

    @activity.defn(name=node_type.activity)
    async def perform(call: NodeCall) -> NodeOutput:
        try:
            return await asyncio.to_thread(performed, call) if is_long(call.config, call.values) else performed(call)
        except Exception as error:  # noqa: BLE001 - the boundary: whatever happens leaves as our words
            raise translated(error, call.retry) from None

    return perform


def _configured(node_type: NodeType, model: type[Config]) -> Callable[[NodeCall], Config]:
    """What makes the configuration of a call: rendered and validated."""
    if model is not node_type.config:
        raise TypeError(f"{node_type.name} is configured by {node_type.config.__name__}, not {model.__name__}")
    unrendered = unrendered_fields(model)
    return lambda call: _validated(model, _rendered(call, unrendered), call)


def _checked(output: NodeOutput, call: NodeCall) -> NodeOutput:
    check_size(output.output, f"the output of node {call.node!r}")
    return output


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


def check_size(value: Any, what: str) -> None:
    """Raise when ``value`` is more than a run, or a local activity, may carry.

    Raises:
        NodeError: It has no JSON, or is nested more than 100 deep; the message begins with ``what``.
        TooLargeError: Its JSON takes more than ``MAX_PAYLOAD_BYTES`` bytes; the message begins with ``what``.
        ApplicationError: ``TOO_LARGE_FOR_LOCAL``: the workflow will call the same as a regular activity.
    """
    try:
        encoded = to_json(value)
    except ValueError as error:
        reason = str(error).removeprefix("Error serializing to JSON: ")
        raise NodeError(f"{what} cannot be written as JSON: {reason}") from None
    size = len(encoded)
    if size > MAX_PAYLOAD_BYTES:
        raise TooLargeError(
            f"{what} takes {size} bytes; at most {MAX_PAYLOAD_BYTES} are allowed",
            details={"bytes": size, "limit": MAX_PAYLOAD_BYTES},
        )
    # So few brackets cannot nest deeper, which spares most values the walk.
    if encoded.count(b"[") + encoded.count(b"{") > _MAX_NESTING and _is_deep([value]):
        raise NodeError(f"{what} is nested more than {_MAX_NESTING} deep")
    if size > MAX_LOCAL_BYTES and activity.info().is_local:
        raise ApplicationError(
            f"{what} takes {size} bytes, too many for a local activity",
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
async def _heartbeat() -> AsyncGenerator[None]:
    """Heartbeats at a third of the patience the server has, while the block runs."""
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


def translated(error: Exception, retry: Retry) -> ApplicationError:
    """``error`` as Temporal knows it: our code as its type, our details, and when to try again."""
    if isinstance(error, ApplicationError):  # of our own making, already in Temporal's words
        return error
    if isinstance(error, OrchestratorError):
        wait = error.retry_after_s if isinstance(error, ProviderError) else None
        delay = retry_delay(retry, activity.info().attempt) if wait is None else wait
        return ApplicationError(
            error.message,
            error.details,
            type=error.code,
            non_retryable=not error.retryable,
            next_retry_delay=timedelta(seconds=delay) if error.retryable else None,
        )
    # What an unforeseen error says may quote the configuration, so only its kind is told.
    activity.logger.error("activity failed unexpectedly", exc_info=error)
    return ApplicationError(
        f"an unexpected {type(error).__name__} in the worker; its log has the details",
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
