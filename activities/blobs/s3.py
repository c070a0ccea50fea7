"""Blobs as objects in a bucket of S3, or of what speaks as S3 does."""

from collections.abc import Mapping
from typing import Any, cast

import boto3  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from urllib3.exceptions import HTTPError

from activities.blobs.base import checked, key_of, missing, verified
from activities.threads import Threads
from orchestrator.blob_place import S3Place
from orchestrator.errors import ProviderUnavailableError, SettingsError

__all__ = ["S3Blobs"]

_AT_A_TIME = 32
_ATTEMPTS = 5
"""Putting an object twice changes nothing, and a node that was paid for is not to be done again for a lost packet."""
_CONNECT_S = 10
_READ_S = 60
_NOT_THERE = frozenset({"NoSuchKey", "404"})
_OF_OTHERS: Mapping[str, Any] = {
    "s3": {"addressing_style": "path"},
    "request_checksum_calculation": "when_required",
    "response_checksum_validation": "when_required",
}
"""What services other than AWS's own understand: buckets in the path, no sums at the end; hashes are checked anyway."""


class S3Blobs:
    """A blob store in a bucket, with the credentials that AWS's client finds.

    Args:
        place: The bucket, and what the names of its objects begin with.
        endpoint_url: Where the service is; none for AWS itself.
        session: A ``boto3.Session`` with other credentials than the usual ones.

    Raises:
        SettingsError: AWS's own configuration is wrong.
    """

    def __init__(self, place: S3Place, *, endpoint_url: str | None = None, session: Any = None) -> None:
        self._place = place
        self._threads = Threads("blobs", _AT_A_TIME)
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            max_pool_connections=_AT_A_TIME,
            **(_OF_OTHERS if endpoint_url else {}),
        )
        try:
            # Its types are made at run time.
            session = session or cast("Any", boto3).Session()
            self._client: Any = session.client("s3", endpoint_url=endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                f"S3 cannot be asked: {error}. Check ORCHESTRATOR_BLOB_DIR, ORCHESTRATOR_BLOB_S3_ENDPOINT_URL and "
                "AWS's own configuration."
            ) from None

    async def put(self, content: bytes) -> str:
        """See ``BlobStore``. A blob that is there already counts as new from now on."""
        return await self._threads.call(lambda: self._put(content))

    async def get(self, key: str) -> bytes:
        """See ``BlobStore``."""
        name = checked(key)
        return await self._threads.call(lambda: self._get(name))

    def _put(self, content: bytes) -> str:
        key = key_of(content)
        try:
            self._client.put_object(**self._object(key), Body=content, ContentType="application/json")
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise self._unavailable("written", error) from None
        return key

    def _get(self, key: str) -> bytes:
        try:
            content = self._client.get_object(**self._object(key))["Body"].read()
        except ClientError as error:
            if _code(error) in _NOT_THERE:
                raise missing(key) from None
            raise self._unavailable("read", error) from None
        except (BotoCoreError, HTTPError) as error:
            raise self._unavailable("read", error) from None
        return verified(key, content)

    def _object(self, key: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": f"{self._place.prefix}{key}"}

    def _unavailable(self, what: str, error: Exception) -> ProviderUnavailableError:
        reason = _code(error) if isinstance(error, ClientError) else type(error).__name__
        return ProviderUnavailableError(
            f"blob storage cannot be {what} ({reason}); check the bucket {self._place.bucket} that "
            "ORCHESTRATOR_BLOB_DIR names, the AWS credentials of the worker and what they may do"
        )


def _code(error: ClientError) -> str:
    found: Any = cast("Any", error).response.get("Error", {}).get("Code")
    return str(found or "no reason given")
