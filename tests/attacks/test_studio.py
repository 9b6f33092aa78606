"""Studio acts as a profile's execution role: it opens the own spaces, and nobody's else."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from sandbox.process import Server
from sandbox.testing.helpers import call_control, unique_name, wait_until
from tests.attacks.conftest import AttackedStack, Session, refused
from tests.conftest import ACCOUNT

# What a program in a notebook sees: its variables, its credentials, what it may and may not read.
CELL = """
import json, os, sys, boto3, botocore.exceptions
bucket, own, other = sys.argv[1:]
keys, session = boto3.Session().get_credentials(), boto3.Session()
seen = {"variables": sorted(os.environ), "from": keys.method}
seen["who"] = session.client("sts").get_caller_identity()["Arn"]
control = session.client("s3control")
def vend(folder):
    target = f"s3://{bucket}/{folder}/*"
    return control.get_data_access(
        AccountId=seen["who"].split(":")[4], Target=target, Permission="READ")["Credentials"]
vended = vend(own)
s3 = boto3.Session(vended["AccessKeyId"], vended["SecretAccessKey"], vended["SessionToken"]).client("s3")
seen["rows"] = len(s3.get_object(Bucket=bucket, Key=f"{own}/abalone.csv")["Body"].read().splitlines())
for name, call in (("vend", lambda: vend(other)),
                   ("read", lambda: session.client("s3").get_object(Bucket=bucket, Key=f"{own}/abalone.csv"))):
    try:
        call()
    except botocore.exceptions.ClientError as error:
        seen[name] = error.response["Error"]["Code"]
print(json.dumps(seen))
"""


@dataclass(frozen=True)
class Desk:
    """A private space of a profile with a running app, in the stack's domain."""

    stack: AttackedStack
    owner: str
    name: str

    @property
    def app(self) -> dict[str, str]:
        place = {"DomainId": self.stack.domain, "SpaceName": self.name}
        return place | {"AppType": "JupyterLab", "AppName": "default"}

    def run(self, program: str, *arguments: str) -> dict[str, Any]:
        """What the program prints as JSON that runs in the app."""
        server = Server(self.stack.sandbox.port)
        variables = call_control(
            self.stack.sandbox, f"notebook?domain={self.stack.domain}&space={self.name}"
        )
        done = subprocess.run(
            [sys.executable, "-I", "-c", program, *arguments],
            env=variables | {"HOME": str(server.folder)},
            cwd=Path("/"),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(json.loads(done.stdout))


def describe_space(stack: AttackedStack, name: str, owner: str) -> dict[str, Any]:
    return {
        "DomainId": stack.domain,
        "SpaceName": name,
        "OwnershipSettings": {"OwnerUserProfileName": owner},
        "SpaceSharingSettings": {"SharingType": "Private"},
    }


def open_desk(stack: AttackedStack, session: Session, owner: str) -> Desk:
    """Create a space and its app with the session of its owner, as Studio does."""
    desk, studio = Desk(stack, owner, unique_name("desk")), session.client("sagemaker")
    place = {"DomainId": stack.domain, "SpaceName": desk.name}
    studio.create_space(**describe_space(stack, desk.name, owner))
    wait_until(lambda: studio.describe_space(**place)["Status"] == "InService")
    studio.create_app(**desk.app)
    wait_until(lambda: studio.describe_app(**desk.app)["Status"] == "InService")
    return desk


@pytest.fixture(scope="module")
def desk_of_a(granted: AttackedStack, user_a: Session) -> Desk:
    return open_desk(granted, user_a, "userA")


def test_a_notebook_holds_its_owners_role_and_reaches_what_the_owner_was_granted(
    granted, user_b, desk_of_a
):
    granted.wait_for_grant(user_b, "UserB")
    desks = {"UserA": desk_of_a, "UserB": open_desk(granted, user_b, "userB")}

    for own, other in (("UserA", "UserB"), ("UserB", "UserA")):
        seen = desks[own].run(CELL, granted.data_bucket, own, other)
        role = f"grantor-{own.lower()}-role"
        assert seen["who"] == f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/SageMaker"
        assert (seen["from"], seen["rows"] > 0) == ("container-role", True)
        assert (seen["vend"], seen["read"]) == ("AccessDenied", "AccessDenied")
        assert [v for v in seen["variables"] if "KEY" in v or "SANDBOX" in v] == []


@pytest.mark.parametrize("attacker", ["user_b", "full_access_user_b"])
def test_a_scientist_works_in_no_space_of_anothers(attacked, desk_of_a, attacker, request):
    studio = request.getfixturevalue(attacker).client("sagemaker")
    place = {"DomainId": attacked.domain, "SpaceName": desk_of_a.name}

    with refused():
        studio.create_app(**place, AppType="CodeEditor", AppName="default")
    with refused():
        studio.delete_app(**desk_of_a.app)
    with refused():
        studio.update_space(**place, SpaceDisplayName="mine")
    with refused():
        studio.delete_space(**place)


@pytest.mark.parametrize("attacker", ["user_b", "full_access_user_b"])
def test_a_scientist_makes_no_space_whose_apps_run_as_another(attacked, attacker, request):
    studio = request.getfixturevalue(attacker).client("sagemaker")

    with refused():
        studio.create_space(**describe_space(attacked, "trap", "userA"))


@pytest.mark.parametrize("attacker", ["user_b", "full_access_user_b"])
def test_a_scientist_opens_studio_as_nobody_else(attacked, attacker, request):
    session = request.getfixturevalue(attacker)
    studio, domain = session.client("sagemaker"), {"DomainId": attacked.domain}

    with refused():
        studio.create_presigned_domain_url(**domain, UserProfileName="userA")
    own = studio.create_presigned_domain_url(**domain, UserProfileName="userB")["AuthorizedUrl"]
    keys = call_control(attacked.sandbox, f"notebook?url={quote(own, safe='')}")
    who = attacked.sandbox.client("sts", keys).get_caller_identity()["Arn"]
    assert who == f"arn:aws:sts::{ACCOUNT}:assumed-role/{session.role}/SageMaker"


def test_a_job_of_a_scientist_opens_no_studio(attacked, full_access):
    """A session without the keys of Studio, as jobs have it."""
    own = (attacked.outputs[name] for name in ("Scientist", "Notebook"))
    job = attacked.create_role(*full_access, *own)
    studio, domain = job.client("sagemaker"), {"DomainId": attacked.domain}

    for profile in ("userA", "userB", "none"):
        with refused():
            studio.create_presigned_domain_url(**domain, UserProfileName=profile)
    with refused():
        studio.create_space(**describe_space(attacked, "trap", "userA"))


def test_a_notebook_passes_no_role_but_its_own_and_starts_no_endless_job(attacked, user_a, user_b):
    studio = user_b.client("sagemaker")
    job = {
        "ProcessingJobName": unique_name("spark-preprocess-job"),
        "RoleArn": user_b.arn,
        "AppSpecification": {"ImageUri": "image", "ContainerEntrypoint": ["true"]},
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 1,
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
    }
    dear = {"InstanceCount": 1, "InstanceType": "ml.p5.48xlarge", "VolumeSizeInGB": 1}

    for change in (
        {"RoleArn": user_a.arn},
        {"ProcessingJobName": unique_name("grantor-abalone")},
        {"ProcessingJobName": unique_name("mine")},
        {"StoppingCondition": {"MaxRuntimeInSeconds": 432000}},
        {"ProcessingResources": {"ClusterConfig": dear}},
    ):
        with refused():
            studio.create_processing_job(**job | change)
    studio.create_processing_job(**job)
    assert studio.describe_processing_job(ProcessingJobName=job["ProcessingJobName"])
