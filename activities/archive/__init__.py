"""The archive of model calls: what was asked and answered, masked, in a folder or a bucket; see docs/archive.md."""

from activities.archive.opening import open_archive
from activities.archive.places import Folder, Place, place_of
from activities.archive.writing import SEALED, Archive

__all__ = ["SEALED", "Archive", "Folder", "Place", "open_archive", "place_of"]
