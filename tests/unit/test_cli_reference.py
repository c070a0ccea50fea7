"""The reference of the command line in docs/cli.md is what the commands themselves say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.cli.errors import EXIT_CODES
from orchestrator.cli.reference import PAGE, render

ROOT = Path(__file__).parents[2]


def test_the_page_is_up_to_date() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert page == render(page), "run python -m orchestrator.cli.reference"


@pytest.mark.parametrize("columns", ["20", "400"])
def test_the_page_does_not_depend_on_the_width_of_the_terminal(columns: str) -> None:
    code = (
        "from orchestrator.cli.reference import PAGE, render; "
        "page = PAGE.read_text(encoding='utf-8'); print(render(page) == page)"
    )
    environment = {**os.environ, "COLUMNS": columns, "TERMINAL_WIDTH": columns}

    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "True\n"


def test_what_people_wrote_stays() -> None:
    page = PAGE.read_text(encoding="utf-8")
    marked = f"before\n{page}after\n"

    assert render(marked).startswith("before\n")
    assert render(marked).endswith("after\n")


def test_a_page_without_a_part_is_refused() -> None:
    with pytest.raises(ValueError, match="commands"):
        render("# nothing here\n")


def test_options_defaults_examples_and_exit_codes_are_there() -> None:
    page = PAGE.read_text(encoding="utf-8")

    assert "| `--limit` `NUMBER` | `50` | At most this many. |" in page
    assert "```sh\norchestrator pause hello-1a2b3c4d\n```" in page
    assert all(f"| {code} | {meaning} |" in page for code, meaning in EXIT_CODES.items())
