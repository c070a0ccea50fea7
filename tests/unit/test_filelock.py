"""One process at a time has a file."""

import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import SettingsError
from orchestrator.filelock import only_user_of

HOLD = """
import sys
from pathlib import Path
from orchestrator.filelock import only_user_of
with only_user_of(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_file_that_is_in_use_is_refused_until_its_user_is_gone(tmp_path: Path) -> None:
    file = tmp_path / "runs.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(SettingsError, match="Another development server uses the file"), only_user_of(file):
            pytest.fail("two have the file")
        other.kill()
    with only_user_of(file):
        assert (tmp_path / "runs.db.lock").exists()


def test_a_lock_file_that_cannot_be_opened_is_a_settings_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be opened"), only_user_of(tmp_path / "missing" / "runs.db"):
        pytest.fail("there is no such folder")
