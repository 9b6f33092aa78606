"""S3: policy files, folders, uploads, and the operations bucket of jobs.

Unreadable is never empty: what cannot be read raises an error, and never looks like a short file or
like none.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, islice, takewhile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import RetryableError, error_code, map_concurrently, retryable
from grantor.core.jobs.request import InputObject, split_uri
from grantor.settings import MAX_COUNTED_VERSIONS, MAX_JOB_SUMMARY_BYTES, MAX_POLICY_FILE_BYTES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


FOLDER = "policy/"


class FileTooLarge(ValueError):
    """A file is too large to be a policy file; the text has its size and the limit."""


@dataclass(frozen=True)
class ListedFile:
    """A file as the bucket's list shows it.

    The same content written again has the same etag, but another time.
    """

    etag: str
    size: int  # bytes
    modified: datetime


@dataclass(frozen=True)
class PolicyFile:
    """A policy file that was read.

    `version` is S3's version id, "null" in a bucket without versions.
    """

    body: bytes
    version: str
    etag: str


class PolicyFiles:
    """The files `policy/*.yaml` and `*.yml` of one bucket.

    They stay in memory, so a warm environment reads only what has changed.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._listed: dict[str, ListedFile] = {}
        self._kept: dict[str, tuple[ListedFile, PolicyFile]] = {}
        self._accepted: dict[str, PolicyFile] = {}  # the last one that was read by version

    def list_files(self) -> Mapping[str, ListedFile]:
        """List the existing files by key.

        Costs a call per 1,000 keys. Files that are gone leave the memory.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=FOLDER
        )
        with retryable():
            items = [item for page in pages for item in page.get("Contents", [])]
        self._listed = {
            item["Key"]: ListedFile(item["ETag"], item["Size"], item["LastModified"])
            for item in items
            if is_policy_key(item["Key"])
        }
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._listed}
        return dict(self._listed)

    def prefetch_files(self, keys: Iterable[str]) -> None:
        """Read files concurrently, so that `read_file` then answers from memory.

        Costs a call each. `read_file` raises what fails here.
        """
        unread = [
            key for key in keys if not self._is_unchanged(key) and not self._is_too_large(key)
        ]
        if len(unread) > 1:
            map_concurrently(self._read_quietly, unread)

    def read_file(self, key: str, version: str = "") -> PolicyFile:
        """Read a file as it is, or as it was in a version.

        Costs no call if it was read since it last changed, else one.

        Raises FileTooLarge without reading a file above 1,000,000 bytes, RetryableError also for a
        truncated body, and ClientError NoSuchKey if the file is gone.
        """
        if version:
            if key not in self._accepted or self._accepted[key].version != version:
                self._accepted[key] = self._get_object(key, version)
            return self._accepted[key]
        if self._is_too_large(key):
            raise FileTooLarge(describe_too_large(self._listed[key].size))
        return self._kept[key][1] if self._is_unchanged(key) else self._read_current(key)

    def is_deleted(self, key: str) -> bool:
        """Whether S3 confirms that the file does not exist. Costs one call.

        Uses GET instead of HEAD: an answer to HEAD has no body, so it does not distinguish a
        missing file from a missing bucket.
        """
        try:
            with retryable():
                answer = self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")
                answer["Body"].close()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":
                return True
            if error_code(error) != "InvalidRange":  # it exists and is empty
                raise
        return False

    def _is_unchanged(self, key: str) -> bool:
        return key in self._kept and self._kept[key][0] == self._listed.get(key)

    def _is_too_large(self, key: str) -> bool:
        return key in self._listed and is_too_large(self._listed[key].size)

    def _read_quietly(self, key: str) -> None:
        with suppress(ClientError, RetryableError, FileTooLarge):
            self._read_current(key)

    def _read_current(self, key: str) -> PolicyFile:
        file = self._get_object(key)
        if key in self._listed:
            self._kept[key] = self._listed[key], file
        return file

    def _get_object(self, key: str, version: str = "") -> PolicyFile:
        request: Any = {"Bucket": self._bucket, "Key": key}
        request |= {"VersionId": version} if version else {}
        with retryable():
            answer = self._client.get_object(**request)
            if is_too_large(answer["ContentLength"]):
                answer["Body"].close()
                raise FileTooLarge(describe_too_large(answer["ContentLength"]))
            body = answer["Body"].read()  # botocore checks its length
        return PolicyFile(body, answer.get("VersionId", "null"), answer["ETag"])


def is_policy_key(key: str) -> bool:
    """Whether a key has the suffix of a policy file."""
    return key.endswith((".yaml", ".yml"))


def is_too_large(size: int) -> bool:
    """Whether a file of so many bytes is too large to be a policy file."""
    return size > MAX_POLICY_FILE_BYTES


def describe_too_large(size: int) -> str:
    """The text of TooLarge for a file of so many bytes."""
    return f"the file has {size:,} bytes; a policy file may have {MAX_POLICY_FILE_BYTES:,}"


class Folders:
    """The folders of every bucket that may be listed.

    Prefixes end with a slash: `s3://bucket/projects/`.

    Errors of AWS pass unchanged.
    """

    def __init__(self, client: "S3Client") -> None:
        self._client = client

    def list_folders(self, prefix: str) -> tuple[str, ...]:
        """List the names of the folders directly below a prefix, sorted.

        Costs a call per 1,000. Ignores a folder without a name (`//`).
        """
        bucket, key = _split_uri(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=key, Delimiter="/"
        )
        folders = (found["Prefix"] for page in pages for found in page.get("CommonPrefixes", []))
        names = (folder[len(key) :].removesuffix("/") for folder in folders)
        return tuple(sorted(filter(None, names)))

    def has_objects(self, prefix: str) -> bool:
        """Whether there is an object below the prefix. Costs one call."""
        bucket, key = _split_uri(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=key, PaginationConfig={"PageSize": 1}
        )
        return any(page.get("Contents") for page in pages)


def _split_uri(prefix: str) -> tuple[str, str]:
    bucket, _, key = prefix.removeprefix("s3://").partition("/")
    return bucket, key


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
                modified = found["LastModified"].timestamp()
                etag = found["ETag"].strip('"')
                return InputObject(uri, etag, found["Size"], found["VersionId"], modified)
        return None

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


# It exists, or is being written
ALREADY_PUT_CODES = ("PreconditionFailed", "ConditionalRequestConflict")


class OperationsBucket:
    """The bucket with the code, results and logs of jobs."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put_once(self, key: str, body: bytes) -> bool:
        """Write an object unless its key exists: the key says what its content is.

        Returns whether it was written. Costs one call.
        """
        try:
            with retryable():
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) in ALREADY_PUT_CODES:
                return False
            raise
        return True

    def read_small(self, uri: str) -> bytes:
        """Read a small object; b"" if it does not exist or is larger than 1,000,000 bytes.

        Costs one call.
        """
        key = split_uri(uri)[1]
        try:
            with retryable():
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
                if answer["ContentLength"] > MAX_JOB_SUMMARY_BYTES:
                    return b""
                return answer["Body"].read()
        except ClientError as error:
            # Without the permission to list the bucket, S3 answers AccessDenied for a missing key.
            if error_code(error) in ("NoSuchKey", "AccessDenied"):
                return b""
            raise
