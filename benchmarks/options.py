"""Options that the commands here share, checked before anything is measured."""

from pathlib import Path
from typing import Annotated

import typer

from benchmarks.pages import PAGE
from benchmarks.report import check_block

__all__ = ["JsonFile", "check_page"]


def _in_a_folder(path: Path | None) -> Path | None:
    if path is not None and not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


JsonFile = Annotated[
    Path | None,
    typer.Option(
        help="Also write everything to this file.",
        dir_okay=False,
        writable=True,
        resolve_path=True,
        callback=_in_a_folder,
    ),
]
"""Where the report goes as JSON. A folder that is not there is found out now, and not when all has been measured."""


def check_page(*blocks: tuple[str, str]) -> None:
    """See that the page of the docs has a place for each of ``blocks``.

    Raises:
        BadParameter: It has not.
    """
    for markers in blocks:
        try:
            check_block(PAGE, markers)
        except (OSError, ValueError) as error:
            raise typer.BadParameter(f"the figures cannot be written: {error}") from error
