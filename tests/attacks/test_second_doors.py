"""The ways to data, policy files, code and traces that lead around grants: each ends at a refusal.

`AmazonSageMakerFullAccess` is on most execution roles of existing accounts. It allows calls for every
key of every bucket that contains "sagemaker", and passing any role to SageMaker.
"""

import json
from typing import Any

import pytest

from sandbox.testing.helpers import policy_document, unique_name, wait_until
from tests.attacks.conftest import AttackedStack, Session, refused

POLICY = """\
version: 1
rules:
  - name: mine
    to: {profiles: {domain: Product-Domain, names: [userB]}}
    on: s3://{data_bucket}/*
    allow: READWRITE
"""
DOOR = "sagemaker"  # a word that the policy's patterns match anywhere in a key
STRANGERS = ("full_access_user_b", "sagemaker_role", "administrator")


@pytest.fixture(params=STRANGERS)
def stranger(request: pytest.FixtureRequest) -> Session:
    """Whoever IAM allows much, and who has no grant: a scientist, a role, an administrator."""
    session: Session = request.getfixturevalue(request.param)
    return session


@pytest.fixture(scope="module")
def diary(granted: AttackedStack, user_a: Session) -> str:
    """The key of an object of userA whose name the patterns match."""
    granted.wait_for_grant(user_a, "UserA")
    key = f"UserA/{DOOR}-diary.csv"
    keys = user_a.get_data_access(f"s3://{granted.data_bucket}/UserA/*", "READWRITE")
    granted.sandbox.client("s3", keys).put_object(
        Bucket=granted.data_bucket, Key=key, Body=b"private"
    )
    return key


def test_nobody_writes_a_policy_file_because_iam_allows_it(attacked, stranger):
    with refused():
        stranger.client("s3").put_object(
            Bucket=attacked.policy_bucket, Key=f"policy/{DOOR}.yaml", Body=POLICY.encode()
        )


def test_nobody_deletes_a_policy_file_or_one_of_its_versions_because_iam_allows_it(
    attacked, stranger
):
    key = f"policy/{DOOR}-own.yaml"
    version = attacked.steward.client("s3").put_object(
        Bucket=attacked.policy_bucket, Key=key, Body=b"version: 1\nrules: []\n"
    )["VersionId"]
    s3 = stranger.client("s3")

    with refused():
        s3.delete_object(Bucket=attacked.policy_bucket, Key=key)
    with refused():
        s3.delete_object(Bucket=attacked.policy_bucket, Key=key, VersionId=version)
    with refused():
        s3.put_object_tagging(
            Bucket=attacked.policy_bucket, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
        )
    attacked.delete_policy(f"{DOOR}-own")


def test_nobody_reads_data_because_iam_allows_it(granted, stranger, diary):
    with refused():
        stranger.client("s3").get_object(Bucket=granted.data_bucket, Key=diary)


def test_nobody_writes_or_deletes_data_because_iam_allows_it(granted, stranger, diary):
    s3, own = stranger.client("s3"), {"Bucket": granted.data_bucket}

    with refused():
        s3.put_object(**own, Key=diary, Body=b"forged")
    with refused():
        s3.put_object(**own, Key=f"{DOOR}/new.csv", Body=b"forged")
    with refused():
        s3.delete_object(**own, Key=diary)
    with refused():
        s3.create_multipart_upload(**own, Key=f"{DOOR}/large.csv")


def test_nobody_reads_the_traces_of_anothers_job_because_iam_allows_it(attacked, user_a, stranger):
    key = f"runs/{user_a.role}/{DOOR}-job/summary.json"
    user_a.client("s3").put_object(Bucket=attacked.operations_bucket, Key=key, Body=b"{}")

    with refused():
        stranger.client("s3").get_object(Bucket=attacked.operations_bucket, Key=key)


def test_nobody_forges_the_traces_of_anothers_job_because_iam_allows_it(attacked, user_a, stranger):
    s3, forged = stranger.client("s3"), f"runs/{user_a.role}/{DOOR}-job/summary.json"

    for key in (forged, f"{DOOR}.json", f"trail/AWSLogs/{DOOR}"):
        with refused():
            s3.put_object(Bucket=attacked.operations_bucket, Key=key, Body=b"{}")


def test_nobody_alters_the_history_because_iam_allows_it(attacked, granted, stranger):
    bucket, s3 = attacked.operations_bucket, stranger.client("s3")
    key = find_history_object(granted, "history/grants/")

    with refused():
        s3.delete_object(Bucket=bucket, Key=key)
    with refused():
        s3.put_object(Bucket=bucket, Key=key, Body=b"")
    with refused():
        s3.put_object_tagging(
            Bucket=bucket, Key=key, Tagging={"TagSet": [{"Key": "a", "Value": "b"}]}
        )
    for name in (DOOR, "SageMaker", "aws-glue"):
        with refused():
            s3.put_object(Bucket=bucket, Key=f"history/grants/v1/{name}", Body=b"", IfNoneMatch="*")
    assert attacked.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 0


def find_history_object(stack: AttackedStack, prefix: str) -> str:
    """The key of an object of the history, once there is one."""

    def find() -> str:
        listed = stack.client("s3").list_objects_v2(Bucket=stack.operations_bucket, Prefix=prefix)
        return next((item["Key"] for item in listed.get("Contents", [])), "")

    return wait_until(find)


def test_nobody_replaces_the_code_of_jobs_because_iam_allows_it(attacked, stranger):
    with refused():
        stranger.client("s3").put_object(
            Bucket=attacked.operations_bucket, Key=f"code/{DOOR}/job.py", Body=b"import os"
        )


def describe_job(role: str, name: str, *tags: dict[str, str]) -> dict[str, Any]:
    """A small processing job of the article's kind."""
    return {
        "ProcessingJobName": name,
        "RoleArn": role,
        "AppSpecification": {
            "ImageUri": "173754725891.dkr.ecr.us-east-1.amazonaws.com/sagemaker-spark-processing:3.5-cpu-py312-v1.1",
            "ContainerEntrypoint": ["smspark-submit", "/opt/ml/processing/input/code/none.py"],
        },
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceCount": 1,
                "InstanceType": "ml.m5.xlarge",
                "VolumeSizeInGB": 1,
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        "Tags": list(tags),
    }


def test_a_scientist_runs_no_job_as_another(attacked, full_access_user_b, user_a):
    with refused():
        full_access_user_b.client("sagemaker").create_processing_job(
            **describe_job(user_a.arn, unique_name("mine"))
        )


def test_a_scientist_starts_no_job_that_is_named_as_ours(attacked, full_access_user_b):
    studio = full_access_user_b.client("sagemaker")

    with refused():
        studio.create_processing_job(
            **describe_job(full_access_user_b.arn, unique_name("grantor-abalone"))
        )
    with refused():
        studio.stop_processing_job(ProcessingJobName=unique_name("grantor-abalone"))


def test_a_scientists_own_work_goes_on(granted, full_access_user_b, diary):
    """The cells of the article: credentials from a grant, and a job with the own role."""
    granted.wait_for_grant(full_access_user_b, "UserB")
    own = f"s3://{granted.data_bucket}/UserB/*"
    s3 = granted.sandbox.client("s3", full_access_user_b.get_data_access(own, "READWRITE"))
    studio, job = full_access_user_b.client("sagemaker"), unique_name("mine")

    s3.put_object(Bucket=granted.data_bucket, Key=f"UserB/{DOOR}.csv", Body=b"1,2")
    assert s3.get_object(Bucket=granted.data_bucket, Key="UserB/abalone.csv")["Body"].read()
    with refused():
        s3.get_object(Bucket=granted.data_bucket, Key=diary)
    studio.create_processing_job(**describe_job(full_access_user_b.arn, job))
    studio.stop_processing_job(ProcessingJobName=job)
    full_access_user_b.client("s3").put_object(
        Bucket=granted.operations_bucket,
        Key=f"runs/{full_access_user_b.role}/{job}/summary.json",
        Body=b"{}",
    )


def test_a_scientist_does_not_become_the_steward(attacked, full_access_user_b, user_a):
    for session in (full_access_user_b, user_a):
        with refused():
            session.client("sts").assume_role(
                RoleArn=attacked.outputs["StewardRole"], RoleSessionName="me"
            )


def test_a_scientist_changes_no_profile(attacked, full_access_user_b, user_a):
    studio = full_access_user_b.client("sagemaker")
    profile = {"DomainId": attacked.domain, "UserProfileName": "userB"}

    with refused():
        studio.update_user_profile(**profile, UserSettings={"ExecutionRole": user_a.arn})
    arn = attacked.client("sagemaker").describe_user_profile(**profile)["UserProfileArn"]
    with refused():
        studio.add_tags(ResourceArn=arn, Tags=[{"Key": "team", "Value": "blue"}])


def test_a_scientist_forges_no_log_of_ours(attacked, full_access_user_b):
    with refused():
        full_access_user_b.client("logs").create_log_stream(
            logGroupName=f"/aws/lambda/{attacked.outputs['ReconcileGrants']}",
            logStreamName="forged",
        )


def test_a_profile_without_a_role_is_nobody(granted, user_a):
    studio, profile = (
        granted.client("sagemaker"),
        {"DomainId": granted.domain, "UserProfileName": "nobody"},
    )
    domain = studio.describe_domain(DomainId=granted.domain)
    role = domain["DefaultUserSettings"]["ExecutionRole"]
    studio.create_user_profile(**profile)
    try:
        keys = granted.read_notebook_keys("nobody")
        nobody = Session(granted.sandbox, role, keys)
        assert role != user_a.arn
        with refused():
            nobody.get_data_access(f"s3://{granted.data_bucket}/UserA/*")
        with refused():
            nobody.client("s3").list_buckets()
    finally:
        granted.delete_profile("nobody")


@pytest.mark.parametrize("rights", ["READWRITE", "WRITE"])
def test_a_grant_erases_no_version_and_opens_no_object_to_others(granted, user_a, rights):
    granted.wait_for_grant(user_a, "UserA")
    key, own = "UserA/kept.csv", {"Bucket": granted.data_bucket}
    keys = user_a.get_data_access(f"s3://{granted.data_bucket}/UserA/*", rights)
    s3 = granted.sandbox.client("s3", keys)
    version = s3.put_object(**own, Key=key, Body=b"1,2")["VersionId"]
    s3.delete_object(**own, Key=key)

    with refused():
        s3.delete_object(**own, Key=key, VersionId=version)
    with refused():
        s3.put_object_acl(**own, Key=key, ACL="bucket-owner-full-control")


EVERYTHING = {"Action": "*", "Resource": "*"}


def test_break_glass_adds_nothing_to_what_is_vended(granted, user_a):
    """It may write an inline policy of the location role, for `end-sessions`; see its boundary."""
    person = granted.create_person("Reader", "BreakGlass")
    iam, role = person.client("iam"), granted.outputs["LocationRole"]
    granted.wait_for_grant(user_a, "UserA")
    own = {"Bucket": granted.data_bucket, "Key": "UserA/wide.csv"}

    iam.put_role_policy(
        RoleName=role,
        PolicyName="grantor-end-sessions",
        PolicyDocument=policy_document(EVERYTHING),
    )
    try:
        keys = user_a.get_data_access(f"s3://{granted.data_bucket}/UserA/*", "READWRITE")
        s3 = granted.sandbox.client("s3", keys)
        version = s3.put_object(**own, Body=b"1,2")["VersionId"]
        with refused():
            s3.delete_object(**own, VersionId=version)
        with refused():
            iam.attach_role_policy(RoleName=role, PolicyArn=granted.outputs["Steward"])
        with refused():
            iam.delete_role_permissions_boundary(RoleName=role)
        with refused():
            iam.put_role_policy(
                RoleName=user_a.role,
                PolicyName="grantor-end-sessions",
                PolicyDocument=policy_document(EVERYTHING),
            )
    finally:
        iam.delete_role_policy(RoleName=role, PolicyName="grantor-end-sessions")


@pytest.mark.parametrize("policies", [["Steward"], ["Reader"], ["BreakGlass"], ["Approver"]])
def test_nobody_approves_in_anothers_name(attacked, policies):
    person = attacked.create_person(*policies)
    item = {"pk": {"S": "approval AROAOTHER:eva"}, "sk": {"S": "plan"}, "approves": {"S": "0123"}}

    with refused():
        person.client("dynamodb").put_item(TableName=attacked.outputs["Ledger"], Item=item)


def test_an_approver_approves_in_the_own_name(attacked):
    person = attacked.create_person("Approver")
    me = person.client("sts").get_caller_identity()["UserId"]
    item = {"pk": {"S": f"approval {me}"}, "sk": {"S": "plan"}, "approves": {"S": "0123"}}
    table = {"TableName": attacked.outputs["Ledger"]}

    person.client("dynamodb").put_item(**table, Item=item)
    found = person.client("dynamodb").query(
        **table,
        IndexName="approvals",
        KeyConditionExpression="approves = :hash",
        ExpressionAttributeValues={":hash": {"S": "0123"}},
    )["Items"]
    assert [it["pk"] for it in found] == [item["pk"]]
    attacked.client("dynamodb").delete_item(
        **table, Key={name: item[name] for name in ("pk", "sk")}
    )


@pytest.mark.parametrize("policies", [["Steward"], ["Reader", "BreakGlass"], ["Approver"]])
def test_nobody_writes_bounds_without_being_named(attacked, policies):
    person = attacked.create_person(*policies)

    with refused():
        person.client("s3").put_object(
            Bucket=attacked.policy_bucket, Key="bounds/bounds.yaml", Body=b"version: 1\n"
        )


def test_the_steward_role_writes_no_bounds(attacked, steward):
    with refused():
        steward.client("s3").put_object(
            Bucket=attacked.policy_bucket, Key="bounds/bounds.yaml", Body=b"version: 1\n"
        )


def list_calls_of_a_scientist(attacked: AttackedStack) -> list[tuple[str, str, dict[str, Any]]]:
    """Calls that a plain scientist has tried: service, operation, request."""
    outputs = attacked.outputs
    message = json.dumps({"source": "grantor"})
    entry = {"Source": "grantor", "DetailType": "Grants Reconciled", "Detail": "{}"}
    item = {"pk": {"S": "lease"}, "sk": {"S": "lease"}}
    return [
        ("sqs", "send_message", {"QueueUrl": outputs["EventQueue"], "MessageBody": message}),
        ("sqs", "receive_message", {"QueueUrl": outputs["UploadQueue"]}),
        ("events", "put_events", {"Entries": [entry]}),
        ("dynamodb", "put_item", {"TableName": outputs["Ledger"], "Item": item}),
        ("dynamodb", "scan", {"TableName": outputs["Ledger"]}),
        ("sns", "publish", {"TopicArn": outputs["AlertTopic"], "Message": "all is well"}),
        ("lambda", "invoke", {"FunctionName": outputs["ReconcileGrants"], "Payload": b"{}"}),
        ("s3", "get_object", {"Bucket": attacked.policy_bucket, "Key": "policy/article.yaml"}),
        ("s3", "list_objects_v2", {"Bucket": attacked.data_bucket}),
        ("s3", "list_objects_v2", {"Bucket": attacked.operations_bucket, "Prefix": "runs/"}),
    ]


@pytest.mark.parametrize("place", range(10))
def test_a_plain_scientist_reaches_nothing_of_ours(attacked, user_a, place):
    service, operation, request = list_calls_of_a_scientist(attacked)[place]

    with refused():
        getattr(user_a.client(service), operation)(**request)
