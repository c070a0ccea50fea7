"""Does what the commands about the archive ask for."""

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from pydantic_core import from_json

from activities.archive import SEALED, Folder, Place, place_of
from activities.archive.naming import NOBODY, beginning, part
from activities.blobs.encrypted import opened
from orchestrator.cli.output import data, out, say
from orchestrator.encryption import keys_of
from orchestrator.errors import RequestError, SettingsError
from orchestrator.settings import Settings, load_settings, variable_name

__all__ = ["show_documents", "show_names"]

_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")
_NAME = re.compile(rf"(?P<tenant>[^/]+)/(?P<day>\d{{4}}/\d\d/\d\d)/(?P<run>[^/]+)/[^/]+\.json(?:{re.escape(SEALED)})?")


def show_names(run: str | None, tenant: str | None, day: str | None, limit: int, *, as_json: bool) -> None:
    """Print the names of documents.

    Raises:
        SettingsError: There is no archive, or its place is wrong.
        RequestError: ``day`` is none.
        ProviderUnavailableError: The archive cannot be listed.
    """
    if day is not None and not _DAY.fullmatch(day):
        raise RequestError(f"--day: {day[:40]!r} is no day; write it as 2027-01-31")
    found = list(islice(_names(_place(load_settings()), run, tenant, day), limit + 1))
    shown = found[:limit]
    if as_json:
        data(shown)
    else:
        for name in shown:
            out(name)
    if not found:
        say("no such call is in the archive")
    elif len(found) > limit:
        say(f"there are more than {limit}: give --limit, --tenant or --day")


def show_documents(names: Sequence[str]) -> None:
    """Print documents.

    Raises:
        SettingsError: There is no archive, its place is wrong, or a key is missing.
        RequestError: There is no such document, or what is there is none.
        ProviderUnavailableError: The archive cannot be read.
    """
    settings = load_settings()
    place, keys = _place(settings), keys_of(settings)
    for name in names:
        content = place.get(name)
        if content is None:
            raise RequestError(f"{name[:500]!r} is not in the archive; `orchestrator archive list` has what is")
        try:
            data(from_json(opened(content, keys, f"{name} of the archive")))
        except ValueError as error:
            raise RequestError(f"{name} cannot be read: {error}") from None


def _place(settings: Settings) -> Place:
    place = place_of(settings)
    if place is None:
        raise SettingsError(
            f"There is no archive: set {variable_name('archive')} to the folder, or the s3://bucket/prefix, that the "
            "workers write to."
        )
    if isinstance(place, Folder):
        place.check()
    return place


def _names(place: Place, run: str | None, tenant: str | None, day: str | None) -> Iterator[str]:
    """The names of documents, and of nothing else that may lie there."""
    date = None if day is None else day.replace("-", "/")
    begins = "" if tenant is None else beginning(None if tenant == NOBODY else tenant)
    if begins and date is not None:
        begins += f"{date}/"
        if run is not None:
            begins += f"{part(run)}/"
    wanted: dict[str, Any] = {"run": None if run is None else part(run), "day": date}
    for name in place.names(begins):
        found = _NAME.fullmatch(name)
        if found is not None and all(value in (None, found[field]) for field, value in wanted.items()):
            yield name
