"""Objects in S3, reached with vended credentials; each call uses just the permission that it
needs.
"""

import hashlib
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import batched
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from framework.access import READ, READWRITE, WRITE, CredentialBroker

MAX_PARALLEL_OBJECTS = 8  # objects that are uploaded, downloaded or copied at the same time
CHUNK_BYTES = 1 << 20
MAX_SMALL = 1 << 24  # bytes of an object that is read as a whole
LOST_RACE_CODES = (
    "PreconditionFailed",
    "ConditionalRequestConflict",
    "NoSuchKey",
)  # S3: a condition is not met


class LostRace(Exception):
    """Another job wrote the object first."""


@dataclass(frozen=True)
class FoundObject:
    """An object as ListObjectsV2 shows it."""

    key: str
    etag: str
    bytes: int
    modified: str  # ISO 8601, UTC


@dataclass(frozen=True)
class Digest:
    """The content of an object, read to its end."""

    bytes: int
    rows: int  # line feeds
    sha256: str


class ObjectFolder:
    """The objects in a `scope` of a bucket: one object, or a prefix ending in *.

    Every method raises JobFailed if no grant allows its call.
    """

    def __init__(self, broker: CredentialBroker, bucket: str, scope: str) -> None:
        self.bucket = bucket
        self._broker = broker
        self._scope = f"s3://{bucket}/{scope}"

    def _client_for(self, permission: str) -> Any:
        return self._broker.s3(self._scope, permission)

    def narrow_scope(self, scope: str) -> "ObjectFolder":
        """Return the objects in another scope of the same bucket."""
        return ObjectFolder(self._broker, self.bucket, scope)

    def require_grants(self, *permissions: str) -> None:
        """Raise JobFailed unless grants allow each of the permissions on the scope."""
        for permission in permissions:
            self._client_for(permission)

    def is_granted(self, permission: str) -> bool:
        """Whether a grant allows the permission on the scope."""
        return self._broker.is_granted(self._scope, permission)

    def find_object(self, key: str) -> FoundObject | None:
        """Return the object, or None.

        It is looked up by listing: without ListBucket, HeadObject returns 403 for a missing object.
        """
        try:
            return next((found for found in self._list_pages(key, 1) if found.key == key), None)
        except ClientError as error:
            if error.response["Error"]["Code"] != "AccessDenied":
                raise
            return self._head_object(key)

    def _head_object(self, key: str) -> FoundObject | None:
        """Return the object for a role that may read but not list, as with a grant for one object.

        Then 403 means that the object is missing.
        """
        try:
            answer = self._client_for(READ).head_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] in ("403", "404"):
                return None
            raise
        return FoundObject(
            key,
            answer["ETag"].strip('"'),
            answer["ContentLength"],
            answer["LastModified"].isoformat(),
        )

    def list_objects(self, prefix: str) -> list[FoundObject]:
        """Return all objects below a prefix."""
        return list(self._list_pages(prefix, 1000))

    def _list_pages(self, prefix: str, page: int) -> Iterator[FoundObject]:
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": prefix, "MaxKeys": page}
        while True:
            answer = self._client_for(READ).list_objects_v2(**request)
            for one in answer.get("Contents", ()):
                yield FoundObject(
                    one["Key"], one["ETag"].strip('"'), one["Size"], one["LastModified"].isoformat()
                )
            if page == 1 or not answer.get("IsTruncated"):
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def read_version(self, key: str) -> str:
        """Return the version id of an object; "" in a bucket without versioning."""
        return str(
            self._client_for(READ).head_object(Bucket=self.bucket, Key=key).get("VersionId", "")
        )

    def read_object(self, key: str) -> tuple[bytes, str] | None:
        """Return the content of a small object and its ETag, or None.

        A large one has been put by somebody else; of it, only the beginning is returned.
        """
        if self.find_object(key) is None:
            return None
        try:
            answer = self._client_for(READ).get_object(Bucket=self.bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":  # deleted since
                return None
            raise
        body = answer["Body"]
        content = body.read() if answer["ContentLength"] <= MAX_SMALL else body.read(MAX_SMALL + 1)
        return content, answer["ETag"].strip('"')

    def read_beginning(self, found: FoundObject, count: int) -> bytes:
        """Return the first `count` bytes of an object."""
        if not found.bytes:
            return b""
        wanted = {
            "Bucket": self.bucket,
            "Key": found.key,
            "Range": f"bytes=0-{count - 1}",
            "IfMatch": found.etag,
        }
        return bytes(self._client_for(READ).get_object(**wanted)["Body"].read())

    def download_object(self, found: FoundObject, path: Path) -> None:
        """Download an object; boto3 fetches the parts of a large one in parallel, of one ETag."""
        self._client_for(READ).download_file(self.bucket, found.key, str(path))

    def digest_object(self, found: FoundObject) -> Digest:
        """Read the object as a reader would, and return its size, rows and hash."""
        body = self._client_for(READ).get_object(
            Bucket=self.bucket, Key=found.key, IfMatch=found.etag
        )["Body"]
        count, rows, sha256 = 0, 0, hashlib.sha256()
        for chunk in body.iter_chunks(CHUNK_BYTES):
            count, rows = count + len(chunk), rows + chunk.count(b"\n")
            sha256.update(chunk)
        return Digest(count, rows, sha256.hexdigest())

    def upload_file(self, path: Path, key: str) -> None:
        """Upload a file of any size, in parts if it is large."""
        self._client_for(WRITE).upload_file(str(path), self.bucket, key)

    def put_new(self, key: str, body: bytes, kind: str = "application/json") -> str:
        """Put a small object and return its ETag; raises LostRace if the key exists."""
        return self._put_conditionally(WRITE, Key=key, Body=body, ContentType=kind, IfNoneMatch="*")

    def replace_object(
        self, key: str, body: bytes, etag: str, kind: str = "application/json"
    ) -> str:
        """Replace a small object if it still has this ETag; return its new ETag.

        Raises LostRace if it has another one. On AWS, If-Match also reads the object, so the call
        uses READWRITE if one grant gives both.
        """
        return self._put_conditionally(
            self._update_permission(), Key=key, Body=body, ContentType=kind, IfMatch=etag
        )

    def put_object(self, key: str, body: bytes, kind: str) -> None:
        """Put a small object, whatever was there."""
        self._put_conditionally(WRITE, Key=key, Body=body, ContentType=kind)

    def _put_conditionally(self, permission: str, **request: Any) -> str:
        try:
            return str(
                self._client_for(permission).put_object(Bucket=self.bucket, **request)["ETag"]
            ).strip('"')
        except ClientError as error:
            if error.response["Error"]["Code"] in LOST_RACE_CODES:
                raise LostRace(request["Key"]) from error
            raise

    def _update_permission(self) -> str:
        return READWRITE if self.is_granted(READWRITE) else WRITE

    def copy_new(self, found: FoundObject, key: str) -> None:
        """Copy an object of at most 5 GB to a new key; raises LostRace if the key exists.

        With READWRITE, S3 copies it. With READ and WRITE in two grants, it passes through the
        driver.
        """
        if self.is_granted(READWRITE):
            source = {"Bucket": self.bucket, "Key": found.key}
            wanted = {"CopySource": source, "CopySourceIfMatch": found.etag, "IfNoneMatch": "*"}
            try:
                self._client_for(READWRITE).copy_object(Bucket=self.bucket, Key=key, **wanted)
            except ClientError as error:
                if error.response["Error"]["Code"] in LOST_RACE_CODES:
                    raise LostRace(key) from error
                raise
        else:
            self._copy_through_driver(found, key)

    def _copy_through_driver(self, found: FoundObject, key: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "object"
            self.download_object(found, path)
            with path.open("rb") as file:
                self._put_conditionally(WRITE, Key=key, Body=file, IfNoneMatch="*")

    def delete_objects(self, keys: Iterable[str]) -> None:
        """Delete the objects; missing ones do not matter. Raises ClientError if S3 refuses any."""
        for some in batched(keys, 1000):
            listed = {"Objects": [{"Key": key} for key in some], "Quiet": True}
            answer = self._client_for(WRITE).delete_objects(Bucket=self.bucket, Delete=listed)
            for error in answer.get("Errors", ()):
                raise ClientError(
                    {
                        "Error": {
                            "Code": error["Code"],
                            "Message": f"{error['Key']}: {error['Message']}",
                        }
                    },
                    "DeleteObjects",
                )


def map_parallel[Item, Result](work: Any, items: Iterable[Item]) -> list[Result]:
    """Do the work on each item, several at a time.

    The first error is raised once the items that were begun have ended.
    """
    with ThreadPoolExecutor(MAX_PARALLEL_OBJECTS) as pool:
        return list(pool.map(work, items))
