"""What was called, by whom, and what it was judged on; and grants by the thousand."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    call_control,
    make_user,
    policy_document,
    reset_sandbox,
    unique_name,
)
from sandbox.testing.running import ACCOUNT, Sandbox
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server of its own, whose calls nobody else makes."""
    return start_sandbox()


@pytest.fixture(autouse=True)
def _none_yet(server: Sandbox) -> None:
    reset_sandbox(server)


def counted(sandbox: Sandbox) -> dict[tuple[str, str], tuple[int, int]]:
    """By operation and caller: how many calls were answered, and how many refused."""
    return {
        (f"{row['service']}/{row['operation']}", row["principal"]): (
            row["answered"],
            row["refused"],
        )
        for row in call_control(sandbox, "calls")
    }


def test_calls_are_counted_by_operation_and_caller_those_refused_apart(server: Sandbox):
    name, keys = make_user(server, {"Action": "s3:ListAllMyBuckets", "Resource": "*"})
    call_control(server, "calls", "DELETE")
    s3 = server.client("s3", keys)
    s3.list_buckets()
    s3.list_buckets()
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.create_bucket(Bucket=unique_name("bucket"))
    server.client("s3").list_buckets()

    assert counted(server) == {
        ("s3/CreateBucket", name): (0, 1),
        ("s3/ListBuckets", name): (2, 0),
        ("s3/ListBuckets", "root"): (1, 0),
    }


def test_a_session_counts_as_its_role(server: Sandbox):
    trust = policy_document(
        {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    )
    role = unique_name("role")
    arn = server.client("iam").create_role(
        RoleName=role, Path="/team/", AssumeRolePolicyDocument=trust
    )["Role"]["Arn"]
    session = server.client("sts").assume_role(RoleArn=arn, RoleSessionName="someone")[
        "Credentials"
    ]
    server.client("sts", session).get_caller_identity()

    assert counted(server)["sts/GetCallerIdentity", role] == (1, 0)


# One of each way in which AWS's protocols say which operation is meant.
NAMES: list[tuple[str, Callable[[Any], Any]]] = [
    ("s3/ListObjectsV2", lambda c: c("s3").list_objects_v2(Bucket="none-here")),
    ("s3/ListObjects", lambda c: c("s3").list_objects(Bucket="none-here")),
    ("s3/HeadBucket", lambda c: c("s3").head_bucket(Bucket="none-here")),
    ("s3/GetBucketLifecycleConfiguration", lambda c: c("s3").get_bucket_lifecycle_configuration(Bucket="none-here")),
    ("s3/GetObject", lambda c: c("s3").get_object(Bucket="none-here", Key="UserA/über uns.csv")),
    ("s3/GetObjectTagging", lambda c: c("s3").get_object_tagging(Bucket="none-here", Key="k")),
    ("s3/CopyObject", lambda c: c("s3").copy_object(Bucket="none-here", Key="k", CopySource="none-here/j")),
    ("s3/CreateMultipartUpload", lambda c: c("s3").create_multipart_upload(Bucket="none-here", Key="k")),
    ("s3/UploadPart", lambda c: c("s3").upload_part(Bucket="none-here", Key="k", PartNumber=1, UploadId="u")),
    ("s3/ListParts", lambda c: c("s3").list_parts(Bucket="none-here", Key="k", UploadId="u")),
    ("s3/DeleteObjects", lambda c: c("s3").delete_objects(Bucket="none-here", Delete={"Objects": [{"Key": "k"}]})),
    ("s3control/GetAccessGrant", lambda c: c("s3control").get_access_grant(AccountId=ACCOUNT, AccessGrantId="x")),
    ("s3control/ListTagsForResource", lambda c: c("s3control").list_tags_for_resource(AccountId=ACCOUNT, ResourceArn=GRANT)),
    ("dynamodb/ListTables", lambda c: c("dynamodb").list_tables()),
    ("sagemaker/ListUserProfiles", lambda c: c("sagemaker").list_user_profiles()),
    ("sqs/ListQueues", lambda c: c("sqs").list_queues()),
    ("iam/GetRole", lambda c: c("iam").get_role(RoleName="none-here")),
    ("cloudformation/ListStacks", lambda c: c("cloudformation").list_stacks()),
    ("cloudwatch/ListMetrics", lambda c: c("cloudwatch").list_metrics()),
    ("stepfunctions/ListStateMachines", lambda c: c("stepfunctions").list_state_machines()),
    ("lambda/GetFunctionConfiguration", lambda c: c("lambda").get_function_configuration(FunctionName="none-here")),
    ("scheduler/GetSchedule", lambda c: c("scheduler").get_schedule(Name="none-here")),
]  # fmt: skip
GRANT = f"arn:aws:s3:us-east-1:{ACCOUNT}:access-grants/default/grant/x"


@pytest.mark.parametrize(("name", "call"), NAMES, ids=[row[0] for row in NAMES])
def test_an_operation_has_botocores_name(server: Sandbox, name: str, call: Callable[[Any], Any]):
    with suppress(ClientError):  # nothing is there; it was called all the same
        call(server.client)

    assert list(counted(server)) == [(name, "root")]


def test_the_record_shows_what_each_call_was_judged_on(server: Sandbox):
    name, keys = make_user(server, {"Action": "s3:GetObject", "Resource": "*"})
    server.client("s3").create_bucket(Bucket="data")
    call_control(server, "calls", "DELETE")
    with pytest.raises(ClientError, match="AccessDenied"):
        server.client("s3", keys).put_object(Bucket="data", Key="UserA/x", Body=b"")
    record = call_control(server, "calls?record=1")

    reported = {
        name: record[0][name]
        for name in ("service", "operation", "principal", "resource", "status", "fault")
    }
    arn = "arn:aws:s3:::data/UserA/x"
    assert reported == {
        "service": "s3", "operation": "PutObject", "principal": name, "resource": arn, "status": 403, "fault": None,
    }  # fmt: skip
    assert record[0]["judged"] == [{"action": "s3:PutObject", "resource": arn, "allowed": False}]
    assert abs(record[0]["time"] - time.time()) < 60


def test_the_record_shows_what_access_grants_was_judged_on(server: Sandbox):
    _, keys = make_user(server, {"Action": "s3:CreateAccessGrantsInstance", "Resource": "*"})
    call_control(server, "calls", "DELETE")
    server.client("s3control", keys).create_access_grants_instance(AccountId=ACCOUNT)

    arn = f"arn:aws:s3:us-east-1:{ACCOUNT}:access-grants/default"
    judged = {"action": "s3:CreateAccessGrantsInstance", "resource": arn, "allowed": True}
    assert call_control(server, "calls?record=1")[0]["judged"] == [judged]


def test_the_record_keeps_the_order_and_names_the_fault(server: Sandbox):
    rule = {"service": "sqs", "operation": "ListQueues", "kind": "lost", "times": 1}
    call_control(server, "faults", "POST", {"rules": [rule]})
    server.client("sqs").list_queues()  # the client asks twice
    server.client("sts").get_caller_identity()
    call_control(server, "faults", "DELETE")

    reported = [
        (call["operation"], call["status"], call["fault"])
        for call in call_control(server, "calls?record=1")
    ]
    assert reported == [
        ("ListQueues", 500, "lost"),
        ("ListQueues", 200, None),
        ("GetCallerIdentity", 200, None),
    ]


def test_the_verb_prints_a_table(server: Sandbox):
    server.client("sts").get_caller_identity()
    command = [sys.executable, "-m", "sandbox", "calls", "--port", str(server.port)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert said == (
        "answered  refused  operation              by\n"
        "       1        0  sts/GetCallerIdentity  root\n"
    )  # fmt: skip


@pytest.fixture
def folder_grant(server: Sandbox) -> Callable[[str], dict[str, Any]]:
    """Asks for a grant of one folder, as CreateAccessGrant is asked."""
    name = unique_name("bucket")
    server.client("s3").create_bucket(Bucket=name)
    trust = policy_document(
        {"Principal": {"Service": "access-grants.s3.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    role = server.client("iam").create_role(
        RoleName=unique_name("role"), AssumeRolePolicyDocument=trust
    )["Role"]["Arn"]
    control = server.client("s3control")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    place = {"LocationScope": f"s3://{name}/", "IAMRoleArn": role}
    location = control.create_access_grants_location(AccountId=ACCOUNT, **place)[
        "AccessGrantsLocationId"
    ]
    grantee = {"GranteeType": "IAM", "GranteeIdentifier": role}
    return lambda folder: {
        "AccessGrantsLocationId": location, "AccessGrantsLocationConfiguration": {"S3SubPrefix": f"{folder}/*"},
        "Grantee": grantee, "Permission": "READ",
    }  # fmt: skip


def test_grants_are_made_by_the_thousand_in_the_requested_order(
    server: Sandbox, folder_grant: Callable[[str], dict[str, Any]]
):
    made = call_control(
        server, "grants", "POST", [folder_grant(f"f{number}") for number in range(3000)]
    )
    control = server.client("s3control")
    last = control.get_access_grant(AccountId=ACCOUNT, AccessGrantId=made["ids"][-1])

    assert (made["count"], len(set(made["ids"]))) == (3000, 3000)
    assert last["GrantScope"].endswith("/f2999/*")
    assert (
        control.list_access_grants(AccountId=ACCOUNT)["AccessGrantsList"][0]["AccessGrantId"]
        == made["ids"][0]
    )


def test_of_many_grants_those_before_the_first_that_is_refused_are_made(
    server: Sandbox, folder_grant: Callable[[str], dict[str, Any]]
):
    made = call_control(
        server, "grants", "POST", [folder_grant("a"), folder_grant("a"), folder_grant("b")]
    )

    assert (
        made["error"]
        == "request 1 is refused: AccessGrantAlreadyExists: The specified access grant already exists"
    )
    assert (made["count"], len(made["ids"])) == (1, 1)
