"""The two ways to the service's rules: the server, and inside the process under moto. Every scenario that asks for `aws` runs on both."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from moto import mock_aws

from sandbox.access_grants import Switches
from sandbox.in_process import access_grants
from tests.conftest import ACCOUNT, Sandbox, session

SERVICE = "access-grants.s3.amazonaws.com"


@dataclass(frozen=True)
class Aws:
    """One way to AWS: clients, and short words for what every scenario needs."""

    account: str
    client: Callable[..., Any]

    @property
    def control(self) -> "Control":
        return Control(self.client("s3control"), self.account)

    @property
    def center(self) -> dict[str, Any]:
        """The one IAM Identity Center instance there is."""
        return dict(self.client("sso-admin").list_instances()["Instances"][0])

    def directory_user(self, name: str) -> str:
        """A user of the directory; its id."""
        asked = {"UserName": name, "DisplayName": name, "Name": {"GivenName": name, "FamilyName": name}}
        return str(self.client("identitystore").create_user(IdentityStoreId=self.center["IdentityStoreId"], **asked)["UserId"])

    def directory_group(self, name: str) -> str:
        """A group of the directory; its id."""
        store = self.center["IdentityStoreId"]
        return str(self.client("identitystore").create_group(IdentityStoreId=store, DisplayName=name)["GroupId"])

    def role(self, name: str, service: str = SERVICE, path: str = "/", allow: Any = None) -> str:
        """A role that the service may assume, and the whole account; its ARN."""
        principals = [{"Service": service}, {"AWS": f"arn:aws:iam::{self.account}:root"}]
        statements = [
            {"Effect": "Allow", "Principal": who, "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]} for who in principals
        ]
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        iam = self.client("iam")
        made = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=document)["Role"]["Arn"]
        if allow:
            policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": allow, "Resource": "*"}]}
            iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return str(made)

    def session(self, role: str) -> dict[str, str]:
        return dict(self.client("sts").assume_role(RoleArn=role, RoleSessionName="someone")["Credentials"])


@dataclass(frozen=True)
class Control:
    """The S3 Control client with the account filled in: `control("CreateAccessGrantsInstance", …)`."""

    boto: Any
    account: str

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        snake = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in operation).lstrip("_")
        return dict(getattr(self.boto, snake)(AccountId=self.account, **request))


@pytest.fixture(scope="session")
def own_server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server that is reset after each scenario, so that nobody else may use it."""
    return start_sandbox()


@pytest.fixture(params=["server", "in-process"])
def aws(request: pytest.FixtureRequest) -> Iterator[Aws]:
    if request.param == "server":
        sandbox: Sandbox = request.getfixturevalue("own_server")
        yield Aws(ACCOUNT, sandbox.client)
        reset(sandbox)
    else:
        with mock_aws(), access_grants():
            yield Aws("123456789012", moto_client)


@pytest.fixture
def on_server(own_server: Sandbox) -> Iterator[Aws]:
    """The server alone, for what only it judges: IAM's policies, and those of vended sessions."""
    yield Aws(ACCOUNT, own_server.client)
    reset(own_server)


@pytest.fixture
def expire(own_server: Sandbox) -> Callable[[str], None]:
    """Lets the session of an access key be over, as an hour would."""

    def now(key: str) -> None:
        with urllib.request.urlopen(f"{own_server.url}/_sandbox/expire?key={key}"):
            pass

    return now


@pytest.fixture
def with_switches() -> Iterator[Callable[..., Aws]]:
    """A fresh service, inside the process, with these switches."""
    opened: list[Any] = []

    def way(**switches: Any) -> Aws:
        for manager in (mock_aws(), access_grants(Switches(**switches))):
            manager.__enter__()
            opened.append(manager)
        return Aws("123456789012", moto_client)

    yield way
    for manager in reversed(opened):
        manager.__exit__(None, None, None)


def moto_client(service: str, credentials: dict[str, str] | None = None) -> Any:
    return session(credentials or {"AccessKeyId": "testing", "SecretAccessKey": "testing"}).client(service)


def reset(sandbox: Sandbox) -> None:
    with urllib.request.urlopen(urllib.request.Request(f"{sandbox.url}/_ministack/reset", method="POST")):
        pass


@dataclass(frozen=True)
class Desk:
    """What most scenarios begin with: an instance, a bucket, a location over it, a user's role."""

    aws: Aws
    bucket: str
    location: str
    location_role: str
    user: str

    def grant(
        self, sub_prefix: str | None = "UserA/*", permission: str = "READ", who: str | None = None, **more: Any
    ) -> dict[str, Any]:
        place = {} if sub_prefix is None else {"AccessGrantsLocationConfiguration": {"S3SubPrefix": sub_prefix}}
        grantee = {"GranteeType": "IAM", "GranteeIdentifier": who or self.user}
        request: dict[str, Any] = {"AccessGrantsLocationId": self.location, "Grantee": grantee, "Permission": permission}
        return self.aws.control("CreateAccessGrant", **(request | place | more))

    def ask(self, target: str, permission: str = "READ", who: str | None = None, **more: Any) -> dict[str, Any]:
        """GetDataAccess, as a session of the user's role."""
        session = self.aws.session(who or self.user)
        client = Control(self.aws.client("s3control", session), self.aws.account)
        return client("GetDataAccess", Target=f"s3://{self.bucket}/{target}", Permission=permission, **more)


def lay(aws: Aws) -> Desk:
    """Make what a Desk has."""
    aws.client("s3").create_bucket(Bucket="data")
    aws.control("CreateAccessGrantsInstance")
    role = aws.role("location", allow="s3:*")
    made = aws.control("CreateAccessGrantsLocation", LocationScope="s3://data/", IAMRoleArn=role)
    user = aws.role("ana", path="/studio/", allow=["s3:GetDataAccess", "s3:ListCallerAccessGrants"])
    return Desk(aws, "data", made["AccessGrantsLocationId"], role, user)


@pytest.fixture
def desk(aws: Aws) -> Desk:
    return lay(aws)


@pytest.fixture
def server_desk(on_server: Aws) -> Desk:
    return lay(on_server)
