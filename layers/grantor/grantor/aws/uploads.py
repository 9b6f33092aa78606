"""What the latest version of an object is, without the right to read it: the list of its versions tells content and size."""

from typing import TYPE_CHECKING

from grantor.aws.errors import passing
from grantor.core.jobs.identity import Input, bucket_and_key

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


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
                return Input(uri, found["ETag"].strip('"'), found["Size"], found["VersionId"])
        return None
