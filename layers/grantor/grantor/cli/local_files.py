"""The policy files of a folder in place of the bucket's, to see what they would change."""

from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.policy_files import FOLDER, LARGEST, File, Listed, PolicyFiles, TooLarge, too_large
from grantor.cli.check import body, files

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LOCAL = "local"  # the version of a file that S3 has not seen


class LocalFiles(PolicyFiles):
    """A folder that stands for `policy/`. A file that is the same in the bucket is the bucket's; accepted versions are in the bucket only."""

    def __init__(self, client: "S3Client", bucket: str, folder: Path) -> None:
        super().__init__(client, bucket)
        self._paths = {f"{FOLDER}{path.relative_to(folder).as_posix()}": path for path in files(folder)}

    def listed(self) -> Mapping[str, Listed]:
        """The files of the folder, by the key that each would have. Costs a call: the bucket's own are listed, too."""
        super().listed()
        return {key: self._local(path) for key, path in self._paths.items()}

    def read(self, key: str, version: str = "") -> File:
        """As PolicyFiles does, of the file in the folder unless a version is asked for."""
        if version:
            return super().read(key, version)
        ours = body(self._paths[key])
        if len(ours) > LARGEST:
            raise TooLarge(too_large(len(ours)))
        there = self._there(key) if key in self._listed else None
        return there if there and there.body == ours else File(ours, LOCAL, _etag(ours))

    def gone(self, key: str) -> bool:
        """Whether the folder has no such file."""
        return key not in self._paths

    def _there(self, key: str) -> File | None:
        try:
            return super().read(key)
        except (ClientError, TooLarge):
            return None

    def _local(self, path: Path) -> Listed:
        told = path.stat()
        return Listed("", told.st_size, datetime.fromtimestamp(told.st_mtime, UTC))


def _etag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'
