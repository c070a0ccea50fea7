"""Checks of folders and keys: blobs, the archive, files that nodes write, secrets, encryption."""

import os
import stat
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from activities.archive import Folder, place_of
from activities.blobs import blob_store
from orchestrator.blob_place import shown_place
from orchestrator.cli.doctor.checking import Check, Finding, fail, in_thread, ok, warn
from orchestrator.errors import OrchestratorError, SettingsError
from orchestrator.settings import Settings, variable_name

__all__ = ["checks"]

_SECRETS = (("secrets", "secrets_dir"), ("database addresses", "databases_dir"))
_MOST_SHOWN = 5
_MEND_BUCKET = "Check the bucket, the address of its service, and what the credentials of this process may do there."


def checks(settings: Settings) -> dict[str, Check]:
    """The checks of this family."""
    found: dict[str, Check] = {"encryption": partial(in_thread, partial(_encryption, settings))}
    if str(settings.blob_dir).startswith("s3:"):
        found["blob bucket"] = partial(_bucket, settings)
    else:
        writable = partial(_writable, "blob folder", settings.blob_dir, "blob_dir", made=True)
        found = {"blob folder": partial(in_thread, writable), **found}
    if settings.archive is not None:
        found["archive"] = partial(in_thread, partial(_archive, settings, settings.archive))
    for name, field in _SECRETS:
        folder: Path | None = getattr(settings, field)
        if folder is not None:
            found[name] = partial(in_thread, partial(_secrets, name, folder, field))
    for folder in settings.files_dirs:
        name = f"files in {folder}"
        found[name] = partial(in_thread, partial(_writable, name, folder, "files_dirs", made=False))
    return found


async def _bucket(settings: Settings) -> Sequence[Finding]:
    """Whether a blob can be kept in a bucket, and read again."""
    check = "blob bucket"
    try:
        store = blob_store(settings)
        await store.get(await store.put(b'"written by doctor"'))
    except OrchestratorError as error:
        return [fail(check, error.message, _MEND_BUCKET)]
    return [ok(check, f"{shown_place(settings.blob_dir)} can be written and read")]


def _archive(settings: Settings, where: Path) -> Sequence[Finding]:
    """Whether documents can be kept in the archive; a bucket need not let us read them."""
    place = place_of(settings)
    if isinstance(place, Folder) or place is None:
        return _writable("archive", where, "archive", made=True)
    try:
        place.put("written-by-doctor.json", b"{}")
    except OrchestratorError as error:
        return [fail("archive", error.message, _MEND_BUCKET)]
    key = "" if settings.archive_kms_key is None else f", with the key {settings.archive_kms_key}"
    return [ok("archive", f"{shown_place(where)} can be written{key}")]


def _writable(check: str, folder: Path, field: str, *, made: bool) -> Sequence[Finding]:
    """Whether files can be made in a folder; one that is ``made`` when it is needed may be missing still."""
    variable = variable_name(field)
    there = folder.absolute()
    if made:
        while not there.exists() and there != there.parent:
            there = there.parent
    try:
        with tempfile.TemporaryFile(dir=there):
            free = os.statvfs(there)
    except OSError as error:
        mend = f"Let the user of this process write there, or set {variable} to a folder where it may."
        return [fail(check, f"{folder.absolute()} cannot be written: {error.strerror or error}", mend)]
    space = free.f_bavail * free.f_frsize / 1_000_000_000
    missing = "" if folder.is_dir() else " (made when it is first needed)"
    if space < 1:
        mend = f"Make room, or set {variable} to a folder on a larger disk."
        return [warn(check, f"{folder.absolute()} can be written, but has {space:.1f} GB left", mend)]
    return [ok(check, f"{folder.absolute()} can be written, {space:.0f} GB left{missing}")]


def _secrets(check: str, folder: Path, field: str) -> Sequence[Finding]:
    """Whether a folder of secrets, and each file in it, can be read by us and by nobody else."""
    variable = variable_name(field)
    try:
        files = sorted(file for file in folder.iterdir() if not file.name.startswith(".") and file.is_file())
    except OSError as error:
        mend = f"Set {variable} to the folder where they are mounted."
        return [fail(check, f"{folder} cannot be read: {error.strerror or error}", mend)]
    closed = [file for file in files if not os.access(file, os.R_OK)]
    if closed:
        mend = "Let the user of the worker read them (Kubernetes: fsGroup, defaultMode 0440)."
        return [fail(check, f"{folder}: cannot read {_names(closed)}", mend)]
    exposed = [file for file in files if file.stat().st_mode & stat.S_IROTH]
    if exposed:
        return [warn(check, f"{folder}: everybody may read {_names(exposed)}", f"chmod o-r {folder}/*")]
    if not files:
        return [warn(check, f"{folder} holds none", f"Put a file for each secret there, or unset {variable}.")]
    return [ok(check, f"{len(files)} in {folder}, which only we can read")]


def _names(files: Sequence[Path]) -> str:
    more = f" and {len(files) - _MOST_SHOWN} more" if len(files) > _MOST_SHOWN else ""
    return ", ".join(file.name for file in files[:_MOST_SHOWN]) + more


def _encryption(settings: Settings) -> Sequence[Finding]:
    from orchestrator.encryption import keys_of

    try:
        keys = keys_of(settings)
    except SettingsError as error:
        mend = "Write them as id:base64, 32 bytes each: `orchestrator encryption-key` makes one."
        return [fail("encryption", error.message, mend)]
    if keys is None:
        return [ok("encryption", "off: no keys are set, so the Temporal server can read what runs are about")]
    return [ok("encryption", f"on, with the key {keys.first.id!r}")]
