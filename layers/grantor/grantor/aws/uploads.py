"""What the latest version of an object is, without the right to read it: the list of its versions tells content and size."""

from collections.abc import Iterator
from itertools import dropwhile, islice, takewhile
from typing import TYPE_CHECKING, Any

from grantor.aws.errors import passing
from grantor.core.jobs.identity import Input, bucket_and_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MOST = 10_000  # versions that are counted


class Uploads:
    """Objects of every bucket whose versions may be listed."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def latest(self, uri: str) -> Input | None:
        """The object at s3://bucket/key as it is now; None if there is none, or it was deleted. One call.

        NotYet when S3 can't do it now, ClientError when it won't.
        """
        bucket, key = bucket_and_key(uri)
        with passing():
            # In the order of keys, and of each key the newest first: what was asked for comes before all that begin with it.
            told = self._client.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1)
        for found in told.get("Versions", []):
            if found["Key"] == key and found["IsLatest"]:
                return Input(uri, found["ETag"].strip('"'), found["Size"], found["VersionId"], found["LastModified"].timestamp())
        return None

    def between(self, given: Input, known: str) -> int:
        """How many versions were put after the version `known` and before this one, MOST at most; none if `known` is none of them.

        A call for each 1,000 of them. Raises as `latest` does.
        """
        with passing():
            older = dropwhile(lambda version: version != given.version, self._versions(given.uri))
            for count, version in enumerate(islice(older, 1, None)):
                if version == known or count == MOST:
                    return count
        return 0

    def _versions(self, uri: str) -> Iterator[str]:
        """The object's versions, the newest first."""
        bucket, key = bucket_and_key(uri)
        pages: Any = self._client.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=key)
        listed = (found for page in pages for found in page.get("Versions", ()))
        return (found["VersionId"] for found in takewhile(lambda found: found["Key"] == key, listed))
