"""What a check finds, and how checks are run: at the same time, in bounded time, none able to stop another."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from orchestrator.errors import OrchestratorError

__all__ = ["Check", "Finding", "Status", "fail", "in_thread", "ok", "perform", "warn"]

Status = Literal["ok", "warn", "fail"]
Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report: what was looked at, how it stands, and how to mend it."""

    check: str
    status: Status
    says: str
    mend: str | None = None


Check = Callable[[], Awaitable[Sequence[Finding]]]


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, "ok", says)


def warn(check: str, says: str, mend: str) -> Finding:
    """It works, but not as somebody may expect."""
    return Finding(check, "warn", says, mend)


def fail(check: str, says: str, mend: str) -> Finding:
    """Something will not work."""
    return Finding(check, "fail", says, mend)


async def perform(checks: Mapping[str, Check], timeout: float) -> list[Finding]:  # noqa: ASYNC109 - a bound for each
    """What the checks find, in their order; one that breaks, or takes longer than ``timeout`` seconds, is a failure."""
    found = await asyncio.gather(*(_one(name, check, timeout) for name, check in checks.items()))
    return [finding for findings in found for finding in findings]


async def _one(name: str, check: Check, timeout: float) -> Sequence[Finding]:  # noqa: ASYNC109 - see perform
    try:
        async with asyncio.timeout(timeout):
            return await check()
    except TimeoutError:
        return [
            fail(name, f"no answer within {timeout:g} seconds", "Look at what it talks to, or give more --timeout.")
        ]
    except OrchestratorError as error:
        return [fail(name, error.message, "See the message; the settings are listed in .env.example.")]
    except Exception as error:  # noqa: BLE001 - one check that breaks must not hide what the others find
        reason = str(error).partition("\n")[0][:300]
        return [fail(name, f"cannot be checked: {type(error).__name__}: {reason}", "See the reason.")]


async def in_thread(work: Callable[[], Found]) -> Found:
    """What ``work`` returns. A folder that hangs holds up a thread nobody waits for, so that time stays bounded."""
    loop = asyncio.get_running_loop()
    result: asyncio.Future[Found] = loop.create_future()

    def settle(value: Found | None, error: Exception | None) -> None:
        if result.done():
            return
        if error is not None:
            result.set_exception(error)
        else:
            result.set_result(value)  # pyright: ignore[reportArgumentType] - None only where Found is None

    def run() -> None:
        value, problem = None, None
        try:
            value = work()
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits
            problem = error
        if not loop.is_closed():
            loop.call_soon_threadsafe(settle, value, problem)

    threading.Thread(target=run, daemon=True).start()
    return await result
