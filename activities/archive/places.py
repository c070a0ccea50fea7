"""Where an archive lies: a folder, or a bucket of S3. Every call blocks."""

from collections.abc import Iterator
from pathlib import Path
from stat import S_ISDIR
from typing import Protocol

from activities.whole_files import write_whole
from orchestrator.blob_place import s3_place
from orchestrator.errors import ProviderUnavailableError, SettingsError
from orchestrator.settings import Settings, variable_name

__all__ = ["Folder", "Place", "place_of"]

VARIABLE = variable_name("archive")


class Place(Protocol):
    """Keeps documents by name; a slash is between the parts of a name."""

    def put(self, name: str, content: bytes) -> None:
        """Keep ``content``, whole or not at all.

        Raises:
            ProviderUnavailableError: It cannot be kept now.
        """
        ...

    def get(self, name: str) -> bytes | None:
        """What is kept under ``name``; none if there is nothing.

        Raises:
            ProviderUnavailableError: It cannot be read now.
        """
        ...

    def names(self, beginning: str = "") -> Iterator[str]:
        """The names that begin so, in their order; ``beginning`` ends with a slash, or is empty.

        Raises:
            ProviderUnavailableError: They cannot be listed now.
        """
        ...


class Folder:
    """An archive in the folder ``root``, made when it is first needed. Only its owner can read what is there."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def check(self) -> None:
        """Sees whether the folder is there, for whoever only reads.

        Raises:
            SettingsError: It is not, or it is no folder, or it cannot be looked at.
        """
        try:
            reason = None if S_ISDIR(self._root.stat().st_mode) else "it is no folder"
        except OSError as error:
            reason = error.strerror or type(error).__name__
        if reason is not None:
            raise SettingsError(
                f"{VARIABLE}: there is no archive in {self._root.absolute()} ({reason}); set it to the folder that the "
                "workers write to, which they make with the first call of a model"
            )

    def put(self, name: str, content: bytes) -> None:
        """See ``Place``."""
        try:
            write_whole(self._root / name, content)
        except OSError as error:
            raise _unavailable("written", error) from None

    def get(self, name: str) -> bytes | None:
        """See ``Place``. A name that leads out of the folder is one of nothing."""
        path = self._root / name
        if not path.resolve().is_relative_to(self._root.resolve()):
            return None
        try:
            return path.read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except OSError as error:
            raise _unavailable("read", error) from None

    def names(self, beginning: str = "") -> Iterator[str]:
        """See ``Place``. What is still being written is not there yet."""
        try:
            yield from self._within(self._root / beginning)
        except OSError as error:
            raise _unavailable("listed", error) from None

    def _within(self, folder: Path) -> Iterator[str]:
        if not folder.is_dir():
            return
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if path.is_dir():
                yield from self._within(path)
            else:
                yield path.relative_to(self._root).as_posix()


def place_of(settings: Settings) -> Place | None:
    """Where the settings want the archive; none: it is off.

    Raises:
        SettingsError: The place is wrong, or AWS's own configuration.
    """
    if settings.archive is None:
        return None
    place = s3_place(settings.archive, VARIABLE)
    if place is None:
        return Folder(settings.archive)
    from activities.buckets import Bucket, Purpose  # noqa: PLC0415 - AWS's client costs half a second

    purpose = Purpose("the archive", VARIABLE, variable_name("archive_kms_key"))
    return Bucket(place, purpose, endpoint_url=settings.blob_s3_endpoint_url, kms_key=settings.archive_kms_key)


def _unavailable(what: str, error: OSError) -> ProviderUnavailableError:
    reason = error.strerror or type(error).__name__
    return ProviderUnavailableError(f"the archive cannot be {what} ({reason}); check the folder that {VARIABLE} names")
