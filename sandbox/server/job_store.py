"""S3 as a processing job's inputs and outputs reach it: over the wire, signed with the execution role's session, judged and counted as any caller."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import botocore.loaders
import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

from sandbox.processing.credentials import Keys
from sandbox.processing.transfer import Refusal


class S3:
    """S3 for one job; `keys` gives the session in force."""

    def __init__(self, region: str, keys: Callable[[], Keys]) -> None:
        self._region, self._keys = region, keys
        self._of: Keys = {}
        self._made: Any = None

    def names(self, bucket: str, prefix: str) -> list[str]:
        """All keys that begin with the prefix; Refusal if the role may not list them."""
        try:
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            return [found["Key"] for page in pages for found in page.get("Contents", ())]
        except ClientError as error:
            where = f"s3://{bucket}/{prefix}"
            why = f"Failed to download data. ListObjectsV2 failed for {where}. nextToken:[null]: {_message(error)}"
            raise Refusal(why) from error

    def get(self, bucket: str, key: str, target: Path) -> None:
        """The object, into a file; Refusal if the role may not read it."""
        try:
            target.write_bytes(self._client.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError as error:
            raise Refusal(f"Failed to download data. Cannot access S3 key s3://{bucket}/{key}: {_message(error)}") from error

    def put(self, source: Path, bucket: str, key: str, kms_key: str | None) -> None:
        """The file, as an object; Refusal if the role may not write it."""
        encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": kms_key} if kms_key else {}
        try:
            self._client.put_object(Bucket=bucket, Key=key, Body=source.read_bytes(), **encrypted)
        except ClientError as error:
            raise Refusal(f"Failed to upload data. Cannot write S3 key s3://{bucket}/{key}: {_message(error)}") from error

    @property
    def _client(self) -> Any:
        if (keys := self._keys()) != self._of:
            session = botocore.session.Session()
            session.register_component("data_loader", _models())
            self._of = keys
            self._made = session.create_client(
                "s3", self._region, endpoint_url=f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}",
                aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"], aws_session_token=keys["SessionToken"],
                config=Config(s3={"addressing_style": "path"}),
            )  # fmt: skip
        return self._made


@cache
def _models() -> Any:
    return botocore.loaders.create_loader()


def _message(error: ClientError) -> str:
    return str(error.response["Error"].get("Message") or error.response["Error"]["Code"])
