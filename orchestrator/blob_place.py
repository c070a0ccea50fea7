"""Reads the setting that says where blobs are, where it names a bucket rather than a folder."""

import re
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import SettingsError

__all__ = ["S3Place", "s3_place"]

_S3 = re.compile(r"s3:[/\\]*(?P<bucket>[^/\\]*)[/\\]?(?P<prefix>.*)", re.DOTALL)
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX = re.compile(r"[A-Za-z0-9!_.*'()/-]{0,500}")


@dataclass(frozen=True, slots=True)
class S3Place:
    """A bucket, and what the names of objects in it begin with: nothing, or something that ends in a slash."""

    bucket: str
    prefix: str


def s3_place(blob_dir: Path) -> S3Place | None:
    """The bucket that ``s3://bucket/prefix`` names; none for a folder.

    A path has lost one of the slashes by the time it is one.

    Raises:
        SettingsError: It names no bucket that there can be.
    """
    found = _S3.fullmatch(str(blob_dir))
    if found is None:
        return None
    bucket, prefix = found["bucket"], found["prefix"].replace("\\", "/").strip("/")
    if not _BUCKET.fullmatch(bucket) or not _PREFIX.fullmatch(prefix):
        raise SettingsError(
            "ORCHESTRATOR_BLOB_DIR: write s3://bucket/prefix, with the name of a bucket (small letters, digits, dots, "
            "hyphens) and a prefix of letters, digits and !_.*'()/-"
        )
    return S3Place(bucket, f"{prefix}/" if prefix else "")
