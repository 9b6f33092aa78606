"""S3: buckets with versions. Lists and reads are strongly consistent, as S3's are."""

import hashlib
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from simulation.doubles.gate import Request, ServiceClient, ServiceError
from simulation.scheduler import Scheduler


class ObjectsClient(ServiceClient):
    """A client of S3."""

    service = "s3"


@dataclass(frozen=True)
class ObjectVersion:
    """One version of an object; without a body it is a delete marker."""

    key: str
    id: str
    body: bytes | None
    etag: str
    modified: float


class ObjectBody:
    """The body of an answer."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def read(self, amount: int | None = None) -> bytes:
        """The next bytes, or all that are left."""
        count = len(self._data) if amount is None else amount
        found, self._data = self._data[:count], self._data[count:]
        return found

    def __repr__(self) -> str:
        return repr(self._data)

    def close(self) -> None:
        """Read no more."""
        self._data = b""


OnChange = Callable[[str, ObjectVersion], None]  # a bucket, and the version that was written


class Objects:
    """The buckets of the account."""

    paginators = {  # noqa: RUF012  -- never changed
        "list_objects_v2": ("ContinuationToken", "NextContinuationToken")
    }

    def __init__(self, scheduler: Scheduler, page_keys: int = 1000) -> None:
        self._scheduler, self._page_keys = scheduler, page_keys
        self.buckets: dict[str, dict[str, list[ObjectVersion]]] = {}
        self.on_change: OnChange = lambda *_: None
        self._number = 0

    def put_object(self, request: Request) -> Any:
        bucket, key = self._find_bucket(request), request["Key"]
        current = self._find_current(bucket, key)
        if request.get("IfNoneMatch") == "*" and current:
            raise ServiceError("PreconditionFailed", 412, "At least one condition did not hold")
        wanted = request.get("IfMatch")
        if wanted and (current is None or current.etag != wanted):
            raise ServiceError("PreconditionFailed", 412, "At least one condition did not hold")
        body = request.get("Body", b"")
        data = body if isinstance(body, bytes) else bytes(body)
        made = self.add_version(request["Bucket"], key, data)
        return {"ETag": made.etag, "VersionId": made.id}

    def delete_object(self, request: Request) -> Any:
        self._find_bucket(request)
        made = self.add_version(request["Bucket"], request["Key"], None)
        return {"DeleteMarker": True, "VersionId": made.id}

    def get_object(self, request: Request) -> Any:
        found = self._find_version(request)
        assert found.body is not None
        if request.get("Range") and not found.body:
            raise ServiceError("InvalidRange", 416, "The requested range is not satisfiable")
        data = found.body[:1] if request.get("Range") == "bytes=0-0" else found.body
        return {**self._describe(found), "ContentLength": len(data), "Body": ObjectBody(data)}

    def head_object(self, request: Request) -> Any:
        found = self._find_version(request)
        return {**self._describe(found), "ContentLength": len(found.body or b"")}

    def list_objects_v2(self, request: Request) -> Any:
        prefix, delimiter = request.get("Prefix", ""), request.get("Delimiter", "")
        rows = self._list_rows(self._find_bucket(request), prefix, delimiter)
        after = request.get("ContinuationToken") or request.get("StartAfter") or ""
        first = bisect_right([name for name, _ in rows], after)
        size = min(self._page_keys, request.get("MaxKeys", self._page_keys))
        page, more = rows[first : first + size], len(rows) > first + size
        contents = [self._describe_listed(one) for _, one in page if one]
        prefixes = [{"Prefix": name} for name, one in page if not one]
        answer: dict[str, Any] = {"IsTruncated": more, "KeyCount": len(page)}
        answer |= {"Contents": contents} if contents else {}
        answer |= {"CommonPrefixes": prefixes} if prefixes else {}
        return answer | ({"NextContinuationToken": page[-1][0]} if more else {})

    def add_version(self, bucket: str, key: str, body: bytes | None) -> ObjectVersion:
        """Write a version, or a delete marker, and tell it to whoever listens."""
        self._number += 1
        etag = f'"{hashlib.md5(body or b"", usedforsecurity=False).hexdigest()}"'
        made = ObjectVersion(key, f"v{self._number}", body, etag, self._scheduler.now)
        self.buckets[bucket].setdefault(key, []).append(made)
        self.on_change(bucket, made)
        return made

    def list_current(self, bucket: str) -> dict[str, ObjectVersion]:
        """The current version of each object that exists."""
        found = self.buckets[bucket]
        return {
            key: versions[-1]
            for key, versions in sorted(found.items())
            if versions[-1].body is not None
        }

    def create_bucket(self, name: str) -> None:
        """Make a bucket."""
        self.buckets[name] = defaultdict(list)

    def _list_rows(
        self, bucket: dict[str, list[ObjectVersion]], prefix: str, delimiter: str
    ) -> list[tuple[str, ObjectVersion | None]]:
        """Keys with their objects, and common prefixes without, sorted."""
        rows: dict[str, ObjectVersion | None] = {}
        for key, versions in sorted(bucket.items()):
            if not key.startswith(prefix) or versions[-1].body is None:
                continue
            folder, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("",) * 3
            if found:
                rows[f"{prefix}{folder}{delimiter}"] = None
            else:
                rows[key] = versions[-1]
        return sorted(rows.items(), key=lambda row: row[0])

    def _find_bucket(self, request: Request) -> dict[str, list[ObjectVersion]]:
        if request["Bucket"] not in self.buckets:
            raise ServiceError("NoSuchBucket", 404, "The specified bucket does not exist")
        return self.buckets[request["Bucket"]]

    def _find_current(
        self, bucket: dict[str, list[ObjectVersion]], key: str
    ) -> ObjectVersion | None:
        versions = bucket.get(key) or []
        return versions[-1] if versions and versions[-1].body is not None else None

    def _find_version(self, request: Request) -> ObjectVersion:
        bucket, key, wanted = self._find_bucket(request), request["Key"], request.get("VersionId")
        if not wanted:
            if found := self._find_current(bucket, key):
                return found
            raise ServiceError("NoSuchKey", 404, "The specified key does not exist.")
        found = next((one for one in bucket.get(key, ()) if one.id == wanted), None)
        if found is None:
            raise ServiceError("NoSuchVersion", 404, "The specified version does not exist.")
        if found.body is None:
            why = "The specified method is not allowed against this resource."
            raise ServiceError("MethodNotAllowed", 405, why)
        return found

    def _describe(self, found: ObjectVersion) -> dict[str, Any]:
        return {
            "ETag": found.etag,
            "VersionId": found.id,
            "LastModified": _to_time(found.modified),
        }

    def _describe_listed(self, found: ObjectVersion) -> dict[str, Any]:
        size = len(found.body or b"")
        modified = _to_time(found.modified)
        return {"Key": found.key, "ETag": found.etag, "Size": size, "LastModified": modified}


def _to_time(seconds: float) -> datetime:
    """S3 tells times to the second."""
    return datetime.fromtimestamp(int(seconds), UTC)
