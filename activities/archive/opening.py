"""The archive that the settings ask for."""

from activities.archive.places import place_of
from activities.archive.writing import Archive
from activities.masking import Masker
from orchestrator.encryption import keys_of
from orchestrator.settings import Settings

__all__ = ["open_archive"]


def open_archive(settings: Settings, masker: Masker) -> Archive:
    """The archive of a worker; off, if the settings name no place.

    Args:
        settings: The place and the keys.
        masker: Takes out secrets and personal data.

    Raises:
        SettingsError: The place or a key is wrong, or AWS's own configuration.
    """
    place = place_of(settings)
    return Archive() if place is None else Archive(place, masker, keys_of(settings))
