"""The uploads that jobs are about: the latest version of an object, or the objects of a batch."""

from collections.abc import Iterator
from itertools import dropwhile, islice, takewhile
from typing import TYPE_CHECKING, Any

from grantor.aws.clients import retryable
from grantor.core.grant import split_uri
from grantor.core.jobs.batches import BatchTooLarge, build_batch, explain_long_list
from grantor.core.key_pattern import KeyPattern
from grantor.core.snapshot import InputObject
from grantor.settings import MAX_BATCH_PAGES, MAX_COUNTED_VERSIONS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class Uploads:
    """The objects of every bucket whose versions may be listed."""

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def read_latest(self, uri: str) -> InputObject | None:
        """Read the latest version of the object at s3://bucket/key; None if there is none.

        Costs one call.
        """
        bucket, key = split_uri(uri)
        with retryable():
            # Keys come in order, and of each key the newest version first: the object comes before
            # all keys that begin with its key.
            answer = self._client.list_object_versions(Bucket=bucket, Prefix=key, MaxKeys=1)
        for found in answer.get("Versions", []):
            if found["Key"] == key and found["IsLatest"]:
                return _parse_version(bucket, found)
        return None

    def list_matching(self, pattern: str) -> list[InputObject]:
        """List the latest version of each object that can match a pattern of keys.

        Costs a call per 1,000 versions that begin with its stem. Raises BatchTooLarge after
        MAX_BATCH_PAGES calls.
        """
        bucket, stem = split_uri(KeyPattern(pattern).stem)
        paginator = self._client.get_paginator("list_object_versions")
        found: list[InputObject] = []
        with retryable():
            for number, page in enumerate(paginator.paginate(Bucket=bucket, Prefix=stem)):
                if number == MAX_BATCH_PAGES:
                    raise BatchTooLarge(explain_long_list(pattern))
                found += [
                    _parse_version(bucket, version)
                    for version in page.get("Versions", ())
                    if version["IsLatest"]
                ]
        return found

    def read_batch(self, pattern: str) -> InputObject | None:
        """Read the objects that match, as one input; None if there is none.

        Costs what list_matching costs. Raises BatchTooLarge.
        """
        return build_batch(pattern, self.list_matching(pattern))

    def count_versions_between(self, given: InputObject, known: str) -> int:
        """Count the versions between the version `known` and this one, at most 10,000.

        Returns 0 if `known` is not found. Costs a call per 1,000 versions.
        """
        with retryable():
            older = dropwhile(
                lambda version: version != given.version, self._iterate_versions(given.uri)
            )
            for count, version in enumerate(islice(older, 1, None)):
                if version == known or count == MAX_COUNTED_VERSIONS:
                    return count
        return 0

    def _iterate_versions(self, uri: str) -> Iterator[str]:
        """Iterate over the ids of the object's versions, newest first."""
        bucket, key = split_uri(uri)
        paginator = self._client.get_paginator("list_object_versions")
        pages: Any = paginator.paginate(Bucket=bucket, Prefix=key)
        listed = (found for page in pages for found in page.get("Versions", ()))
        same_key = takewhile(lambda found: found["Key"] == key, listed)
        return (found["VersionId"] for found in same_key)


def _parse_version(bucket: str, found: Any) -> InputObject:
    return InputObject(
        f"s3://{bucket}/{found['Key']}",
        found["ETag"].strip('"'),
        found["Size"],
        found["VersionId"],
        found["LastModified"].timestamp(),
    )
