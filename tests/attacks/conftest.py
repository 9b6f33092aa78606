"""One stack with its default parameters for all attacks, and the sessions of those who attack it.

def test_an_attack(attacked, user_b):
    with refused():
        user_b.client("s3").put_object(Bucket=attacked.data_bucket, Key="UserA/x", Body=b"")

attacked                the stack; attacked.client("s3") is the owner of the account (set-up only)
user_a, user_b          sessions of the two execution roles, as their notebooks have them
full_access_user_b      userB, whose role has AWS's AmazonSageMakerFullAccess besides the stack's
sagemaker_role          a role of the account with AmazonSageMakerFullAccess and nothing of ours
steward                 StewardRole, which may write policy files
administrator           a role with Action * on Resource *, which is not the owner of the account
attacked.create_person  a role with managed policies of the stack, by the names of its outputs

The folder deploys once, on one worker of xdist (tests/conftest.py). A test cleans up what it makes
or uses names of its own: `unique_name`.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, policy_document, unique_name, wait_until
from tests.conftest import ACCOUNT, Sandbox
from tests.teardown.empty_account import DeployedStack, EmptyAccount, package_stack

# AWS's text of v29 of 2026-02-12, as moto 5.2.5 ships it (moto/iam/aws_managed_policies.py).
FULL_ACCESS = Path(__file__).with_name("AmazonSageMakerFullAccess.json")
FULL_ACCESS_NAME = "AmazonSageMakerFullAccess"
REFUSALS = {"AccessDenied", "AccessDeniedException", "403", "AuthorizationError"}
GRANT_SECONDS = 30  # a run takes less than a second; a busy machine takes longer


@dataclass(frozen=True)
class Session:
    """One session of a principal of the account: its keys, and clients with them."""

    sandbox: Sandbox
    arn: str  # of the role
    keys: dict[str, str]
    _clients: dict[str, Any] = field(default_factory=dict)

    @property
    def role(self) -> str:
        """The name of the session's role."""
        return self.arn.rpartition("/")[2]

    def client(self, service: str) -> Any:
        if service not in self._clients:
            self._clients[service] = self.sandbox.client(service, self.keys)
        return self._clients[service]

    def get_data_access(self, target: str, permission: str = "READ") -> dict[str, str]:
        """Credentials that Access Grants vends to this session for a target, s3://…"""
        answer = self.client("s3control").get_data_access(
            AccountId=ACCOUNT, Target=target, Permission=permission
        )
        return dict(answer["Credentials"])


@dataclass(frozen=True)
class AttackedStack:
    """The deployed stack, its outputs, and what an attack needs around it."""

    account: EmptyAccount
    stack: DeployedStack

    @cached_property
    def outputs(self) -> dict[str, str]:
        return self.stack.read_outputs()

    @property
    def data_bucket(self) -> str:
        return self.outputs["DataBucket"]

    @property
    def policy_bucket(self) -> str:
        return self.outputs["PolicyBucket"]

    @property
    def operations_bucket(self) -> str:
        return self.outputs["OperationsBucket"]

    @cached_property
    def domain(self) -> str:
        """The id of the Studio domain."""
        return self.stack.find_physical_id("Domain")

    @property
    def sandbox(self) -> Sandbox:
        return self.account.sandbox

    def client(self, service: str) -> Any:
        """A client of the owner of the account."""
        return self.account.client(service)

    def start_notebook(self, profile: str) -> Session:
        """A session of a profile's execution role, as its notebook has it."""
        arn = self.client("sagemaker").describe_user_profile(
            DomainId=self.domain, UserProfileName=profile
        )["UserSettings"]["ExecutionRole"]
        return Session(self.sandbox, arn, self.read_notebook_keys(profile))

    def read_notebook_keys(self, profile: str) -> dict[str, str]:
        """The keys that a notebook of a profile has, whatever its role is, once it is in service."""
        self.wait_for_profile(profile)
        path = f"notebook?profile={profile}&domain={self.domain}"
        return dict(call_control(self.sandbox, path))

    def wait_for_profile(self, profile: str) -> None:
        studio, named = self.client("sagemaker"), {"UserProfileName": profile}
        wait_until(
            lambda: (
                studio.describe_user_profile(DomainId=self.domain, **named)["Status"] == "InService"
            )
        )

    def delete_profile(self, profile: str) -> None:
        """Delete a profile that a test has made."""
        self.wait_for_profile(profile)
        self.client("sagemaker").delete_user_profile(DomainId=self.domain, UserProfileName=profile)

    def assume_role(self, arn: str, name: str = "attacker") -> Session:
        """A session of a role that the account may assume."""
        keys = self.client("sts").assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
        return Session(self.sandbox, arn, keys)

    def create_person(self, *policies: str, name: str = "ana") -> Session:
        """A session of a new role with these managed policies of the stack, and nothing else."""
        return self.create_role(*(self.outputs[policy] for policy in policies), name=name)

    def create_role(self, *policies: str, name: str = "ana", **inline: str) -> Session:
        """A session of a new role with these managed policies, by ARN, and inline documents."""
        iam, role = self.client("iam"), unique_name("role")
        trust = policy_document(
            {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
        )
        arn = iam.create_role(RoleName=role, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
        for policy in policies:
            iam.attach_role_policy(RoleName=role, PolicyArn=policy)
        for policy_name, document in inline.items():
            iam.put_role_policy(RoleName=role, PolicyName=policy_name, PolicyDocument=document)
        return self.assume_role(arn, name)

    def put_policy(self, name: str, text: str) -> None:
        """Put policy/NAME.yaml, as a steward does."""
        self.steward.client("s3").put_object(
            Bucket=self.policy_bucket, Key=f"policy/{name}.yaml", Body=text.encode()
        )

    def delete_policy(self, name: str) -> None:
        """Delete policy/NAME.yaml, as a steward does."""
        self.steward.client("s3").delete_object(
            Bucket=self.policy_bucket, Key=f"policy/{name}.yaml"
        )

    @cached_property
    def steward(self) -> Session:
        """A session of StewardRole."""
        return self.assume_role(self.outputs["StewardRole"], "steward")

    def list_grants(self) -> set[tuple[str, str, str]]:
        """Role name, permission and scope of every grant of the instance."""
        pages = self.client("s3control").list_access_grants(AccountId=ACCOUNT, MaxResults=1000)
        return {
            (
                it["Grantee"]["GranteeIdentifier"].rpartition("/")[2],
                it["Permission"],
                it["GrantScope"],
            )
            for it in pages["AccessGrantsList"]
        }

    def wait_for_grant(self, session: Session, folder: str) -> None:
        """Wait until the session's role has a grant for a folder of the data bucket."""
        scope = f"s3://{self.data_bucket}/{folder}/*"
        wait_until(
            lambda: any(role == session.role and at == scope for role, _, at in self.list_grants()),
            GRANT_SECONDS,
        )


@contextmanager
def refused(*codes: str) -> Iterator[None]:
    """Expect that AWS denies a call, with one of these codes or any code of a denial."""
    with pytest.raises(ClientError) as caught:
        yield
    code = str(caught.value.response["Error"]["Code"])
    assert code in (codes or REFUSALS), caught.value


@pytest.fixture(scope="session")
def attacked(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> AttackedStack:
    """The stack with default parameters, Studio included, and the article's policy in force."""
    sandbox = start_sandbox()
    account = EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))
    account.reset()
    # As on AWS: what a bucket's policy denies, it denies to the owner of the account, too.
    call_control(sandbox, "faults", "POST", {"switches": {"root_meets_denies": True}})
    stack = account.build_stack()
    assert stack.create() == "CREATE_COMPLETE", stack.describe_failures()
    return AttackedStack(account, stack)


ARTICLE = Path(__file__).parents[2] / "policy/article.yaml"


@pytest.fixture(scope="session")
def granted(attacked: AttackedStack) -> AttackedStack:
    """The stack with the article's policy: each user has a folder and shares Product/."""
    attacked.put_policy("article", ARTICLE.read_text())
    wait_until(lambda: len(attacked.list_grants()) >= 4, GRANT_SECONDS)
    return attacked


@pytest.fixture(scope="session")
def user_a(attacked: AttackedStack) -> Session:
    return attacked.start_notebook("userA")


@pytest.fixture(scope="session")
def user_b(attacked: AttackedStack) -> Session:
    return attacked.start_notebook("userB")


@pytest.fixture(scope="session")
def full_access(attacked: AttackedStack) -> list[str]:
    """The ARNs of policies that together have the text of AmazonSageMakerFullAccess.

    The limit of a policy's size is for those that an account creates, and AWS's is longer.
    """
    document = json.loads(FULL_ACCESS.read_text())["Document"]
    create = attacked.client("iam").create_policy
    made = [
        create(
            PolicyName=f"{FULL_ACCESS_NAME}-{number}",
            PolicyDocument=json.dumps(document | {"Statement": document["Statement"][number::4]}),
        )
        for number in range(4)
    ]
    return [created["Policy"]["Arn"] for created in made]


@pytest.fixture
def full_access_user_b(
    attacked: AttackedStack, full_access: list[str], user_b: Session
) -> Iterator[Session]:
    """A session of userB while the role has AmazonSageMakerFullAccess, too."""
    iam = attacked.client("iam")
    for policy in full_access:
        iam.attach_role_policy(RoleName=user_b.role, PolicyArn=policy)
    yield user_b
    for policy in full_access:
        iam.detach_role_policy(RoleName=user_b.role, PolicyArn=policy)


@pytest.fixture(scope="session")
def sagemaker_role(attacked: AttackedStack, full_access: list[str]) -> Session:
    return attacked.create_role(*full_access, name="stranger")


@pytest.fixture(scope="session")
def steward(attacked: AttackedStack) -> Session:
    return attacked.steward


@pytest.fixture(scope="session")
def administrator(attacked: AttackedStack) -> Session:
    return attacked.create_role(name="admin", all=policy_document({"Action": "*", "Resource": "*"}))
