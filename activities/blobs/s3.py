"""Blobs as objects in a bucket of S3, or of what speaks as S3 does."""

from typing import Any

from activities.blobs.base import checked, key_of, missing, verified
from activities.buckets import AT_A_TIME, Bucket, Purpose
from activities.threads import Threads
from orchestrator.blob_place import S3Place
from orchestrator.settings import variable_name

__all__ = ["S3Blobs"]

_PURPOSE = Purpose("blob storage", variable_name("blob_dir"), variable_name("blob_kms_key"))


class S3Blobs:
    """A blob store in a bucket, with the credentials that AWS's client finds.

    Args:
        place: The bucket, and what the names of its objects begin with.
        endpoint_url: Where the service is; none for AWS itself.
        kms_key: The key of AWS KMS that objects are encrypted with there; none: as the bucket says.
        session: A ``boto3.Session`` with other credentials than the usual ones.

    Raises:
        SettingsError: AWS's own configuration is wrong.
    """

    def __init__(
        self, place: S3Place, *, endpoint_url: str | None = None, kms_key: str | None = None, session: Any = None
    ) -> None:
        self._bucket = Bucket(place, _PURPOSE, endpoint_url=endpoint_url, kms_key=kms_key, session=session)
        self._threads = Threads("blobs", AT_A_TIME)

    async def put(self, content: bytes) -> str:
        """See ``BlobStore``. A blob that is there already counts as new from now on."""
        return await self._threads.call(lambda: self._put(content))

    async def get(self, key: str) -> bytes:
        """See ``BlobStore``."""
        name = checked(key)
        return await self._threads.call(lambda: self._get(name))

    def _put(self, content: bytes) -> str:
        key = key_of(content)
        self._bucket.put(key, content)
        return key

    def _get(self, key: str) -> bytes:
        content = self._bucket.get(key)
        if content is None:
            raise missing(key)
        return verified(key, content)
