"""No run notices that its worker was killed, whatever it was doing: see ``docs/failure-contract.md``."""

import pytest

from tests.e2e.kills.cases import CASES
from tests.e2e.kills.driver import Stage, killed_at_every_step

# The driver itself ends a run in which nothing happens any more; how long all of them take is up to the machine.
pytestmark = pytest.mark.timeout(900)


@pytest.mark.parametrize("name", CASES)
async def test_a_worker_may_be_killed_at_every_step(name: str, stage: Stage) -> None:
    died_behind = await killed_at_every_step(stage, CASES[name])

    # A run may end between the moment to kill and the kill, and on a busy machine its last steps do: what has been
    # shown then is little, so these must not be most of it.
    in_time = [event for event in died_behind if not event.startswith("WORKFLOW_EXECUTION_COMPLETED")]
    assert len(in_time) >= 0.5 * len(died_behind), died_behind
