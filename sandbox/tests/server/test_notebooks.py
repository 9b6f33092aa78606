"""Studio as the profile's role alone: what its sessions may do, and what a running app holds."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from botocore.exceptions import ClientError

from sandbox.process import Server
from sandbox.testing.helpers import (
    call_control,
    make_role,
    policy_document,
    reset_sandbox,
    unique_name,
    wait_until,
)
from sandbox.testing.running import ACCOUNT, Sandbox
from tests.conftest import ROOT

SAGEMAKER = "sagemaker.amazonaws.com"
PLACE = f"arn:aws:sagemaker:us-east-1:{ACCOUNT}"
OWN = {
    "ArnLike": {
        "sagemaker:OwnerUserProfileArn": (
            f"{PLACE}:user-profile/${{sagemaker:DomainId}}/${{sagemaker:UserProfileName}}"
        )
    },
    "StringEquals": {"sagemaker:SpaceSharingType": "Private"},
}
# SageMaker guide, "Give your users access to spaces", for private spaces
SPACES = {
    "Action": ["sagemaker:CreateSpace", "sagemaker:UpdateSpace", "sagemaker:DeleteSpace"],
    "Resource": f"{PLACE}:space/${{sagemaker:DomainId}}/*",
    "Condition": OWN,
}
APPS = {
    "Action": ["sagemaker:CreateApp", "sagemaker:DeleteApp"],
    "Resource": f"{PLACE}:app/${{sagemaker:DomainId}}/*",
    "Condition": OWN,
}
TAGS = {
    "Action": "sagemaker:AddTags",
    "Resource": f"{PLACE}:*/*",
    "Condition": {"Null": {"sagemaker:TaggingAction": "false"}},
}
LOOK = {"Action": ["sagemaker:Describe*", "sagemaker:List*"], "Resource": "*"}
GUIDE = (SPACES, APPS, TAGS, LOOK)


@dataclass
class StudioUsers:
    """A domain with userA and userB, each with a role of its own that has the same policy."""

    sandbox: Sandbox
    domain: str

    def open_studio(self, profile: str) -> Any:
        """A client of whoever has opened Studio as a profile by a presigned URL."""
        url = self.sandbox.client("sagemaker").create_presigned_domain_url(
            DomainId=self.domain, UserProfileName=profile
        )["AuthorizedUrl"]
        keys = call_control(self.sandbox, f"notebook?url={quote(url, safe='')}")
        return self.sandbox.client("sagemaker", keys)

    def space(self, name: str, owner: str) -> dict[str, Any]:
        """A request for a private space."""
        return {
            "DomainId": self.domain,
            "SpaceName": name,
            "OwnershipSettings": {"OwnerUserProfileName": owner},
            "SpaceSharingSettings": {"SharingType": "Private"},
            "SpaceSettings": {"AppType": "JupyterLab"},
        }

    def app(self, space: str) -> dict[str, str]:
        return {
            "DomainId": self.domain,
            "SpaceName": space,
            "AppType": "JupyterLab",
            "AppName": "default",
        }

    def run_app(self, client: Any, space: str, owner: str) -> None:
        """Create a space and its app, and wait until the app runs."""
        client.create_space(**self.space(space, owner))
        self.wait_for_space(space)
        client.create_app(**self.app(space))
        self.wait_for_app(space, "InService")

    def wait_for_space(self, name: str) -> None:
        """Wait until the space is in service."""
        client, named = self.sandbox.client("sagemaker"), {"SpaceName": name}
        wait_until(
            lambda: client.describe_space(DomainId=self.domain, **named)["Status"] == "InService"
        )

    def wait_for_app(self, space: str, status: str) -> None:
        client = self.sandbox.client("sagemaker")
        wait_until(lambda: client.describe_app(**self.app(space))["Status"] == status)


@pytest.fixture(scope="module")
def sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


def make_users(sandbox: Sandbox, *policy: dict[str, Any]) -> StudioUsers:
    client, iam = sandbox.client("sagemaker"), sandbox.client("iam")
    at_once = dict.fromkeys(("Domain", "UserProfile", "Space", "App"), 0)
    call_control(sandbox, "settle", "POST", at_once)
    nobody = make_role(sandbox, SAGEMAKER)
    domain = client.create_domain(
        DomainName=unique_name("domain"),
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": nobody},
    )["DomainId"]
    for name in ("userA", "userB"):
        role = make_role(sandbox, SAGEMAKER)
        if policy:
            iam.put_role_policy(
                RoleName=role.rpartition("/")[2],
                PolicyName="studio",
                PolicyDocument=policy_document(*policy),
            )
        named = {"DomainId": domain, "UserProfileName": name}
        client.create_user_profile(**named, UserSettings={"ExecutionRole": role})
        wait_until(
            lambda named=named: client.describe_user_profile(**named)["Status"] == "InService"
        )
    return StudioUsers(sandbox, domain)


@pytest.fixture
def users(sandbox: Sandbox) -> Iterator[StudioUsers]:
    """Both users, with the guide's policy."""
    yield make_users(sandbox, *GUIDE)
    reset_sandbox(sandbox)


def refused(action: str) -> Any:
    return pytest.raises(ClientError, match=f"is not authorized to perform: {action} on resource")


@pytest.mark.parametrize(
    ("policy", "lacking"),
    [
        ((), "sagemaker:ListSpaces"),
        ((LOOK,), "sagemaker:CreateSpace"),
        ((LOOK, SPACES), "sagemaker:AddTags"),
        ((LOOK, SPACES, TAGS), "sagemaker:CreateApp"),
    ],
    ids=["no right", "only looking", "no tags", "no apps"],
)
def test_in_studio_everything_is_done_with_the_rights_of_the_profiles_role(
    sandbox: Sandbox, policy: tuple[dict[str, Any], ...], lacking: str
):
    users = make_users(sandbox, *policy)
    studio = users.open_studio("userA")

    with refused(lacking):
        studio.list_spaces(DomainIdEquals=users.domain)
        users.run_app(studio, "desk", "userA")


@pytest.mark.parametrize("spelling", ["given", "lower"])
def test_the_guides_policy_opens_a_profiles_own_space_and_no_other(
    users: StudioUsers, spelling: str
):
    switch = {"profile_names_in_policies": spelling}
    call_control(users.sandbox, "faults", "POST", {"switches": switch})
    hers, his = users.open_studio("userA"), users.open_studio("userB")

    users.run_app(hers, "desk", "userA")
    with refused("sagemaker:CreateSpace"):
        his.create_space(**users.space("trap", "userA"))
    with refused("sagemaker:CreateApp"):
        his.create_app(**users.app("desk"))
    with refused("sagemaker:DeleteApp"):
        his.delete_app(**users.app("desk"))
    with refused("sagemaker:UpdateSpace"):
        his.update_space(DomainId=users.domain, SpaceName="desk", SpaceDisplayName="mine")


def test_a_shared_space_and_a_space_of_another_domain_are_not_private_spaces_of_the_own(
    users: StudioUsers,
):
    other = make_users(users.sandbox, *GUIDE)
    hers, shared = users.open_studio("userA"), {"SpaceSharingSettings": {"SharingType": "Shared"}}

    with refused("sagemaker:CreateSpace"):
        hers.create_space(**users.space("desk", "userA") | shared)
    with refused("sagemaker:CreateSpace"):
        hers.create_space(**other.space("desk", "userA"))


def test_studio_tags_what_is_created_in_it(users: StudioUsers):
    users.run_app(users.open_studio("userA"), "desk", "userA")
    root = users.sandbox.client("sagemaker")
    arn = root.describe_space(DomainId=users.domain, SpaceName="desk")["SpaceArn"]

    assert {tag["Key"]: tag["Value"] for tag in root.list_tags(ResourceArn=arn)["Tags"]} == {
        "sagemaker:domain-arn": f"{PLACE}:domain/{users.domain}",
        "sagemaker:user-profile-arn": f"{PLACE}:user-profile/{users.domain}/usera",
    }


def test_a_presigned_url_lets_in_once(users: StudioUsers):
    root = users.sandbox.client("sagemaker")
    named = {"DomainId": users.domain, "UserProfileName": "userA"}
    url = quote(root.create_presigned_domain_url(**named)["AuthorizedUrl"], safe="")
    other = quote(root.create_presigned_domain_url(**named)["AuthorizedUrl"], safe="")

    assert call_control(users.sandbox, f"notebook?url={url}")["AccessKeyId"]
    for unusable in (url, other.replace("token%3D", "token%3Dx")):
        answer = call_control(users.sandbox, f"notebook?url={unusable}")
        assert answer["error"].startswith("The URL was used, has expired, or was never made")
    with pytest.raises(ClientError, match="must lie between 5 and 300"):
        root.create_presigned_domain_url(**named, ExpiresInSeconds=301)
    with pytest.raises(ClientError, match="ResourceNotFound"):
        root.create_presigned_domain_url(DomainId=users.domain, UserProfileName="nobody")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        root.create_presigned_domain_url(**named, SpaceName="nowhere")


def test_an_app_of_jupyterlab_runs_in_a_space_that_is_in_service(users: StudioUsers):
    call_control(users.sandbox, "settle", "POST", {"Space": 60})
    root = users.sandbox.client("sagemaker")
    root.create_space(**users.space("desk", "userA"))

    with pytest.raises(ClientError, match=r"ResourceInUse.* is Pending"):
        root.create_app(**users.app("desk"))
    with pytest.raises(ClientError, match="An app of type JupyterLab runs in a space"):
        root.create_app(
            DomainId=users.domain,
            UserProfileName="userA",
            AppType="JupyterLab",
            AppName="default",
        )


def test_a_space_is_updated_and_shows_its_settings_in_a_list(users: StudioUsers):
    root, named = users.sandbox.client("sagemaker"), {"DomainId": users.domain, "SpaceName": "desk"}
    root.create_space(**users.space("desk", "userA"))
    users.wait_for_space("desk")
    root.update_space(
        **named, SpaceDisplayName="My desk", SpaceSettings={"RemoteAccess": "DISABLED"}
    )
    users.wait_for_space("desk")

    found = root.describe_space(**named)
    (listed,) = root.list_spaces(DomainIdEquals=users.domain)["Spaces"]
    settings = {"AppType": "JupyterLab", "RemoteAccess": "DISABLED"}
    assert (found["SpaceDisplayName"], found["SpaceSettings"]) == ("My desk", settings)
    assert listed["OwnershipSettingsSummary"] == {"OwnerUserProfileName": "userA"}
    assert listed["SpaceSharingSettingsSummary"] == {"SharingType": "Private"}
    assert listed["SpaceSettingsSummary"] == settings


LOOK_AROUND = """
import json, os, boto3
keys = boto3.Session().get_credentials()
who = boto3.client("sts").get_caller_identity()["Arn"]
print(json.dumps([sorted(os.environ), keys.method, who]))
"""


def run_notebook(users: StudioUsers, text: str) -> Any:
    """What a program prints as JSON that runs in the space's app."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sandbox", "notebook", "--port", str(users.sandbox.port)),
            *("--domain", users.domain, "--space", "desk", sys.executable, "-c", text),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_process_in_a_running_app_has_its_owners_session_and_nothing_else(users: StudioUsers):
    hers = users.open_studio("userA")
    users.run_app(hers, "desk", "userA")
    role = hers.describe_user_profile(DomainId=users.domain, UserProfileName="userA")
    variables, method, who = run_notebook(users, LOOK_AROUND)

    assert method == "container-role"
    name = role["UserSettings"]["ExecutionRole"].rpartition("/")[2]
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/SageMaker"
    assert not {v for v in variables if "SECRET" in v or "ACCESS_KEY" in v or "SANDBOX" in v}
    home = Path(Server(users.sandbox.port).app_variables(users.domain, "desk")["HOME"])
    assert list(home.iterdir()) == []


def test_the_session_of_an_app_ends_with_the_app(users: StudioUsers):
    hers = users.open_studio("userA")
    users.run_app(hers, "desk", "userA")
    keys = "keys = boto3.Session().get_credentials().get_frozen_credentials()"
    held = run_notebook(users, f"import boto3, json; {keys}; print(json.dumps(keys))")
    hers.delete_app(**users.app("desk"))

    session = dict(zip(("AccessKeyId", "SecretAccessKey", "SessionToken"), held, strict=False))
    with pytest.raises(ClientError, match="ExpiredToken"):
        users.sandbox.client("sts", session).get_caller_identity()
    answer = call_control(users.sandbox, f"notebook?domain={users.domain}&space=desk")
    assert answer == {"error": f"no app is InService in space desk of {users.domain}"}
