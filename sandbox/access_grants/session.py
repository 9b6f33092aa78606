"""The session policy of a vended credential: one scope, one permission (AWS: "S3 Access Grants get data", table of actions)."""

from typing import Any

from sandbox.access_grants.scope import bucket

READ_OBJECTS = ["s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAcl", "s3:GetObjectVersionAcl", "s3:ListMultipartUploadParts"]
READ_BUCKET = ["s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads"]
WRITE_OBJECTS = [
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
]
# Encrypted data is read and written through S3 only, and only if the location's role may.
KEYS = ["kms:Decrypt", "kms:GenerateDataKey"]


def session_policy(scope: str, permission: str) -> dict[str, Any]:
    """The policy that a session for `scope` carries; the location role's own policies bound it further."""
    name, objects = bucket(scope), _objects(scope)
    actions = (READ_OBJECTS if permission != "WRITE" else []) + (WRITE_OBJECTS if permission != "READ" else [])
    statements = [_allow(actions, [f"arn:aws:s3:::{objects}"]), _allow(KEYS, ["*"])]
    if permission != "WRITE":
        prefix = objects.partition("/")[2]
        bucket_wide = _allow(READ_BUCKET, [f"arn:aws:s3:::{name}"])
        if prefix != "*":
            bucket_wide["Condition"] = {"StringLike": {"s3:prefix": [prefix]}}
        statements.append(bucket_wide)
    return {"Version": "2012-10-17", "Statement": statements}


def _objects(scope: str) -> str:
    """The keys of a scope, as `bucket/prefix*` or `bucket/key`; a bare bucket or folder location means all in it."""
    path = scope.removeprefix("s3://")
    if "/" not in path:
        return f"{path.removesuffix('*')}/*"
    return f"{path}*" if path.endswith("/") and path.count("/") == 1 else path


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
