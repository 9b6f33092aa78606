"""The stage after the deploy: the desk, what the stack is called by, and what everyone in the story can see of it."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from demo.desk import Desk

STACK = "grantor"
DOMAIN = "Product-Domain"
POLICY = "policy/article.yaml"
Row = tuple[str, str, str]  # who, permission, scope


@dataclass(frozen=True)
class Cast:
    """What the deploy left: the desk, and the stack's outputs."""

    desk: Desk
    outputs: dict[str, str]

    @property
    def data(self) -> str:
        return self.outputs["DataBucket"]

    def grants(self) -> set[Row]:
        """The grants table, as an auditor sees it: short role name, permission, scope."""
        control = self.desk.client("s3control")
        listed: set[Row] = set()
        asked: dict[str, Any] = {"AccountId": self.desk.account, "MaxResults": 1000}
        while True:
            page = control.list_access_grants(**asked)
            listed |= {_row(grant) for grant in page.get("AccessGrantsList", [])}
            if not (token := page.get("NextToken")):
                return listed
            asked["NextToken"] = token

    def granted(self, who: str, *folders: str) -> set[Row]:
        """The rows that `who` should have, one READWRITE a folder."""
        return {(f"sagemaker-{who.lower()}-role", "READWRITE", f"s3://{self.data}/{folder}/*") for folder in folders}

    def put_policy(self, key: str, body: bytes) -> None:
        """A steward drops a policy file."""
        self.desk.client("s3").put_object(Bucket=self.outputs["PolicyBucket"], Key=key, Body=body)

    def delete_policy(self, key: str) -> None:
        """A steward deletes a policy file."""
        self.desk.client("s3").delete_object(Bucket=self.outputs["PolicyBucket"], Key=key)

    def upload(self, *keys: str) -> None:
        """Somebody uploads data."""
        s3 = self.desk.client("s3")
        for key in keys:
            s3.put_object(Bucket=self.data, Key=key, Body=b"M,0.455\n")

    def studio_role(self, name: str) -> str:
        """A new role that Studio may assume, as it may userA's, and that may do nothing; its ARN."""
        iam = self.desk.client("iam")
        trust = iam.get_role(RoleName="sagemaker-usera-role")["Role"]["AssumeRolePolicyDocument"]
        return str(iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"])

    @contextmanager
    def person(self, name: str, *policies: str) -> Iterator[Desk]:
        """The desk of somebody whose role has these of the stack's managed policies, and nothing else."""
        iam, role = self.desk.client("iam"), f"person-{'-'.join(policies).lower()}"
        allow = {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{self.desk.account}:root"}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=role, PolicyArn=self.outputs[policy])
        yield self.desk.holding(self.desk.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"])
        for policy in policies:
            iam.detach_role_policy(RoleName=role, PolicyArn=self.outputs[policy])
        iam.delete_role(RoleName=role)

    def domain(self) -> str:
        """The id of the Studio domain."""
        listed = self.desk.client("sagemaker").list_domains()["Domains"]
        return next(domain["DomainId"] for domain in listed if domain["DomainName"] == DOMAIN)

    def complaints(self) -> set[str]:
        """The sentences that the reconciler has logged as warnings or errors."""
        records = self.logged(self.outputs["ReconcileGrants"])
        return {str(record["message"]) for record in records if record.get("level") in ("WARNING", "ERROR")}

    def logged(self, function: str) -> list[dict[str, Any]]:
        """What a function has logged, oldest first."""
        pages = self.desk.client("logs").get_paginator("filter_log_events").paginate(logGroupName=f"/aws/lambda/{function}")
        lines = [event["message"] for page in pages for event in page["events"]]
        return [json.loads(line) for line in lines if line.startswith("{")]


def _row(grant: dict[str, Any]) -> Row:
    return grant["Grantee"]["GranteeIdentifier"].rpartition("/")[2], grant["Permission"], grant["GrantScope"]
