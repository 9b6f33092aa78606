"""What the bucket policies and `Scientist` deny, by a second implementation of IAM: iam-simulate.

It knows from AWS's own data which condition keys a call has, and ignores others. Each caller has
Allow * on *, so that only a Deny decides.
"""

import json
from dataclasses import dataclass
from typing import Any

import pytest

from iam_audit.judge import ask_simulator
from tests.attacks.conftest import AttackedStack
from tests.conftest import ACCOUNT, REGION

ALLOW_ALL = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}],
}
OURS = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default"
ANOTHERS = f"arn:aws:s3:{REGION}:111122223333:access-grants/default"
ALLOWED, DENIED = "Allowed", "ExplicitlyDenied"


@dataclass(frozen=True)
class Call:
    """A call of a role for an object of one of the stack's buckets."""

    role: str  # a logical id of the stack, or a name
    action: str
    bucket: str
    key: str
    keys: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        keys = " ".join(f"{name.partition(':')[2]}={value}" for name, value in self.keys)
        return f"{self.role} {self.action} {self.bucket}/{self.key} {keys}".strip()


def tagged(name: str) -> tuple[tuple[str, str], ...]:
    return (("aws:PrincipalTag/grantor:role", name),)


VENDED = (("s3:AccessGrantsInstanceArn", OURS),)
DATA, POLICY, OPERATIONS = "DataBucket", "PolicyBucket", "OperationsBucket"
CALLS = {
    Call("anybody", "s3:GetObject", DATA, "UserA/a.csv"): DENIED,
    Call("anybody", "s3:PutObject", DATA, "UserA/a.csv"): DENIED,
    Call("anybody", "s3:DeleteObjectVersion", DATA, "UserA/a.csv"): DENIED,
    Call("anybody", "s3:PutObjectAcl", DATA, "UserA/a.csv"): DENIED,
    Call("anybody", "s3:RestoreObject", DATA, "UserA/a.csv"): DENIED,
    Call("LocationRole", "s3:GetObject", DATA, "UserA/a.csv"): DENIED,
    Call("LocationRole", "s3:GetObject", DATA, "UserA/a.csv", VENDED): ALLOWED,
    Call("LocationRole", "s3:PutObject", DATA, "UserA/a.csv", VENDED): ALLOWED,
    Call("LocationRole", "s3:DeleteObject", DATA, "UserA/a.csv", VENDED): ALLOWED,
    Call("LocationRole", "s3:AbortMultipartUpload", DATA, "UserA/a.csv", VENDED): ALLOWED,
    Call("LocationRole", "s3:ListMultipartUploadParts", DATA, "UserA/a.csv", VENDED): ALLOWED,
    Call("anybody", "s3:GetObject", DATA, "a", (("s3:AccessGrantsInstanceArn", ANOTHERS),)): DENIED,
    Call("LoadDatasetRole", "s3:PutObject", DATA, "UserA/abalone.csv"): ALLOWED,
    Call("CleanUpRole", "s3:DeleteObjectVersion", DATA, "UserA/a.csv"): ALLOWED,
    Call("StewardRole", "s3:PutObject", POLICY, "policy/a.yaml"): ALLOWED,
    Call("StewardRole", "s3:PutObject", POLICY, "bounds/bounds.yaml"): DENIED,
    Call("CleanUpRole", "s3:DeleteObjectVersion", POLICY, "bounds/bounds.yaml"): ALLOWED,
    Call("anybody", "s3:PutObject", POLICY, "policy/a.yaml"): DENIED,
    Call("anybody", "s3:DeleteObjectVersion", POLICY, "policy/a.yaml"): DENIED,
    Call("anybody", "s3:PutObjectTagging", POLICY, "policy/a.yaml"): DENIED,
    Call("anybody", "s3:PutObject", POLICY, "bounds/bounds.yaml"): DENIED,
    Call("anybody", "s3:PutObject", POLICY, "elsewhere"): DENIED,
    Call("anybody", "s3:GetObject", POLICY, "policy/a.yaml"): ALLOWED,
    Call("ReconcileGrantsRole", "s3:PutObject", POLICY, "policy/a.yaml"): DENIED,
    Call("StartSparkJobRole", "s3:PutObject", OPERATIONS, "code/0/a.zip"): ALLOWED,
    Call("StartSparkJobRole", "s3:GetObject", OPERATIONS, "runs/a/b/summary.json"): ALLOWED,
    Call("StartSparkJobRole", "s3:PutObject", OPERATIONS, "runs/a/b/summary.json"): DENIED,
    Call("anybody", "s3:PutObject", OPERATIONS, "code/0/a.zip"): DENIED,
    Call("anybody", "s3:GetObject", OPERATIONS, "code/0/a.zip"): ALLOWED,
    Call("anybody", "s3:PutObject", OPERATIONS, "runs/a/b/summary.json"): DENIED,
    Call("anybody", "s3:GetObject", OPERATIONS, "runs/a/b/summary.json"): DENIED,
    Call("a", "s3:PutObject", OPERATIONS, "runs/a/b/summary.json", tagged("a")): ALLOWED,
    Call("a", "s3:GetObject", OPERATIONS, "runs/a/b/summary.json", tagged("a")): ALLOWED,
    Call("b", "s3:PutObject", OPERATIONS, "runs/a/b/summary.json", tagged("b")): DENIED,
    Call("b", "s3:GetObject", OPERATIONS, "runs/a/b/summary.json", tagged("b")): DENIED,
    Call("a", "s3:PutObject", OPERATIONS, "trail/AWSLogs/a", tagged("a")): DENIED,
    Call("a", "s3:GetObject", OPERATIONS, "trail/AWSLogs/a", tagged("a")): DENIED,
    Call("CleanUpRole", "s3:DeleteObject", OPERATIONS, "trail/AWSLogs/a"): ALLOWED,
}


@pytest.fixture(scope="module")
def verdicts(attacked: AttackedStack) -> dict[Call, str]:
    """What the simulator says to each call, with the policies that are deployed."""
    s3 = attacked.client("s3")
    policies = {
        bucket: json.loads(s3.get_bucket_policy(Bucket=attacked.outputs[bucket])["Policy"])
        for bucket in (DATA, POLICY, OPERATIONS)
    }
    requests = [build_request(attacked, it, policies[it.bucket]) for it in CALLS]
    return dict(zip(CALLS, judge(requests, {"all": ALLOW_ALL}), strict=True))


def judge(requests: list[dict[str, Any]], policies: dict[str, Any]) -> list[str]:
    question = {
        "account": ACCOUNT,
        "documents": {"caller": policies},
        "requests": requests,
        "pairs": [],
    }
    return [f"{it['verdict']}{it['why']}" for it in ask_simulator(question)["verdicts"]]


def build_request(attacked: AttackedStack, call: Call, policy: dict[str, Any]) -> dict[str, Any]:
    role = attacked.stack.find_physical_id(call.role) if call.role.endswith("Role") else call.role
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    keys = {
        "aws:PrincipalArn": arn,
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": "false",
    }
    return {
        "principal": arn,
        "action": call.action,
        "resource": f"arn:aws:s3:::{attacked.outputs[call.bucket]}/{call.key}",
        "keys": keys | dict(call.keys),
        "policies": "caller",
        "limits": [],
        "resourcePolicy": policy,
    }


@pytest.mark.parametrize("call", CALLS, ids=str)
def test_a_bucket_admits_and_refuses_by_both_judges(verdicts, call):
    assert verdicts[call] == CALLS[call]


SAGEMAKER = f"arn:aws:sagemaker:{REGION}:{ACCOUNT}"
SCIENTIST = {
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/mine"): ALLOWED,
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/service-role/mine"): ALLOWED,
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/mine2"): DENIED,
    ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/anothers"): DENIED,
    ("sagemaker:CreatePresignedDomainUrl", f"{SAGEMAKER}:user-profile/d-1/userA"): DENIED,
    ("sagemaker:CreatePresignedNotebookInstanceUrl", f"{SAGEMAKER}:notebook-instance/a"): DENIED,
    ("sagemaker:UpdateUserProfile", f"{SAGEMAKER}:user-profile/d-1/userA"): DENIED,
    ("sagemaker:AddTags", f"{SAGEMAKER}:user-profile/d-1/userA"): DENIED,
    ("sagemaker:AddTags", f"{SAGEMAKER}:space/d-1/mine"): ALLOWED,
    ("sagemaker:CreateProcessingJob", f"{SAGEMAKER}:processing-job/grantor-abalone-1"): DENIED,
    ("sagemaker:CreateProcessingJob", f"{SAGEMAKER}:processing-job/mine"): ALLOWED,
    ("sagemaker:StopProcessingJob", f"{SAGEMAKER}:processing-job/grantor-abalone-1"): DENIED,
    ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:grantor-DLQ"): DENIED,
    ("cloudwatch:DeleteAlarms", f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:mine"): ALLOWED,
    ("s3:GetDataAccess", f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default"): ALLOWED,
    ("s3:GetObject", "arn:aws:s3:::sagemaker-us-east-1-000000000000/mine"): ALLOWED,
}


@pytest.fixture(scope="module")
def scientist_verdicts(attacked: AttackedStack) -> dict[tuple[str, str], str]:
    iam, arn = attacked.client("iam"), attacked.outputs["Scientist"]
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]
    document = json.loads(found) if isinstance(found, str) else found
    me = f"arn:aws:iam::{ACCOUNT}:role/mine"
    keys = {
        "aws:PrincipalArn": me,
        "aws:SecureTransport": "true",
        "aws:PrincipalTag/grantor:role": "mine",
    }
    requests = [
        {
            "principal": me,
            "action": action,
            "resource": resource,
            "keys": keys,
            "policies": "caller",
            "limits": [],
        }
        for action, resource in SCIENTIST
    ]
    answers = judge(requests, {"all": ALLOW_ALL, "scientist": document})
    return dict(zip(SCIENTIST, answers, strict=True))


@pytest.mark.parametrize("call", SCIENTIST, ids=lambda it: it[0])
def test_a_scientist_is_denied_and_allowed_by_both_judges(scientist_verdicts, call):
    assert scientist_verdicts[call] == SCIENTIST[call]


OWNER = "sagemaker:OwnerUserProfileArn"
OWN = {OWNER: f"{SAGEMAKER}:user-profile/d-1/userA", "sagemaker:SpaceSharingType": "Private"}
VISIT = {"sagemaker:DomainId": "d-1", "sagemaker:UserProfileName": "userA"}
URL, NEW = "sagemaker:CreatePresignedDomainUrl", "sagemaker:CreateSpace"
PROFILE, SPACE = f"{SAGEMAKER}:user-profile/d-1/userA", f"{SAGEMAKER}:space/d-1/desk"
NOBODY = "ImplicitlyDenied"
# What a session with Notebook and Scientist may do in Studio, by its name: call, keys, verdict.
IN_STUDIO = {
    "open the own profile": (URL, PROFILE, VISIT, ALLOWED),
    "open another profile": (URL, f"{SAGEMAKER}:user-profile/d-1/userB", VISIT, DENIED),
    "open a profile from a job": (URL, PROFILE, {}, DENIED),
    "open a profile named as the default": (URL, f"{SAGEMAKER}:user-profile/none/none", {}, NOBODY),
    "make an own space": (NEW, SPACE, VISIT | OWN, ALLOWED),
    "make another's space": (NEW, SPACE, VISIT | OWN | {OWNER: f"{PROFILE[:-1]}B"}, NOBODY),
    "make a shared space": (
        NEW,
        SPACE,
        VISIT | OWN | {"sagemaker:SpaceSharingType": "Shared"},
        NOBODY,
    ),
    "make a space in another domain": (NEW, f"{SAGEMAKER}:space/d-2/desk", VISIT | OWN, NOBODY),
    "make a space from a job": (NEW, SPACE, OWN, NOBODY),
    "tag a new space": (
        "sagemaker:AddTags",
        SPACE,
        VISIT | {"sagemaker:TaggingAction": "CreateSpace"},
        ALLOWED,
    ),
    "tag a space": ("sagemaker:AddTags", SPACE, VISIT, NOBODY),
    "pass itself": ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/mine", {}, ALLOWED),
    "pass another": ("iam:PassRole", f"arn:aws:iam::{ACCOUNT}:role/yours", {}, DENIED),
    "read data": ("s3:GetObject", "arn:aws:s3:::data/UserA/a.csv", VISIT, NOBODY),
}


@pytest.fixture(scope="module")
def studio_verdicts(attacked: AttackedStack) -> dict[str, str]:
    documents = {}
    for name in ("Notebook", "Scientist"):
        iam, arn = attacked.client("iam"), attacked.outputs[name]
        version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
        found = iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]
        text = found["Document"]
        documents[name] = json.loads(text) if isinstance(text, str) else text
    me = f"arn:aws:iam::{ACCOUNT}:role/mine"
    always = {
        "aws:PrincipalArn": me,
        "aws:PrincipalTag/grantor:role": "mine",
        "iam:PassedToService": "sagemaker.amazonaws.com",
    }
    requests = [
        {
            "principal": me,
            "action": action,
            "resource": resource,
            "keys": always | keys,
            "policies": "caller",
            "limits": [],
        }
        for action, resource, keys, _ in IN_STUDIO.values()
    ]
    return dict(zip(IN_STUDIO, judge(requests, documents), strict=True))


@pytest.mark.parametrize("call", IN_STUDIO)
def test_studio_is_opened_and_closed_by_both_judges(studio_verdicts, call):
    assert studio_verdicts[call] == IN_STUDIO[call][-1]


SHORT, LONG = "3600", "432000"
JOBS = {
    (("ml.m5.xlarge",), SHORT): ALLOWED,
    (("ml.p5.48xlarge",), SHORT): "ImplicitlyDenied",
    (("ml.m5.xlarge", "ml.p5.48xlarge"), SHORT): "ImplicitlyDenied",
    (("ml.m5.xlarge",), LONG): "ImplicitlyDenied",
    ((), SHORT): "ImplicitlyDenied",
}


@pytest.fixture(scope="module")
def job_verdicts(attacked: AttackedStack) -> dict[Any, str]:
    role = attacked.stack.find_physical_id("StartSparkJobRole")
    document = attacked.client("iam").get_role_policy(RoleName=role, PolicyName="start")[
        "PolicyDocument"
    ]
    arn = f"arn:aws:iam::{ACCOUNT}:role/{role}"
    requests = [
        {
            "principal": arn,
            "action": "sagemaker:CreateProcessingJob",
            "resource": f"{SAGEMAKER}:processing-job/grantor-abalone-1",
            "keys": {"aws:PrincipalArn": arn, "sagemaker:MaxRuntimeInSeconds": seconds}
            | ({"sagemaker:InstanceTypes": list(types)} if types else {}),
            "policies": "caller",
            "limits": [],
        }
        for types, seconds in JOBS
    ]
    return dict(zip(JOBS, judge(requests, {"start": document}), strict=True))


@pytest.mark.parametrize("asked", JOBS, ids=str)
def test_the_launcher_starts_no_job_on_any_machine_and_for_any_time(job_verdicts, asked):
    assert job_verdicts[asked] == JOBS[asked]
