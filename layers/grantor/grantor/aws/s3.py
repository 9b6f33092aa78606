"""S3: policy files, folders, uploads, and the operations bucket of jobs.

Unreadable is never empty: what cannot be read raises an error, and never looks like a short file or
like none.
"""

import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from itertools import islice
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import (
    RetryableError,
    error_code,
    error_status,
    map_concurrently,
    retryable,
)
from grantor.core.grant import split_uri
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.policy.text_forms import TEST_SUFFIXES
from grantor.settings import (
    MAX_JOB_SUMMARY_BYTES,
    MAX_POLICY_FILE_BYTES,
)

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
    """The files `policy/*.yaml` and `*.yml` of one bucket, and its bounds file.

    They stay in memory, so a warm environment reads only what has changed.
    """

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._listed: dict[str, ListedFile] = {}
        self.ignored: tuple[str, ...] = ()  # keys that the last list had besides, sorted
        self._kept: dict[str, tuple[ListedFile, PolicyFile]] = {}
        self._accepted: dict[str, PolicyFile] = {}  # the last one that was read by version

    def list_files(self) -> Mapping[str, ListedFile]:
        """List the existing policy files by key; `has_bounds` then says whether there is a bounds
        file.

        Costs a call per 1,000 keys of the bucket. Files that are gone leave the memory.
        """
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket)
        with retryable():
            items = [item for page in pages for item in page.get("Contents", [])]
        self._listed = {
            item["Key"]: ListedFile(item["ETag"], item["Size"], item["LastModified"])
            for item in items
            if is_policy_key(item["Key"]) or item["Key"] == BOUNDS_FILE
        }
        self.ignored = tuple(sorted({item["Key"] for item in items} - self._listed.keys()))
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._listed}
        return {key: file for key, file in self._listed.items() if key != BOUNDS_FILE}

    @property
    def has_bounds(self) -> bool:
        """Whether the last list had the bounds file."""
        return BOUNDS_FILE in self._listed

    def create_file(self, key: str, body: bytes) -> bool:
        """Write a file that does not exist yet; False if it does. One call."""
        try:
            with retryable():
                self._client.put_object(Bucket=self._bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) in ("PreconditionFailed", "ConditionalRequestConflict"):
                return False
            raise
        return True

    def delete_file(self, key: str) -> None:
        """Delete a file; its versions stay. One call."""
        with retryable():
            self._client.delete_object(Bucket=self._bucket, Key=key)

    def prefetch_files(self, keys: Iterable[str]) -> None:
        """Read files concurrently, so that `read_file` then answers from memory.

        Costs a call each. `read_file` raises what fails here.
        """
        unread = [
            key for key in keys if not self._is_unchanged(key) and not self._is_too_large(key)
        ]
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
        missing file from a missing bucket. Of a key with a control character no error has a code
        either, but the bucket has just been listed.
        """
        try:
            with retryable():
                answer = self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")
                answer["Body"].close()
        except ClientError as error:
            if error_status(error) == HTTPStatus.NOT_FOUND and error_code(error) != "NoSuchBucket":
                return True
            # It exists and is empty.
            if error_status(error) != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
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
    """Whether a key has the folder and the suffix of a policy file. One of tests alone has not."""
    is_yaml = key.endswith((".yaml", ".yml")) and not key.endswith(TEST_SUFFIXES)
    return key.startswith(FOLDER) and is_yaml


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

    def list_folders(self, prefix: str, most: int | None = None) -> tuple[str, ...]:
        """List the names of the folders directly below a prefix, sorted; at most so many.

        Costs a call per 1,000. Ignores a folder without a name (`//`).
        """
        bucket, key = split_uri(prefix)
        pages = self._client.get_paginator("list_objects_v2").paginate(
            Bucket=bucket, Prefix=key, Delimiter="/"
        )
        folders = (found["Prefix"] for page in pages for found in page.get("CommonPrefixes", []))
        names = (folder[len(key) :].removesuffix("/") for folder in folders)
        return tuple(sorted(islice(filter(None, names), most)))


# It exists, or is being written
ALREADY_PUT_CODES = ("PreconditionFailed", "ConditionalRequestConflict")
# Of another data bucket, in a folder of code: no job on this one gets it.
OTHER_CONFIGURATION = re.compile(r"conf/[a-z0-9.-]+(?:/[a-z0-9.-]+)?/configuration\.json")


class CodeChanged(RuntimeError):
    """An object that lies where a job's code belongs is not that code; the text says in which way.

    Whoever has put it chose its `key`.
    """

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key = key


class OperationsBucket:
    """The bucket with the code, results and logs of jobs."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def place_code(self, folder: str, files: Mapping[str, bytes]) -> None:
        """Make a folder of code hold these files, and raise CodeChanged if it holds anything else.

        What is there is read and compared, whoever has put it there: a name of a folder proves
        nothing. SageMaker gives a job every object whose key begins with the one that was asked
        for, so nothing else may be there, but the configurations of other data buckets.

        Costs one call, and one for each file: it is read if it is there and put if it is not.
        """
        with retryable():
            answer = self._client.list_objects_v2(Bucket=self.bucket, Prefix=folder)
        listed = {found["Key"] for found in answer.get("Contents", ())}
        for key in sorted(listed - files.keys()):
            if not OTHER_CONFIGURATION.fullmatch(key.removeprefix(folder)):
                raise CodeChanged(key, "is not part of it")
        if answer.get("IsTruncated"):
            raise CodeChanged(folder, "holds more than a thousand objects")
        for key, body in files.items():
            if key in listed or not self._put_new(key, body):
                self._compare(key, body)

    def _put_new(self, key: str, body: bytes) -> bool:
        """Write an object; return False if its key exists."""
        try:
            with retryable():
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) in ALREADY_PUT_CODES:
                return False
            raise
        return True

    def _compare(self, key: str, body: bytes) -> None:
        """Raise CodeChanged unless the object has this content."""
        try:
            with retryable():
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
                same = answer["ContentLength"] == len(body) and answer["Body"].read() == body
                answer["Body"].close()
        except ClientError as error:
            if error_code(error) == "NoSuchKey":  # deleted, or still being written
                raise RetryableError(f"s3://{self.bucket}/{key} is not there yet") from error
            raise
        if not same:
            raise CodeChanged(key, "has another content")

    def put_small(self, uri: str, body: bytes) -> None:
        """Write an object. Costs one call."""
        with retryable():
            self._client.put_object(Bucket=self.bucket, Key=split_uri(uri)[1], Body=body)

    def read_small(self, uri: str) -> bytes:
        """Read a small object; b"" if it does not exist.

        Of an object with more than 1,000,000 bytes it returns one byte more than that. Costs one
        call.
        """
        key = split_uri(uri)[1]
        try:
            with retryable():
                answer = self._client.get_object(Bucket=self.bucket, Key=key)
                if answer["ContentLength"] <= MAX_JOB_SUMMARY_BYTES:
                    return answer["Body"].read()  # botocore checks its length
                beginning = answer["Body"].read(MAX_JOB_SUMMARY_BYTES + 1)
                answer["Body"].close()
                return beginning
        except ClientError as error:
            # Without the permission to list the bucket, S3 answers AccessDenied for a missing key.
            if error_code(error) in ("NoSuchKey", "AccessDenied"):
                return b""
            raise
