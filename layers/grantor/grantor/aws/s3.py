"""The policy files in their bucket. Unreadable is never empty: what can't be read is an error, never a short file or none."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import dropwhile, islice, takewhile
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from grantor.aws.clients import NotYet, code, each, passing
from grantor.core.jobs.identity import Input, bucket_and_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


FOLDER = "policy/"
LARGEST_POLICY = 1_000_000  # bytes; a larger file is not read at all


class TooLarge(ValueError):
    """A policy file is larger than any policy; the text names it and both sizes."""


@dataclass(frozen=True)
class Listed:
    """What the list of the files tells of one; the same content put there again has the same etag, at another time."""

    etag: str
    size: int  # bytes
    modified: datetime


@dataclass(frozen=True)
class File:
    """A policy file as it was read; `version` is S3's, "null" in a bucket without versions."""

    body: bytes
    version: str
    etag: str


class PolicyFiles:
    """Every `policy/*.yaml` of one bucket. What was read stays in memory, so that a warm environment reads only what has changed."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket
        self._listed: dict[str, Listed] = {}
        self._kept: dict[str, tuple[Listed, File]] = {}
        self._accepted: dict[str, File] = {}  # the last that was read by its version

    def listed(self) -> Mapping[str, Listed]:
        """The files that there are now, by key; costs a call for each 1,000 keys. What is no longer there is no longer kept."""
        pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=FOLDER)
        with passing():
            items = [item for page in pages for item in page.get("Contents", [])]
        self._listed = {
            item["Key"]: Listed(item["ETag"], item["Size"], item["LastModified"]) for item in items if _is_policy(item["Key"])
        }
        self._kept = {key: kept for key, kept in self._kept.items() if key in self._listed}
        return dict(self._listed)

    def ahead(self, keys: Iterable[str]) -> None:
        """Read these side by side, so that `read` then answers from memory; what fails is left for `read` to say. A call each."""
        unread = [key for key in keys if not self._fresh(key) and not self._large(key)]
        if len(unread) > 1:
            each(self._try, unread)

    def read(self, key: str, version: str = "") -> File:
        """The file as it is, or as it was in a version; no call if it is as it was last listed and was read since, else one.

        TooLarge, without reading it, above 1,000,000 bytes. NotYet when S3 can not do it now or the body is cut off; ClientError
        when it won't: NoSuchKey where there is none any more.
        """
        if version:
            if key not in self._accepted or self._accepted[key].version != version:
                self._accepted[key] = self._get(key, version)
            return self._accepted[key]
        if self._large(key):
            raise TooLarge(too_large(self._listed[key].size))
        return self._kept[key][1] if self._fresh(key) else self._now(key)

    def gone(self, key: str) -> bool:
        """Whether S3 says that there is no such file; one call. ClientError when it says neither that nor that there is one.

        GET and not HEAD: an answer to HEAD has no body, and so can't tell a file that is gone from a bucket that is.
        """
        try:
            with passing():
                self._client.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
        except ClientError as error:
            if code(error) == "NoSuchKey":
                return True
            if code(error) != "InvalidRange":  # it is there, and empty
                raise
        return False

    def _fresh(self, key: str) -> bool:
        return key in self._kept and self._kept[key][0] == self._listed.get(key)

    def _large(self, key: str) -> bool:
        return key in self._listed and self._listed[key].size > LARGEST_POLICY

    def _try(self, key: str) -> None:
        with suppress(ClientError, NotYet, TooLarge):
            self._now(key)

    def _now(self, key: str) -> File:
        file = self._get(key)
        if key in self._listed:
            self._kept[key] = self._listed[key], file
        return file

    def _get(self, key: str, version: str = "") -> File:
        asked: Any = {"Bucket": self._bucket, "Key": key} | ({"VersionId": version} if version else {})
        with passing():
            answer = self._client.get_object(**asked)
            if answer["ContentLength"] > LARGEST_POLICY:
                answer["Body"].close()
                raise TooLarge(too_large(answer["ContentLength"]))
            body = answer["Body"].read()  # botocore compares its length with what was announced
        return File(body, answer.get("VersionId", "null"), answer["ETag"])


def _is_policy(key: str) -> bool:
    return key.endswith((".yaml", ".yml"))


def too_large(size: int) -> str:
    """What TooLarge says of a file of so many bytes."""
    return f"the file has {size:,} bytes; a policy file may have {LARGEST_POLICY:,}"


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


LARGEST_SUMMARY = 1_000_000  # bytes of a summary; a larger one is not read
THERE = ("PreconditionFailed", "ConditionalRequestConflict")  # somebody has put it there already, or is doing so just now


class Operations:
    """One bucket. Each word raises NotYet when S3 can't do it now, and ClientError when it won't."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self.bucket = bucket

    def put_once(self, key: str, body: bytes) -> bool:
        """Put an object unless there is one of this key, which is the same then; whether it was put. One call."""
        try:
            with passing():
                self._client.put_object(Bucket=self.bucket, Key=key, Body=body, IfNoneMatch="*")
        except ClientError as error:
            if code(error) in THERE:
                return False
            raise
        return True

    def read(self, uri: str) -> bytes:
        """A small object; nothing if there is none, or it is larger than it should be. One call."""
        key = bucket_and_key(uri)[1]
        try:
            with passing():
                told = self._client.get_object(Bucket=self.bucket, Key=key)
                return b"" if told["ContentLength"] > LARGEST_SUMMARY else told["Body"].read()
        except ClientError as error:
            # Without the right to list the bucket, S3 says denied where there is nothing.
            if code(error) in ("NoSuchKey", "AccessDenied"):
                return b""
            raise
