"""Tells what a visit has taken whose own activity did not live to tell."""

from temporalio import activity

from activities.runtime import heartbeat, translated
from activities.spending import Purse
from orchestrator.contracts import USAGE_ACTIVITY, NodeCall, Taken, Usage
from orchestrator.errors import OrchestratorError

__all__ = ["UsageOfVisit"]

_ALL = 2**31 - 1
"""More attempts than there are; the ledger counts them in 32 bits."""


class UsageOfVisit:
    """Looks it up.

    Args:
        purse: Knows what was paid for.
    """

    def __init__(self, purse: Purse) -> None:
        self._purse = purse

    @activity.defn(name=USAGE_ACTIVITY)
    async def usage_of_visit(self, call: NodeCall) -> Taken:
        """What all attempts of a try have taken.

        Args:
            call: The visit; its config and values are not looked at.

        Raises:
            ApplicationError: The ledger is away.
        """
        try:
            async with heartbeat():
                attempts = await self._purse.earlier(call, _ALL)
        except OrchestratorError as error:
            raise translated(error, call.retry) from None
        usage = Usage()
        for attempt in attempts:
            usage = usage.plus(attempt)
        return Taken(usage=usage if attempts else None, attempts=attempts)
