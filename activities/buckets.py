"""A bucket of S3, or of what speaks as S3 does: what blobs and the archive have in common there. Every call blocks."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import boto3  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.config import Config  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from botocore.exceptions import BotoCoreError, ClientError  # pyright: ignore[reportMissingTypeStubs] - AWS ships none
from urllib3.exceptions import HTTPError

from orchestrator.blob_place import S3Place
from orchestrator.errors import ProviderUnavailableError, SettingsError

__all__ = ["AT_A_TIME", "Bucket", "Purpose"]

AT_A_TIME = 32
"""Connections that one bucket has at most."""
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


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a bucket is for, in the words of its errors: ``blob storage``, and the settings that name it and its key."""

    name: str
    variable: str
    key_variable: str


class Bucket:
    """Objects of a bucket, with the credentials that AWS's client finds. Names are what follows the place's prefix.

    Args:
        place: The bucket, and what the names of its objects begin with.
        purpose: What it is for.
        endpoint_url: Where the service is; none for AWS itself.
        kms_key: Id, ARN or alias of the key of AWS KMS that objects are encrypted with there; none: as the bucket says.
        session: A ``boto3.Session`` with other credentials than the usual ones.

    Raises:
        SettingsError: AWS's own configuration is wrong.
    """

    def __init__(
        self,
        place: S3Place,
        purpose: Purpose,
        *,
        endpoint_url: str | None = None,
        kms_key: str | None = None,
        session: Any = None,
    ) -> None:
        self._place, self._purpose = place, purpose
        self._encryption = {} if kms_key is None else {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key}
        config = Config(
            connect_timeout=_CONNECT_S,
            read_timeout=_READ_S,
            retries={"total_max_attempts": _ATTEMPTS, "mode": "standard"},
            max_pool_connections=AT_A_TIME,
            **(_OF_OTHERS if endpoint_url else {}),
        )
        try:
            # Its types are made at run time.
            session = session or cast("Any", boto3).Session()
            self._client: Any = session.client("s3", endpoint_url=endpoint_url, config=config)
        except (BotoCoreError, ValueError) as error:
            raise SettingsError(
                f"S3 cannot be asked: {error}. Check {purpose.variable}, ORCHESTRATOR_BLOB_S3_ENDPOINT_URL and "
                "AWS's own configuration."
            ) from None

    def put(self, name: str, content: bytes) -> None:
        """Keep ``content`` under ``name``, in place of what is there.

        Raises:
            ProviderUnavailableError: It cannot be kept now.
        """
        kind = "application/json" if name.endswith(".json") else "application/octet-stream"
        try:
            self._client.put_object(**self._object(name), Body=content, ContentType=kind, **self._encryption)
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise self._unavailable("written", error) from None

    def get(self, name: str) -> bytes | None:
        """What is kept under ``name``; none if there is nothing.

        Raises:
            ProviderUnavailableError: It cannot be read now.
        """
        try:
            return self._client.get_object(**self._object(name))["Body"].read()
        except ClientError as error:
            if _code(error) in _NOT_THERE:
                return None
            raise self._unavailable("read", error) from None
        except (BotoCoreError, HTTPError) as error:
            raise self._unavailable("read", error) from None

    def names(self, beginning: str = "") -> Iterator[str]:
        """The names that begin so, in their order.

        Raises:
            ProviderUnavailableError: They cannot be listed now.
        """
        prefix = self._place.prefix
        pages = self._client.get_paginator("list_objects_v2")
        try:
            for page in pages.paginate(Bucket=self._place.bucket, Prefix=f"{prefix}{beginning}"):
                for found in page.get("Contents", ()):
                    yield str(found["Key"]).removeprefix(prefix)
        except (BotoCoreError, ClientError, HTTPError) as error:
            raise self._unavailable("listed", error) from None

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self._place.bucket, "Key": f"{self._place.prefix}{name}"}

    def _unavailable(self, what: str, error: Exception) -> ProviderUnavailableError:
        reason = _code(error) if isinstance(error, ClientError) else type(error).__name__
        key = f", the key that {self._purpose.key_variable} names" if self._encryption else ""
        return ProviderUnavailableError(
            f"{self._purpose.name} cannot be {what} ({reason}); check the bucket {self._place.bucket} that "
            f"{self._purpose.variable} names{key}, the AWS credentials of the worker and what they may do"
        )


def _code(error: ClientError) -> str:
    found: Any = cast("Any", error).response.get("Error", {}).get("Code")
    return str(found or "no reason given")
