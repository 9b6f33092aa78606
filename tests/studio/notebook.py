"""The article's stack as it ships, and notebooks in the spaces of its two users.

An administrator makes presigned URLs. Whatever follows is done with what the URL opens: a session
of the profile's execution role creates a JupyterLab space and its app, and programs run in the app
with what its processes have on AWS.
"""

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.process import Server
from sandbox.testing.helpers import call_control, wait_until
from tests.conftest import ACCOUNT, ROOT, Sandbox
from tests.teardown.empty_account import DeployedStack, EmptyAccount, package_stack

ROLES = {"userA": "grantor-usera-role", "userB": "grantor-userb-role"}
GRANT_SECONDS = 30


@dataclass(frozen=True)
class Article:
    """The deployed stack with the article's grants, and the domain of its profiles."""

    account: EmptyAccount
    stack: DeployedStack
    outputs: dict[str, str]
    domain: str

    def client(self, service: str) -> Any:
        """A client of the owner of the account."""
        return self.account.client(service)

    def open_studio(self, profile: str) -> Any:
        """A client of whoever opens Studio as a profile, by a presigned URL."""
        url = self.client("sagemaker").create_presigned_domain_url(
            DomainId=self.domain, UserProfileName=profile
        )["AuthorizedUrl"]
        keys = call_control(self.account.sandbox, f"notebook?url={quote(url, safe='')}")
        return self.account.sandbox.client("sagemaker", keys)

    def open_notebook(self, profile: str) -> "Notebook":
        """A running notebook of a profile."""
        notebook = Notebook(self, profile, self.open_studio(profile))
        notebook.start()
        return notebook

    def describe_jobs(self) -> str:
        """What the jobs have printed, for whoever looks for what went wrong."""
        logs = self.client("logs")
        found = logs.filter_log_events(logGroupName="/aws/sagemaker/ProcessingJobs")
        return "\n".join(event["message"] for event in found["events"][-60:])


@dataclass(frozen=True)
class Notebook:
    """A JupyterLab app in a private space of a profile."""

    article: Article
    profile: str
    studio: Any  # a client of the session that created it

    @property
    def place(self) -> dict[str, str]:
        return {"DomainId": self.article.domain, "SpaceName": f"{self.profile}-desk"}

    @property
    def app(self) -> dict[str, str]:
        return self.place | {"AppType": "JupyterLab", "AppName": "default"}

    @property
    def variables(self) -> dict[str, str]:
        """The whole environment of a process in the app, with an empty PATH's place."""
        server = Server(self.article.account.sandbox.port)
        found = server.app_variables(self.article.domain, self.place["SpaceName"])
        return found | {"PATH": "/usr/bin:/bin"}

    def start(self) -> None:
        """Create the space and its app, as Studio does for its owner."""
        self.studio.create_space(
            **self.place,
            OwnershipSettings={"OwnerUserProfileName": self.profile},
            SpaceSharingSettings={"SharingType": "Private"},
            SpaceSettings={"AppType": "JupyterLab"},
        )
        wait_until(lambda: self.studio.describe_space(**self.place)["Status"] == "InService")
        self.studio.create_app(**self.app, ResourceSpec={"InstanceType": "ml.t3.medium"})
        wait_until(lambda: self.studio.describe_app(**self.app)["Status"] == "InService")

    def run(self, *program: str | Path, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a program in the app: the app's environment and these settings are all it has."""
        variables = self.variables
        return subprocess.run(
            program,
            env=variables | settings,
            cwd=variables["HOME"],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )


@pytest.fixture(scope="module")
def article(
    start_sandbox: Callable[..., Sandbox], tmp_path_factory: pytest.TempPathFactory
) -> Article:
    """The stack in a sandbox of its own; a steward has uploaded the article's policy."""
    sandbox = start_sandbox()
    account = EmptyAccount(sandbox, package_stack(sandbox, tmp_path_factory.mktemp("package")))
    account.reset()
    stack = account.build_stack()
    assert stack.create() == "CREATE_COMPLETE", stack.describe_failures()
    outputs = stack.read_outputs()
    keys = account.client("sts").assume_role(
        RoleArn=outputs["StewardRole"], RoleSessionName="steward"
    )["Credentials"]
    sandbox.client("s3", keys).put_object(
        Bucket=outputs["PolicyBucket"],
        Key="policy/article.yaml",
        Body=(ROOT / "policy/article.yaml").read_bytes(),
    )
    control = account.client("s3control")
    wait_until(
        lambda: len(control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"]) == 4,
        GRANT_SECONDS,
    )
    return Article(account, stack, outputs, stack.find_physical_id("Domain"))
