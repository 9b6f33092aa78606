"""The scenario that most tests of Access Grants begin with.

It has an instance, a bucket, a location over it and a user's role.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.testing.running import make_session

GRANTS_PRINCIPAL = "access-grants.s3.amazonaws.com"


@dataclass(frozen=True)
class AwsAccount:
    """One way to AWS: clients, and shortcuts for what every scenario needs."""

    account: str
    client: Callable[..., Any]

    @property
    def control(self) -> "ControlClient":
        return ControlClient(self.client("s3control"), self.account)

    @property
    def center(self) -> dict[str, Any]:
        """Return the one IAM Identity Center instance there is."""
        return dict(self.client("sso-admin").list_instances()["Instances"][0])

    def directory_user(self, name: str) -> str:
        """Create a user of the directory. Return its id."""
        asked = {
            "UserName": name,
            "DisplayName": name,
            "Name": {"GivenName": name, "FamilyName": name},
        }
        return str(
            self.client("identitystore").create_user(
                IdentityStoreId=self.center["IdentityStoreId"], **asked
            )["UserId"]
        )

    def directory_group(self, name: str) -> str:
        """Create a group of the directory. Return its id."""
        store = self.center["IdentityStoreId"]
        return str(
            self.client("identitystore").create_group(IdentityStoreId=store, DisplayName=name)[
                "GroupId"
            ]
        )

    def role(
        self, name: str, service: str = GRANTS_PRINCIPAL, path: str = "/", allow: Any = None
    ) -> str:
        """Create a role that the service may assume, and the whole account. Return its ARN."""
        principals = [{"Service": service}, {"AWS": f"arn:aws:iam::{self.account}:root"}]
        statements = [
            {
                "Effect": "Allow",
                "Principal": who,
                "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
            }
            for who in principals
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam = self.client("iam")
        made = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)["Role"][
            "Arn"
        ]
        if allow:
            policy = {
                "Version": "2012-10-17",
                "Statement": [{"Effect": "Allow", "Action": allow, "Resource": "*"}],
            }
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(made)

    def session(self, role: str) -> dict[str, str]:
        return dict(
            self.client("sts").assume_role(RoleArn=role, RoleSessionName="someone")["Credentials"]
        )


@dataclass(frozen=True)
class ControlClient:
    """The S3 Control client with the account filled in."""

    boto: Any
    account: str

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        snake = "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in operation
        ).lstrip("_")
        return dict(getattr(self.boto, snake)(AccountId=self.account, **request))


@dataclass(frozen=True)
class GrantScenario:
    """An instance, a bucket, a location over it, and a user's role."""

    aws: AwsAccount
    bucket: str
    location: str
    location_role: str
    user: str

    def grant(
        self,
        sub_prefix: str | None = "UserA/*",
        permission: str = "READ",
        who: str | None = None,
        **more: Any,
    ) -> dict[str, Any]:
        place = (
            {}
            if sub_prefix is None
            else {"AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix}}
        )
        grantee = {"GranteeType": "IAM", "GranteeIdentifier": who or self.user}
        request: dict[str, Any] = {
            "AccessGrantsLocationId": self.location,
            "Grantee": grantee,
            "Permission": permission,
        }
        return self.aws.control("CreateAccessGrant", **(request | place | more))

    def ask(
        self, target: str, permission: str = "READ", who: str | None = None, **more: Any
    ) -> dict[str, Any]:
        """Call GetDataAccess as a session of the user's role."""
        session = self.aws.session(who or self.user)
        client = ControlClient(self.aws.client("s3control", session), self.aws.account)
        return client(
            "GetDataAccess", Target=f"s3://{self.bucket}/{target}", Permission=permission, **more
        )


def lay_scenario(aws: AwsAccount) -> GrantScenario:
    """Create what a GrantScenario has."""
    aws.client("s3").create_bucket(Bucket="data")
    aws.control("CreateAccessGrantsInstance")
    role = aws.role("location", allow="s3:*")
    made = aws.control("CreateAccessGrantsLocation", LocationScope="s3://data/", IAMRoleArn=role)
    user = aws.role("ana", path="/studio/", allow=["s3:GetDataAccess", "s3:ListCallerAccessGrants"])
    return GrantScenario(aws, "data", made["AccessGrantsLocationId"], role, user)


def make_moto_client(service: str, credentials: dict[str, str] | None = None) -> Any:
    """Return a client for use inside `moto.mock_aws()`."""
    keys = credentials or {"AccessKeyId": "testing", "SecretAccessKey": "testing"}
    return make_session(keys).client(service)  # type: ignore[call-overload]
