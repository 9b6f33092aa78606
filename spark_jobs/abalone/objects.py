"""A folder of objects in S3, reached with vended credentials: every call asks for the permission that it needs and for no more."""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from abalone.access import BOTH, READ, WRITE, Broker

AT_ONCE = 8  # objects that are sent, fetched or copied at the same time
CHUNK = 1 << 20
LOST = ("PreconditionFailed", "ConditionalRequestConflict", "NoSuchKey")  # how S3 says that a condition was not met


class Lost(Exception):
    """Somebody else wrote the object first."""


@dataclass(frozen=True)
class Found:
    """An object as a list shows it."""

    key: str
    etag: str
    bytes: int
    modified: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Digest:
    """What stands in an object, read to its end."""

    bytes: int
    rows: int  # line feeds
    sha256: str


class Objects:
    """What lies below `scope` (an object, or a prefix with * at its end) in a bucket. Raises Failed where no grant allows a call."""

    def __init__(self, broker: Broker, bucket: str, scope: str) -> None:
        self.bucket = bucket
        self._broker = broker
        self._scope = f"s3://{bucket}/{scope}"

    def _s3(self, permission: str) -> Any:
        return self._broker.s3(self._scope, permission)

    def within(self, scope: str) -> "Objects":
        """What lies below another scope in the same bucket."""
        return Objects(self._broker, self.bucket, scope)

    def need(self, *permissions: str) -> None:
        """Failed unless a grant allows each of them here."""
        for permission in permissions:
            self._s3(permission)

    def may(self, permission: str) -> bool:
        """Whether a grant allows it here."""
        return self._broker.may(self._scope, permission)

    def find(self, key: str) -> Found | None:
        """The object, or None. It is looked for by a list: HeadObject says 403 of what is missing to whoever may not list the bucket."""
        try:
            return next((found for found in self._listed(key, 1) if found.key == key), None)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return self._found(key)

    def _found(self, key: str) -> Found | None:
        """The object for whoever may read it and list nothing, as a grant for one object may mean it; 403 then says that it is missing."""
        try:
            answer = self._s3(READ).head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("403", "404"):
                return None
            raise
        return Found(key, answer["ETag"].strip('"'), answer["ContentLength"], answer["LastModified"].isoformat())

    def list(self, prefix: str) -> list[Found]:
        """All objects below a prefix."""
        return list(self._listed(prefix, 1000))

    def _listed(self, prefix: str, page: int) -> Iterator[Found]:
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": page}
        while True:
            answer = self._s3(READ).list_objects_v2(**request)
            for one in answer.get("Contents", ()):
                yield Found(one["Key"], one["ETag"].strip('"'), one["Size"], one["LastModified"].isoformat())
            if page == 1 or not answer.get("IsTruncated"):
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def version(self, key: str) -> str:
        """The version id of an object; empty in a bucket without versions."""
        return str(self._s3(READ).head_object(Bucket=self.bucket, Key=key).get("VersionId", ""))

    def read(self, key: str) -> tuple[bytes, str] | None:
        """A small object and its ETag, or None."""
        if self.find(key) is None:
            return None
        try:
            answer = self._s3(READ).get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":  # it has gone since
                return None
            raise
        return answer["Body"].read(), answer["ETag"].strip('"')

    def beginning(self, found: Found, count: int) -> bytes:
        """The first bytes of an object."""
        if not found.bytes:
            return b""
        wanted = {"Bucket": self.bucket, "Key": found.key, "Range": f"bytes=0-{count - 1}", "IfMatch": found.etag}
        return bytes(self._s3(READ).get_object(**wanted)["Body"].read())

    def download(self, found: Found, path: Path) -> None:
        """The object into a file; the parts of a large one side by side, and all of one content, as boto3 sees to."""
        self._s3(READ).download_file(self.bucket, found.key, str(path))

    def digest(self, found: Found) -> Digest:
        """What stands in the object, as a reader sees it."""
        body = self._s3(READ).get_object(Bucket=self.bucket, Key=found.key, IfMatch=found.etag)["Body"]
        count, rows, sha256 = 0, 0, hashlib.sha256()
        for chunk in body.iter_chunks(CHUNK):
            count, rows = count + len(chunk), rows + chunk.count(b"\n")
            sha256.update(chunk)
        return Digest(count, rows, sha256.hexdigest())

    def upload(self, path: Path, key: str) -> None:
        """A file of any size, in parts if it is large."""
        self._s3(WRITE).upload_file(str(path), self.bucket, key)

    def put_new(self, key: str, body: bytes, kind: str = "application/json") -> str:
        """A small object that nobody has put before; its ETag. Lost if somebody has."""
        return self._put(WRITE, Key=key, Body=body, ContentType=kind, IfNoneMatch="*")

    def replace(self, key: str, body: bytes, etag: str, kind: str = "application/json") -> str:
        """A small object in place of the one with this ETag; its own. Lost if that one is there no more.

        On AWS If-Match reads the object, too, so it is done under READWRITE if one grant gives both.
        """
        return self._put(self._both(), Key=key, Body=body, ContentType=kind, IfMatch=etag)

    def put(self, key: str, body: bytes, kind: str) -> None:
        """A small object, whatever was there."""
        self._put(WRITE, Key=key, Body=body, ContentType=kind)

    def _put(self, permission: str, **request: Any) -> str:
        try:
            return str(self._s3(permission).put_object(Bucket=self.bucket, **request)["ETag"]).strip('"')
        except ClientError as error:
            if error.response["Error"]["Code"] in LOST:
                raise Lost(request["Key"]) from error
            raise

    def _both(self) -> str:
        return BOTH if self.may(BOTH) else WRITE

    def copy_new(self, found: Found, key: str) -> None:
        """The object once more under another key, at which nothing stands; Lost if something does. At most 5 GB.

        S3 copies it by itself under READWRITE; where reading and writing are granted apart, it passes through here.
        """
        if self.may(BOTH):
            source = {"Bucket": self.bucket, "Key": found.key}
            wanted = {"CopySource": source, "CopySourceIfMatch": found.etag, "IfNoneMatch": "*"}
            try:
                self._s3(BOTH).copy_object(Bucket=self.bucket, Key=key, **wanted)
            except ClientError as error:
                if error.response["Error"]["Code"] in LOST:
                    raise Lost(key) from error
                raise
        else:
            self._pass_on(found, key)

    def _pass_on(self, found: Found, key: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            self.download(found, path)
            with path.open("rb") as file:
                self._put(WRITE, Key=key, Body=file, IfNoneMatch="*")

    def delete(self, keys: Iterable[str]) -> None:
        """These objects; what is not there does not matter. An error of S3 about any of them is raised."""
        for some in batched(keys, 1000):
            listed = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            answer = self._s3(WRITE).delete_objects(Bucket=self.bucket, Delete=listed)
            for error in answer.get("Errors", ()):
                raise ClientError(
                    {"Error": {"Code": error["Code"], "Message": f"{error['Key']}: {error['Message']}"}}, "DeleteObjects"
                )


def side_by_side[Item, Result](work: Any, items: Iterable[Item]) -> list[Result]:
    """The work on each item, several at a time; the first error is raised when those begun have ended."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(work, items))
