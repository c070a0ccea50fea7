"""Reads the settings that say where blobs and the archive are, where they name a bucket rather than a folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import SettingsError

__all__ = ["S3Place", "no_other_scheme", "s3_place", "shown_place"]

_S3 = re.compile(r"s3:[/\\]*(?P<bucket>[^/\\]*)[/\\]?(?P<prefix>.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]{0,500}")
_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):[/\\]")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, and what the names of objects in it begin with: nothing, or something that ends in a slash."""

    bucket: str
    prefix: str


def shown_place(place: Path) -> str:
    """A folder or a bucket as people write it, the folder from the root on."""
    found = _S3.fullmatch(str(place))
    return str(place.absolute()) if found is None else f"s3://{found['bucket']}/{found['prefix']}".rstrip("/")


def no_other_scheme(place: Path) -> Path:
    """``place``, when it is a folder or ``s3://bucket/prefix``.

    Raises:
        ValueError: It is an address of another kind, which would be made as a folder of that name.
    """
    found = _SCHEME.match(str(place))
    if found is not None and found["scheme"] != "s3":
        raise ValueError(f"write a folder, or s3://bucket/prefix; {found['scheme']}:// is neither")
    return place


def s3_place(place: Path, variable: str = "ORCHESTRATOR_BLOB_DIR") -> S3Place | None:
    """The bucket that ``s3://bucket/prefix`` names; none for a folder. ``variable`` is the setting that it is.

    A path has lost one of the slashes by the time it is one.

    Raises:
        SettingsError: It names no bucket that there can be.
    """
    found = _S3.fullmatch(str(place))
    if found is None:
        return None
    bucket, prefix = found["bucket"], found["prefix"].replace("\\", "/").strip("/")
    if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
        raise SettingsError(
            f"{variable}: write s3://bucket/prefix, with the name of a bucket (small letters, digits, dots, "
            "hyphens) and a prefix of letters, digits and !_.*'()/-"
        )
    return S3Place(bucket, f"{prefix}/" if prefix else "")
