"""The blob store that the settings ask for."""

from activities.blobs.base import BlobStore
from activities.blobs.encrypted import EncryptedBlobs
from activities.blobs.folder import FolderBlobs
from orchestrator.encryption import keys_of
from orchestrator.settings import Settings

__all__ = ["blob_store"]


def blob_store(settings: Settings) -> BlobStore:
    """Where large values are kept; encrypted if the settings give keys.

    Raises:
        SettingsError: A key is wrong.
    """
    return EncryptedBlobs(FolderBlobs(settings.blob_dir), keys_of(settings))
