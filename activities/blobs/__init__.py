"""Blob storage: where values too large for a run's history are kept, under the hash of their content."""

from activities.blobs.base import BlobStore
from activities.blobs.folder import FolderBlobs

__all__ = ["BlobStore", "FolderBlobs"]
