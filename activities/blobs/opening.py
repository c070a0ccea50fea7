"""The blob store that the settings ask for."""

from activities.blobs.base import BlobStore
from activities.blobs.encrypted import EncryptedBlobs
from activities.blobs.folder import FolderBlobs
from orchestrator.blob_place import s3_place
from orchestrator.encryption import keys_of
from orchestrator.settings import Settings

__all__ = ["blob_store"]


def blob_store(settings: Settings) -> BlobStore:
    """Where large values are kept, in a folder or a bucket; encrypted if the settings give keys.

    Raises:
        SettingsError: A key or the place is wrong.
    """
    return EncryptedBlobs(_plain(settings), keys_of(settings))


def _plain(settings: Settings) -> BlobStore:
    place = s3_place(settings.blob_dir)
    if place is None:
        return FolderBlobs(settings.blob_dir)
    from activities.blobs.s3 import S3Blobs  # noqa: PLC0415 - AWS's client costs half a second

    return S3Blobs(place, endpoint_url=settings.blob_s3_endpoint_url, kms_key=settings.blob_kms_key)
