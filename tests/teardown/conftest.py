"""A sandbox for each worker, reset before each test, and a stack that has been used."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.teardown.empty_account import DeployedStack, EmptyAccount, package_stack, wait_until


@pytest.fixture(scope="session")
def worker_account(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> EmptyAccount:
    sandbox = start_sandbox()
    return EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))


@pytest.fixture
def account(worker_account: EmptyAccount) -> EmptyAccount:
    worker_account.reset()
    return worker_account


@dataclass
class UsedStack:
    """A stack with the article's grants, versioned data, an unfinished upload, and an app in
    Studio.
    """

    account: EmptyAccount
    stack: DeployedStack
    resources_before: set[str]
    data: str
    domain: str

    def __post_init__(self) -> None:
        self.put_article_policy()
        self.put_data()
        self.create_app_and_profile()

    def put_article_policy(self) -> None:
        policies = self.stack.read_outputs()["PolicyBucket"]
        self.account.client("s3").put_object(
            Bucket=policies,
            Key="policy/article.yaml",
            Body=(ROOT / "policy/article.yaml").read_bytes(),
        )
        wait_until(lambda: len(list_grants(self.account)) == 4)

    def put_data(self) -> None:
        s3 = self.account.client("s3")
        for key in ("UserA/x.csv", "UserA/x.csv", "UserB/y.csv"):
            s3.put_object(Bucket=self.data, Key=key, Body=b"1,2")
        s3.put_object(Bucket=self.data, Key="UserA/\x10 \r//", Body=b"1,2")  # no batch can name it
        s3.delete_object(Bucket=self.data, Key="UserB/y.csv")
        s3.create_multipart_upload(Bucket=self.data, Key="UserA/large.csv")

    def create_app_and_profile(self) -> None:
        """Create a space of userA with an app, and a profile outside the stack."""
        studio, domain = self.account.client("sagemaker"), {"DomainId": self.domain}
        studio.create_user_profile(**domain, UserProfileName="guest")
        studio.create_space(
            **domain, SpaceName="space", OwnershipSettings={"OwnerUserProfileName": "userA"}
        )
        space = domain | {"SpaceName": "space"}
        wait_until(lambda: studio.describe_space(**space)["Status"] == "InService")
        app = domain | {"SpaceName": "space", "AppType": "JupyterLab", "AppName": "default"}
        studio.create_app(**app)
        wait_until(lambda: studio.describe_app(**app)["Status"] == "InService")


def list_grants(account: EmptyAccount) -> list[dict[str, Any]]:
    return list(
        account.client("s3control").list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]
    )


@pytest.fixture
def used_stack(account: EmptyAccount) -> UsedStack:
    before, stack = account.list_resources(), account.build_stack()
    assert stack.create() == "CREATE_COMPLETE", stack.describe_failures()
    return UsedStack(
        account, stack, before, stack.read_outputs()["DataBucket"], stack.find_physical_id("Domain")
    )


TRUST = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}


def build_trust_policy(service: str) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [TRUST | {"Principal": {"Service": service}}]}
    )
