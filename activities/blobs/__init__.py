"""Blob storage: where values too large for a run's history are kept, under the hash of their content."""

from activities.blobs.base import BlobStore
from activities.blobs.encrypted import EncryptedBlobs
from activities.blobs.folder import FolderBlobs
from activities.blobs.opening import blob_store

__all__ = ["BlobStore", "EncryptedBlobs", "FolderBlobs", "blob_store"]
