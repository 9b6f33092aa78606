"""A refusal names the action, the resource, and the kind of policy that decided, as AWS words it."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import policy_document, unique_name
from sandbox.testing.running import ACCOUNT, Sandbox

ALLOW = {"Action": "s3:*", "Resource": "*"}
DENY = {"Effect": "Deny", "Action": "s3:PutObject", "Resource": "*"}
READ = {"Action": "s3:Get*", "Resource": "*"}
# What the role allows, the session policy, the boundary, and the bucket's own policy.
CASES: dict[str, tuple[tuple[Any, ...], str]] = {
    "no session": ((ALLOW, READ, None, None), "because no session policy allows the s3:PutObject action"),
    "session denies": ((ALLOW, DENY, None, None), "with an explicit deny in a session policy"),
    "boundary denies": ((ALLOW, None, DENY, None), "with an explicit deny in a permissions boundary"),
    "bucket denies": ((ALLOW, None, None, DENY), "with an explicit deny in a resource-based policy"),
}  # fmt: skip


def make_caller(sandbox: Sandbox, allows: Any, session: Any, boundary: Any) -> Any:
    """Return an S3 client of a role's session, and the session's ARN."""
    iam, name = sandbox.client("iam"), unique_name("role")
    trust = policy_document({"Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"})
    limits = {}
    if boundary:
        made = iam.create_policy(
            PolicyName=unique_name("limit"), PolicyDocument=policy_document(boundary)
        )
        limits = {"PermissionsBoundary": made["Policy"]["Arn"]}
    iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust, **limits)
    iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=policy_document(allows))
    within = {"Policy": policy_document(session)} if session else {}
    taken = sandbox.client("sts").assume_role(
        RoleArn=f"arn:aws:iam::{ACCOUNT}:role/{name}", RoleSessionName="session", **within
    )
    return sandbox.client("s3", taken["Credentials"]), taken["AssumedRoleUser"]["Arn"]


@pytest.mark.parametrize("case", CASES)
def test_a_refusal_says_which_kind_of_policy_refused_what(server: Sandbox, case: str):
    (allows, session, boundary, bucket_policy), reason = CASES[case]
    bucket, key = unique_name("refusing"), "/a b/"
    admin = server.shared("s3")
    admin.create_bucket(Bucket=bucket)
    if bucket_policy:
        denied = bucket_policy | {"Principal": "*", "Resource": f"arn:aws:s3:::{bucket}/*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [denied]})
        admin.put_bucket_policy(Bucket=bucket, Policy=document)
    s3, arn = make_caller(server, allows, session, boundary)

    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=bucket, Key=key, Body=b"")

    assert refused.value.response["Error"]["Message"] == (
        f"User: {arn} is not authorized to perform: s3:PutObject on resource: "
        f'"arn:aws:s3:::{bucket}/{key}" {reason}'
    )


def test_a_batch_says_of_each_key_why_it_stays(server: Sandbox):
    bucket = unique_name("refusing")
    server.shared("s3").create_bucket(Bucket=bucket)
    s3, arn = make_caller(server, ALLOW, READ, None)

    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "a"}, {"Key": "/b"}]})

    assert [it["Message"] for it in answer["Errors"]] == [
        f"User: {arn} is not authorized to perform: s3:DeleteObject on resource: "
        f'"arn:aws:s3:::{bucket}/{key}" because no session policy allows the s3:DeleteObject action'
        for key in ("a", "/b")
    ]
