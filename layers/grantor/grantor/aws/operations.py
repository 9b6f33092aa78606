"""The operations bucket: the jobs' code, each under a name that never means anything else, and what the jobs leave there."""

from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from grantor.aws.errors import code, passing
from grantor.core.jobs.identity import bucket_and_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LARGEST = 1_000_000  # bytes of a summary; a larger one is not read
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
                return b"" if told["ContentLength"] > LARGEST else told["Body"].read()
        except ClientError as error:
            # Without the right to list the bucket, S3 says denied where there is nothing.
            if code(error) in ("NoSuchKey", "AccessDenied"):
                return b""
            raise
