"""Scopes as strings, and the session policy of a vended credential.

How a grant's scope is built from its location's, which scope covers which, and which bucket it is
in. A session policy covers one scope and one permission (AWS: "S3 Access Grants get data", table of
actions).
"""

import re
from typing import Any

# What a permission gives; a permission in neither set gives nothing.
READING, WRITING = {"READ", "READWRITE"}, {"WRITE", "READWRITE"}
READ_OBJECTS = [
    "s3:GetObject",
    "s3:GetObjectVersion",
    "s3:GetObjectAcl",
    "s3:GetObjectVersionAcl",
    "s3:ListMultipartUploadParts",
]
READ_BUCKET = ["s3:ListBucket", "s3:ListBucketVersions"]
READ_UPLOADS = ["s3:ListBucketMultipartUploads"]
WRITE_OBJECTS = [
    "s3:PutObject",
    "s3:PutObjectAcl",
    "s3:PutObjectVersionAcl",
    "s3:DeleteObject",
    "s3:DeleteObjectVersion",
    "s3:AbortMultipartUpload",
]
SPECIAL = re.compile(r"[*?$]")  # letters that are more than letters in a policy
# Encrypted data is read and written through S3 only, and only if the location's role may.
KMS_ACTIONS = ["kms:Decrypt", "kms:GenerateDataKey"]


def join_scope(location: str, sub_prefix: str) -> str:
    """Return the scope of a grant: location and sub-prefix.

    Like the service, put a slash after a bare bucket.

    >>> join_scope("s3://b", "users*"), join_scope("s3://b/", "users*")
    ('s3://b/users*', 's3://b/users*')
    >>> join_scope("s3://", "b/users/*"), join_scope("s3://b/", "")
    ('s3://b/users/*', 's3://b/')
    """
    if not sub_prefix:
        return location
    bare = location.removesuffix("*")
    between = "/" if bare != "s3://" and "/" not in bare.removeprefix("s3://") else ""
    return f"{bare}{between}{sub_prefix}"


def bucket_of(scope: str) -> str:
    """Return the bucket of a scope; empty for all buckets.

    >>> bucket_of("s3://b/p/*"), bucket_of("s3://b*"), bucket_of("s3://")
    ('b', 'b', '')
    """
    return scope.removeprefix("s3://").partition("/")[0].removesuffix("*")


def reach_of(scope: str, *, whole: bool) -> str:
    """Return the keys that a grant reaches.

    These are the keys of its scope. For a location that is granted as a whole, they are all
    keys below it.

    >>> reach_of("s3://b/", whole=True), reach_of("s3://b", whole=True)
    ('s3://b/*', 's3://b/*')
    >>> reach_of("s3://b/x/", whole=False)
    's3://b/x/'
    """
    return f"{scope.removesuffix('/')}/*" if whole and not scope.endswith("*") else scope


def covers_target(reached: str, target: str, *, bare_bucket: bool) -> bool:
    """Return whether every key that `target` names is reached.

    Prefixes are plain strings, not paths.

    >>> covers_target("s3://b/team*", "s3://b/team-secret/x", bare_bucket=True)
    True
    >>> covers_target("s3://b/x", "s3://b/x*", bare_bucket=True)
    False
    """
    if not reached.endswith("*"):
        return target == reached
    prefix = reached[:-1]
    whole_bucket = bare_bucket and target == f"s3://{bucket_of(target)}" and f"{target}/" == prefix
    return whole_bucket or target.removesuffix("*").startswith(prefix)


def session_policy(scope: str, permission: str, *, lists_uploads: bool = False) -> dict[str, Any]:
    """Return the policy of a session for `scope`.

    The location role's own policies limit it further. `lists_uploads` says whether a session for
    a prefix may list the unfinished uploads, which no policy can limit to a prefix.
    """
    name, objects = bucket_of(scope), _object_pattern(scope)
    reads, writes = permission in READING, permission in WRITING
    actions = (READ_OBJECTS if reads else []) + (WRITE_OBJECTS if writes else [])
    statements = [
        _allow_statement(actions, [f"arn:aws:s3:::{objects}"]),
        _allow_statement(KMS_ACTIONS, ["*"]),
    ]
    if reads:
        prefix = objects.partition("/")[2]
        within = {} if prefix == "*" else {"Condition": {"StringLike": {"s3:prefix": [prefix]}}}
        bucket = [f"arn:aws:s3:::{name}"]
        statements += [
            _allow_statement(READ_BUCKET, bucket) | within,
            _allow_statement(READ_UPLOADS, bucket) | ({} if lists_uploads else within),
        ]
    return {"Version": "2012-10-17", "Statement": statements}


def _object_pattern(scope: str) -> str:
    """Return the keys of a scope, as the pattern `bucket/prefix*` or `bucket/key`.

    A location that is a bare bucket or folder means everything in it. A letter of the scope that
    is special in a policy stands for itself: only the `*` at the end is a wildcard.

    >>> _object_pattern("s3://b/a?${x}*/*"), _object_pattern("s3://b/")
    ('b/a${?}${$}{x}${*}/*', 'b/*')
    """
    path = scope.removeprefix("s3://")
    if "/" not in path:
        return f"{path.removesuffix('*')}/*"
    whole = path.endswith("/") and path.count("/") == 1
    literal = SPECIAL.sub(r"${\g<0>}", path.removesuffix("*"))
    return f"{literal}*" if whole or path.endswith("*") else literal


def _allow_statement(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
