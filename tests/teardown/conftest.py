"""A server of this worker's own, emptied before each test, and a stack that people have worked with."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.teardown.stage import Stack, Stage, package, until


@pytest.fixture(scope="session")
def own_stage(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Stage:
    sandbox = start_sandbox()
    return Stage(sandbox, package(sandbox, tmp_path_factory.mktemp("package")))


@pytest.fixture
def stage(own_stage: Stage) -> Stage:
    own_stage.clear()
    return own_stage


@dataclass
class Lived:
    """A stack with the article's grants, data in versions, an unfinished upload, and people at work in its domain."""

    stage: Stage
    stack: Stack
    before: set[str]
    data: str
    domain: str

    def __post_init__(self) -> None:
        self.drop_policy()
        self.leave_data()
        self.come_to_work()

    def drop_policy(self) -> None:
        policies = self.stack.outputs()["PolicyBucket"]
        self.stage.client("s3").put_object(
            Bucket=policies,
            Key="policy/article.yaml",
            Body=(ROOT / "policy/article.yaml").read_bytes(),
        )
        until(lambda: len(grants(self.stage)) == 4)

    def leave_data(self) -> None:
        s3 = self.stage.client("s3")
        for key in ("UserA/x.csv", "UserA/x.csv", "UserB/y.csv"):
            s3.put_object(Bucket=self.data, Key=key, Body=b"1,2")
        s3.delete_object(Bucket=self.data, Key="UserB/y.csv")
        s3.create_multipart_upload(Bucket=self.data, Key="UserA/large.csv")

    def come_to_work(self) -> None:
        """A space of userA's with an app, and a profile that the stack did not make."""
        studio, domain = self.stage.client("sagemaker"), {"DomainId": self.domain}
        studio.create_user_profile(**domain, UserProfileName="guest")
        studio.create_space(
            **domain, SpaceName="desk", OwnershipSettings={"OwnerUserProfileName": "userA"}
        )
        app = domain | {"SpaceName": "desk", "AppType": "JupyterLab", "AppName": "default"}
        studio.create_app(**app)
        until(lambda: studio.describe_app(**app)["Status"] == "InService")


def grants(stage: Stage) -> list[dict[str, Any]]:
    return list(stage.client("s3control").list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"])


@pytest.fixture
def lived(stage: Stage) -> Lived:
    before, stack = stage.things(), stage.stack()
    assert stack.create() == "CREATE_COMPLETE", stack.why()
    return Lived(stage, stack, before, stack.outputs()["DataBucket"], stack.physical("Domain"))


TRUST = {"Effect": "Allow", "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"]}


def trusting(service: str) -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [TRUST | {"Principal": {"Service": service}}]}
    )
