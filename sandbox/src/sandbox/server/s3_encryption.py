"""Encryption of objects with KMS: which key a request needs, and that the caller may use it.

The server encrypts nothing and keeps which key an object was written with. On AWS, whoever reads
such an object needs kms:Decrypt on that key, whoever writes one kms:GenerateDataKey, and whoever
uploads one in parts both. S3 asks KMS in the caller's name, so policies see kms:ViaService, and the
key's own policy must admit the caller. Source: S3 User Guide, "Using server-side encryption with
AWS KMS keys", Permissions; KMS Developer Guide, "kms:ViaService".

SSE-KMS without a key's id means the account's own key for S3, `aws/s3`. Its policy admits whoever
S3 admits, so nothing more is needed. The server by itself refuses such a write, which CDK sends for
every asset. Source: S3 User Guide, "Specifying server-side encryption with AWS KMS". That key's id
is derived from account and Region, and nobody finds it in KMS.
"""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sandbox.server.account import request_scope
from sandbox.server.enforcement import Enforce, EnforcedCall, Refusal, wrap_enforcement
from sandbox.server.seams import use_seam, wrap_seam

ALGORITHM = "x-amz-server-side-encryption"
KEY_ID = "x-amz-server-side-encryption-aws-kms-key-id"
S3 = "ministack.services.s3"
HEADERS = ("_resolve_sse_write_headers", "headers, bucket_name")
DECRYPT, GENERATE = "kms:Decrypt", "kms:GenerateDataKey"


def install() -> None:
    """Fill in the key before the server looks at the headers of a write, and judge its use."""
    wrap_seam(S3, *HEADERS, _resolve_key)
    wrap_enforcement(_judge_key_use)


def _resolve_key(original: Callable[..., Any]) -> Callable[..., Any]:
    def resolve(headers: dict[str, str], bucket_name: str) -> Any:
        if headers.get(ALGORITHM) == "aws:kms" and not headers.get(KEY_ID):
            headers = headers | {KEY_ID: _name_own_key()}
        kept, error = original(headers, bucket_name)
        named = (kept or {}).get(KEY_ID, "")
        if error or not named or named == _name_own_key() or find_key(named):
            return kept, error
        refuse = use_seam(S3, "_error")
        return None, refuse("KMS.NotFoundException", f"Invalid keyId '{named}'", 400)

    return resolve


def _name_own_key() -> str:
    account, region = request_scope()
    key = uuid.uuid5(uuid.NAMESPACE_URL, f"aws/s3 of {account} in {region}")
    return f"arn:aws:kms:{region}:{account}:key/{key}"


def find_key(named: str) -> str:
    """Return the ARN of a key by its ARN, id or alias; "" if KMS has none."""
    found = use_seam("ministack.services.kms", "_resolve_key", "key_id_or_arn")(named)
    return str(found["Arn"]) if found else ""


def find_write_key(headers: Mapping[str, str], bucket: str) -> str:
    """Return the ARN of the customer's key that an object would be written with; "" for none."""
    kept, _ = use_seam(S3, *HEADERS)(dict(headers), bucket)
    return find_key((kept or {}).get(KEY_ID, ""))


def find_read_key(bucket: str, key: str, version: str) -> str:
    """Return the ARN of the customer's key that a version was written with; "" for none.

    An empty `version` is the current one.
    """
    if version:
        versions = use_seam(S3, "_object_versions").get((bucket, key), [])
        found = next((one for one in versions if one["version_id"] == version), None)
    else:
        found = (use_seam(S3, "_buckets").get(bucket) or {"objects": {}})["objects"].get(key)
    return find_key((found or {}).get("preserved_headers", {}).get(KEY_ID, ""))


def find_upload_key(upload: str) -> str:
    """Return the ARN of the customer's key of an upload in parts; "" for none."""
    found = use_seam(S3, "_multipart_uploads").get(upload) or {}
    return find_key(found.get("preserved_headers", {}).get(KEY_ID, ""))


def _judge_key_use(call: EnforcedCall, decide: Enforce) -> Refusal:
    """Judge the use of a key by S3 as KMS does."""
    if call.service != "s3" or not call.action.startswith("kms:"):
        return decide(call)
    region, account = call.arn.split(":")[3:5]
    known = {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:CallerAccount": account}
    return decide(replace(call, service="kms", region=region, known=known))
