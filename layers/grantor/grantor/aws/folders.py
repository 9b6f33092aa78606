"""Folders of a bucket, which uploads create: what lies between a prefix and the next slash of the keys below it."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Folders:
    """The folders of every bucket that may be listed. Prefixes are written `s3://bucket/projects/`, with the slash.

    What AWS refuses is a ClientError: a bucket that can't be listed has no known folders, which is not the same as none.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def folders(self, prefix: str) -> tuple[str, ...]:
        """The names of the folders right below the prefix, in order; a call for each 1,000. A folder without a name (`//`) is none."""
        bucket, key = _parts(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=key, Delimiter="/")
        below = (found["Prefix"] for page in pages for found in page.get("CommonPrefixes", []))
        return tuple(sorted(filter(None, (folder[len(key) :].removesuffix("/") for folder in below))))

    def exists(self, prefix: str) -> bool:
        """Whether any object lies below the prefix; one call."""
        bucket, key = _parts(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=key, PaginationConfig={"PageSize": 1}
        )
        return any(page.get("Contents") for page in pages)


def _parts(prefix: str) -> tuple[str, str]:
    bucket, _, key = prefix.removeprefix("s3://").partition("/")
    return bucket, key
