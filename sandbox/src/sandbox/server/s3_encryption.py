"""SSE-KMS without a key's id means the account's own key for S3, `aws/s3`, as on AWS.

The server by itself refuses such a write, which CDK sends for every asset. Source: S3 User Guide,
"Specifying server-side encryption with AWS KMS". The key's id is derived from account and Region,
and nobody finds it in KMS.
"""

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.server.account import request_scope
from sandbox.server.seams import wrap_seam

ALGORITHM = "x-amz-server-side-encryption"
KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"


def install() -> None:
    """Fill in the key before the server looks at the headers of a write."""
    wrap_seam(
        "ministack.services.s3", "_resolve_sse_write_headers", "headers, bucket_name", _add_own_key
    )


def _add_own_key(original: Callable[..., Any]) -> Callable[..., Any]:
    def resolve(headers: dict[str, str], bucket_name: str) -> Any:
        if headers.get(ALGORITHM) == "aws:kms" and not headers.get(KEY_ID):
            headers = headers | {KEY_ID: _name_own_key()}
        return original(headers, bucket_name)

    return resolve


def _name_own_key() -> str:
    account, region = request_scope()
    key = uuid.uuid5(uuid.NAMESPACE_URL, f"aws/s3 of {account} in {region}")
    return f"arn:aws:kms:{region}:{account}:key/{key}"
