"""An attack: IAM opens every bucket to userB, and the buckets stay shut."""

import json

from demo.article import read_refusal
from harness.deployment import Deployment
from harness.steps import expect, print_lines, step

ROLE = "grantor-userb-role"
POLICY_NAME = "everything-in-s3"
EVERYTHING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}],
}
POLICY = b"""\
version: 1
rules:
  - name: all-of-it
    to: {profiles: {domain: Product-Domain, names: [userB]}}
    on: s3://{data_bucket}/*
    allow: READWRITE
"""


def show_attack(deployment: Deployment) -> None:
    """userB tries three ways around Access Grants; all are refused."""
    session = deployment.session
    iam = session.client("iam")
    with step("An attack: userB's role may do anything in S3, as far as IAM is concerned"):
        print_lines(json.dumps(EVERYTHING["Statement"][0]))
        iam.put_role_policy(
            RoleName=ROLE, PolicyName=POLICY_NAME, PolicyDocument=json.dumps(EVERYTHING)
        )
        s3 = session.as_profile("userB").client("s3")
        data, policy = deployment.data_bucket, deployment.policy_bucket
        attempts = {
            "it reads no data of userA": lambda: s3.get_object(
                Bucket=data, Key="UserA/abalone.csv"
            ),
            "it writes no data without a grant": lambda: s3.put_object(
                Bucket=data, Key="UserB/x.csv", Body=b""
            ),
            "it writes no policy file": lambda: s3.put_object(
                Bucket=policy, Key="policy/mine.yaml", Body=POLICY
            ),
        }
        for what, attempt in attempts.items():
            expect(what, "AccessDenied", read_refusal(attempt)[0])
        iam.delete_role_policy(RoleName=ROLE, PolicyName=POLICY_NAME)
