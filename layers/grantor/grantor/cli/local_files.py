"""A folder of policy files in place of those of the policy bucket."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.s3 import (
    FOLDER,
    FileTooLarge,
    ListedFile,
    PolicyFile,
    PolicyFiles,
    describe_too_large,
    is_too_large,
)
from grantor.cli.check import find_policy_files, read_policy_file
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.policy.text_forms import TEST_SUFFIXES

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCAL_VERSION = "local"  # version of a file that S3 does not have


class LocalFiles(PolicyFiles):
    """A folder that takes the place of `policy/` in the bucket.

    A file whose content equals the bucket's is the bucket's file. Accepted versions come from the
    bucket.
    """

    def __init__(self, client: "S3Client", bucket: str, folder: Path) -> None:
        super().__init__(client, bucket)
        paths = find_policy_files(folder)
        self._paths = {f"{FOLDER}{path.relative_to(folder).as_posix()}": path for path in paths}
        every = (path for path in folder.rglob("*") if path.is_file())
        keys = {f"{FOLDER}{path.relative_to(folder).as_posix()}" for path in every}
        others = keys - self._paths.keys()
        self._others = tuple(sorted(key for key in others if not key.endswith(TEST_SUFFIXES)))

    def list_files(self) -> Mapping[str, ListedFile]:
        """List the folder's files by their keys in the bucket. Costs a call to list the bucket."""
        super().list_files()
        self.ignored = self._others
        return {key: _describe_file(path) for key, path in self._paths.items()}

    def read_file(self, key: str, version: str = "") -> PolicyFile:
        """Read a file of the folder; with a version, read it from the bucket."""
        if version or key not in self._paths:
            return super().read_file(key, version)
        content = read_policy_file(self._paths[key])
        if is_too_large(len(content)):
            raise FileTooLarge(describe_too_large(len(content)))
        uploaded = self._read_uploaded(key) if key in self._listed else None
        if uploaded and uploaded.body == content:
            return uploaded
        return PolicyFile(content, LOCAL_VERSION, _compute_etag(content))

    def is_deleted(self, key: str) -> bool:
        """Whether the folder lacks this file; of the bounds file, whether the bucket does."""
        return super().is_deleted(key) if key == BOUNDS_FILE else key not in self._paths

    def find_nested(self) -> str:
        """A key below policy/policy/, which nobody means who names the parent of policy/; or ""."""
        return next((key for key in sorted(self._paths) if key.startswith(FOLDER * 2)), "")

    def _read_uploaded(self, key: str) -> PolicyFile | None:
        try:
            return super().read_file(key)
        except (ClientError, FileTooLarge):
            return None


def _describe_file(path: Path) -> ListedFile:
    status = path.stat()
    return ListedFile("", status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _compute_etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'
