"""The policy files in their bucket. Unreadable is never empty: a file that can't be read fails the read of all."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FOLDER = "policy/"
LARGEST = 1_000_000  # bytes; a larger file is not read at all


class TooLarge(ValueError):
    """A policy file is larger than any policy; the text names it and both sizes."""


class PolicyFiles:
    """Every `policy/*.yaml` of one bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client = client
        self._bucket = bucket

    def texts(self) -> dict[str, bytes]:
        """The content of each file by its `s3://bucket/key`; costs a list call for each 1,000 keys, and a read for each file."""
        found = {}
        for page in self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=FOLDER):
            for item in page.get("Contents", []):
                if item["Key"].endswith((".yaml", ".yml")):
                    found[f"s3://{self._bucket}/{item['Key']}"] = self._text(item["Key"], item["Size"])
        return found

    def _text(self, key: str, size: int) -> bytes:
        if size > LARGEST:
            name = f"s3://{self._bucket}/{key}"
            raise TooLarge(
                f"{name}:1:1: the file has {size:,} bytes: a policy file may have {LARGEST:,}; split it into several files"
            )
        return self._client.get_object(Bucket=self._bucket, Key=key)["Body"].read()
