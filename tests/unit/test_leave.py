"""How a process of ours ends."""

import subprocess
import sys

import pytest

LEAVE = "from orchestrator.leave import leave; print('done', end=''); "


def ended(code: str, *, shell: str = "") -> subprocess.CompletedProcess[str]:
    command = ["sh", "-c", f'exec "$0" -c "$1" {shell}', sys.executable, code]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


@pytest.mark.parametrize("code", [0, 7])
def test_a_process_ends_with_the_code_that_was_meant_and_all_it_wrote(code: int) -> None:
    done = ended(f"{LEAVE} leave({code})")

    assert (done.returncode, done.stdout, done.stderr) == (code, "done", "")


def test_no_function_that_waits_for_the_end_is_called() -> None:
    done = ended(f"import atexit; atexit.register(print, 'late'); {LEAVE} leave(3)")

    assert (done.returncode, done.stdout) == (3, "done")


@pytest.mark.parametrize("shell", [">&-", ">&- 2>&-"])
def test_the_code_counts_though_nobody_can_be_told(shell: str) -> None:
    done = ended(f"{LEAVE} leave(5)", shell=shell)

    assert (done.returncode, done.stderr) == (5, "")


def test_the_code_counts_though_the_output_has_gone_away() -> None:
    done = ended(f"import os; {LEAVE} os.close(1); leave(5)")

    assert (done.returncode, done.stderr) == (5, "")


def test_ending_needs_nothing_of_temporal() -> None:
    done = ended("import orchestrator.leave, sys; print('temporalio' in sys.modules)")

    assert done.stdout == "False\n"


def test_what_is_left_to_do_is_done_first_and_does_not_change_the_code_when_it_fails() -> None:
    before = "from orchestrator.leave import before_leaving as before; before(lambda: 1 / 0); before(lambda: print(2))"
    done = ended(f"{LEAVE} {before}; leave(4)")

    assert (done.returncode, done.stdout) == (4, "done2\n")
    assert "ZeroDivisionError" in done.stderr
