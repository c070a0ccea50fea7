"""What a worker that was told to stop at once does with activities that come after that."""

import pytest
from temporalio.common import MetricMeter
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from orchestrator.operating.nodes import NodesInFlight


class _Last(ActivityInboundInterceptor):
    """The end of a chain of interceptors: what performs the activity."""

    def __init__(self) -> None:
        super().__init__(self)

    async def execute_activity(self, input: ExecuteActivityInput) -> str:  # noqa: A002 - the SDK's name
        return await input.fn()


async def _work() -> str:
    return "done"


async def _attempt(nodes: NodesInFlight) -> str:
    chain = nodes.intercept_activity(_Last())
    return await chain.execute_activity(ExecuteActivityInput(fn=_work, args=(), executor=None, headers={}))


async def test_what_comes_after_it_was_told_to_hurry_is_left_to_other_workers() -> None:
    nodes = NodesInFlight(MetricMeter.noop)
    before = await ActivityEnvironment().run(_attempt, nodes)
    nodes.hurry()

    with pytest.raises(ApplicationError) as refused:
        await ActivityEnvironment().run(_attempt, nodes)

    assert (before, refused.value.type, refused.value.non_retryable) == ("done", "WORKER_STOPPED", False)
    assert nodes.count == 0
