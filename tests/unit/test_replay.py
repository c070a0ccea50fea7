"""Every recorded history still replays, whatever the hash seed."""

import os
import subprocess
import sys

import pytest

from tests.histories import replay
from tests.histories.record import ENDINGS
from tests.scenarios import SCENARIOS


def test_every_scenario_and_every_ending_has_a_recorded_history() -> None:
    assert set(replay.names()) >= {*SCENARIOS, *ENDINGS}


@pytest.mark.parametrize("name", replay.names())
async def test_a_recorded_history_replays(name: str) -> None:
    await replay.replay(name)


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_every_history_replays_under_another_hash_seed(seed: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.histories.replay"],
        env={**os.environ, "PYTHONHASHSEED": seed},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert (done.returncode, done.stdout) == (0, f"{len(replay.names())} histories replayed\n"), done.stderr
