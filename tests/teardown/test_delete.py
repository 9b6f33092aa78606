"""A stack that has been used is deleted, with interruptions, and leaves nothing in any service."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from grantor.aws.vended_sessions import VendedSessions
from sandbox.testing.helpers import call_control, policy_document
from tests.conftest import ACCOUNT
from tests.teardown.conftest import UsedStack, build_trust_policy, list_grants
from tests.teardown.empty_account import ARTIFACTS, STACK_NAME, EmptyAccount, wait_until

PEOPLES_POLICIES = ("Reader", "Approver", "Steward", "BreakGlass", "Scientist")
ELSEWHERE = "arn:aws:iam::aws:policy/ReadOnlyAccess"
INPUT = "/opt/ml/processing/input"

# Beside the operation: how many calls of it pass before.
PLACES = {
    "before jobs are stopped": ("sagemaker", "ListProcessingJobs", 0),
    "before it knows whether the stack goes": ("cloudformation", "DescribeStacks", 0),
    "before runs are shut out": ("dynamodb", "PutItem", 0),
    "before the ledger is read": ("dynamodb", "Scan", 0),
    "before the grants are listed": ("s3control", "ListAccessGrants", 0),
    "between two grants": ("s3control", "DeleteAccessGrant", 2),
    "before the location goes": ("s3control", "DeleteAccessGrantsLocation", 0),
    "before the first bucket is listed": ("s3", "ListObjectVersions", 0),
    "before it is emptied": ("s3", "DeleteObjects", 0),
    "before its unfinished upload goes": ("s3", "AbortMultipartUpload", 0),
    "between two buckets": ("s3", "DeleteBucket", 1),
    "before the app ends": ("sagemaker", "DeleteApp", 0),
    "before the space ends": ("sagemaker", "DeleteSpace", 0),
    "before the guest's profile ends": ("sagemaker", "DeleteUserProfile", 0),
    "between two mount targets": ("efs", "DeleteMountTarget", 1),
    "before the file system goes": ("efs", "DeleteFileSystem", 0),
    "between the rules of two security groups": ("ec2", "RevokeSecurityGroupEgress", 0),
    "between two security groups": ("ec2", "DeleteSecurityGroup", 1),
}


@pytest.mark.parametrize(("service", "operation", "after"), PLACES.values(), ids=PLACES)
def test_an_interrupted_deletion_can_be_repeated_and_leaves_nothing(
    used_stack: UsedStack, service, operation, after
):
    used_stack.account.inject_fault(service, operation, after)

    assert used_stack.stack.delete() == "DELETE_FAILED"
    assert used_stack.account.count_strikes() == [1], used_stack.stack.describe_failures()
    assert "interrupted by the test" in used_stack.stack.describe_failures()
    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


def test_a_used_stack_is_deleted_at_the_first_attempt(used_stack: UsedStack):
    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


def test_policies_that_people_have_and_ended_sessions_do_not_stop_the_deletion(
    used_stack: UsedStack,
):
    outputs, iam = used_stack.stack.read_outputs(), used_stack.account.client("iam")
    iam.create_role(
        RoleName="ana", AssumeRolePolicyDocument=build_trust_policy("ec2.amazonaws.com")
    )
    iam.create_user(UserName="ben")
    iam.create_group(GroupName="team")
    for name in PEOPLES_POLICIES:
        iam.attach_role_policy(RoleName="ana", PolicyArn=outputs[name])
    iam.attach_role_policy(RoleName="ana", PolicyArn=ELSEWHERE)
    iam.attach_user_policy(UserName="ben", PolicyArn=outputs["Steward"])
    iam.attach_group_policy(GroupName="team", PolicyArn=outputs["Reader"])
    VendedSessions(iam, outputs["LocationRole"]).end_before_now(datetime.now(UTC))

    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    kept = iam.list_attached_role_policies(RoleName="ana")["AttachedPolicies"]
    assert [it["PolicyArn"] for it in kept] == [ELSEWHERE]
    people = {"iam roles: ana", "iam users: ben", "iam groups: team"}
    assert used_stack.account.list_resources() - used_stack.resources_before <= people


def test_the_deletion_waits_for_grants_that_disappear_late(used_stack: UsedStack):
    call_control(used_stack.account.sandbox, "faults", "POST", {"switches": {"late_deletes": 6}})

    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


@pytest.mark.parametrize("kind", ["throttle", "error", "lost"])
def test_transient_faults_are_retried(used_stack: UsedStack, kind):
    for service, operation in (
        ("s3", "DeleteObjects"),
        ("s3control", "DeleteAccessGrant"),
        ("efs", "DeleteFileSystem"),
    ):
        used_stack.account.inject_fault(service, operation, kind=kind)

    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


def test_a_slow_app_deletion_continues_in_further_invocations_of_the_function(
    used_stack: UsedStack,
):
    call_control(used_stack.account.sandbox, "settle", "POST", {"App": 14})
    used_stack.account.client("lambda").update_function_configuration(
        FunctionName=f"{STACK_NAME}-close-studio", Timeout=13
    )
    call_control(used_stack.account.sandbox, "calls", "DELETE")

    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before
    calls = [
        row
        for row in call_control(used_stack.account.sandbox, "calls")
        if (row["service"], row["operation"]) == ("lambda", "Invoke")
    ]
    assert sum(row["answered"] for row in calls) >= 3


def test_grants_of_others_at_our_location_are_named_and_nothing_is_emptied_until_they_are_deleted(
    used_stack: UsedStack,
):
    control = used_stack.account.client("s3control")
    ours = list_grants(used_stack.account)[0]
    theirs = control.create_access_grant(
        AccountId=ACCOUNT,
        AccessGrantsLocationId=ours["AccessGrantsLocationId"],
        Grantee=ours["Grantee"],
        Permission="READ",
        AccessGrantsLocationConfiguration={"S3SubPrefix": "theirs/*"},
    )["AccessGrantId"]

    assert used_stack.stack.delete() == "DELETE_FAILED"
    assert (
        f"1 grants at location {ours['AccessGrantsLocationId']} are not this stack's: {theirs}."
        in used_stack.stack.describe_failures()
    )
    assert [grant["AccessGrantId"] for grant in list_grants(used_stack.account)] == [theirs]
    assert (
        used_stack.account.client("s3")
        .get_object(Bucket=used_stack.data, Key="UserA/x.csv")["Body"]
        .read()
        == b"1,2"
    )
    control.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=theirs)
    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


def test_our_jobs_are_stopped_and_those_of_another_stack_continue(used_stack: UsedStack):
    studio, role = used_stack.account.client("sagemaker"), create_working_role(used_stack.account)
    start_job(used_stack.account, "grantor-abalone-1-a1", role, STACK_NAME)
    start_job(used_stack.account, "grantor-abalone-2-a1", role, "grantor-of-others")
    started = ("InProgress", "InProgress")
    wait_until(lambda: list_statuses(studio) == started)

    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert list_statuses(studio) == ("Stopped", "InProgress")
    assert used_stack.account.list_resources() - used_stack.resources_before == {
        "iam roles: working",
        "logs log_groups: /aws/sagemaker/ProcessingJobs",
    }


def list_statuses(studio: Any) -> tuple[str, ...]:
    names = ("grantor-abalone-1-a1", "grantor-abalone-2-a1")
    return tuple(
        studio.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]
        for name in names
    )


def create_working_role(account: EmptyAccount) -> str:
    iam = account.client("iam")
    made = iam.create_role(
        RoleName="working", AssumeRolePolicyDocument=build_trust_policy("sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    rights = policy_document({"Action": ["s3:*", "ecr:*", "logs:*"], "Resource": "*"})
    iam.put_role_policy(RoleName="working", PolicyName="work", PolicyDocument=rights)
    return str(made)


def start_job(account: EmptyAccount, name: str, role: str, owner: str) -> None:
    """A job that does nothing for ten minutes, and says whose it is."""
    account.client("s3").put_object(
        Bucket=ARTIFACTS,
        Key="code/x.py",
        Body=b"import time; print('begun', flush=True); time.sleep(600)",
    )
    code = {
        "S3Uri": f"s3://{ARTIFACTS}/code",
        "LocalPath": INPUT,
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    account.client("sagemaker").create_processing_job(
        ProcessingJobName=name,
        RoleArn=role,
        Tags=[{"Key": "grantor:stack", "Value": owner}],
        ProcessingResources={
            "ClusterConfig": {
                "InstanceType": "ml.t3.medium",
                "InstanceCount": 1,
                "VolumeSizeInGB": 1,
            }
        },
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["python3", f"{INPUT}/x.py"]},
        ProcessingInputs=[{"InputName": "code", "S3Input": code}],
    )


def test_without_the_ledger_every_grant_is_still_deleted(used_stack: UsedStack):
    dynamodb, ledger = (
        used_stack.account.client("dynamodb"),
        used_stack.stack.read_outputs()["Ledger"],
    )
    for item in dynamodb.scan(TableName=ledger)["Items"]:
        dynamodb.delete_item(TableName=ledger, Key={key: item[key] for key in ("pk", "sk")})

    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


def test_a_foreign_domain_in_our_network_is_named_and_stays(used_stack: UsedStack):
    studio = used_stack.account.client("sagemaker")
    own = studio.describe_domain(DomainId=used_stack.domain)
    made = studio.create_domain(
        DomainName="theirs", AuthMode="IAM", VpcId=own["VpcId"], SubnetIds=own["SubnetIds"],
        DefaultUserSettings=own["DefaultUserSettings"],
    )["DomainArn"].rpartition("/")[2]  # fmt: skip

    assert used_stack.stack.delete() == "DELETE_FAILED"
    assert (
        f"domain {made} is in this stack's network and not this stack's"
        in used_stack.stack.describe_failures()
    )
    assert [domain["DomainId"] for domain in studio.list_domains()["Domains"]] == [made]
    studio.delete_domain(DomainId=made)
    wait_until(lambda: not studio.list_domains()["Domains"])
    assert used_stack.stack.delete() == "DELETE_COMPLETE", used_stack.stack.describe_failures()
    assert used_stack.account.list_resources() == used_stack.resources_before


def test_a_delete_request_for_a_stack_that_is_not_being_deleted_empties_nothing(
    used_stack: UsedStack,
):
    stack = used_stack.account.client("cloudformation").describe_stacks(StackName=STACK_NAME)[
        "Stacks"
    ][0]["StackId"]
    request = {
        "RequestType": "Delete",
        "ResourceType": "Custom::EmptiedBuckets",
        "StackId": stack,
        "RequestId": "1",
        "LogicalResourceId": "EmptiedBuckets",
        "ResponseURL": f"{used_stack.account.sandbox.url}/_ministack/health",
        "ResourceProperties": {"Buckets": [used_stack.data]},
    }
    payload = json.dumps(request).encode()
    used_stack.account.client("lambda").invoke(
        FunctionName=f"{STACK_NAME}-clean-up", Payload=payload
    )

    assert (
        used_stack.account.client("s3")
        .get_object(Bucket=used_stack.data, Key="UserA/x.csv")["Body"]
        .read()
        == b"1,2"
    )


def test_with_retain_data_the_data_stays_and_the_rest_is_deleted(account: EmptyAccount):
    before, stack = account.list_resources(), account.build_stack()
    assert stack.create(RetainData="true") == "CREATE_COMPLETE", stack.describe_failures()
    used_stack = UsedStack(
        account, stack, before, stack.read_outputs()["DataBucket"], stack.find_physical_id("Domain")
    )
    policies, operations = (
        stack.read_outputs()[name] for name in ("PolicyBucket", "OperationsBucket")
    )
    files = account.client("sagemaker").describe_domain(DomainId=used_stack.domain)[
        "HomeEfsFileSystemId"
    ]

    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    kept = {
        f"s3 buckets: {used_stack.data}",
        f"s3 buckets: {policies}",
        f"s3 buckets: {operations}",
        f"efs file_systems: {files}",
    }
    assert account.list_resources() - before == kept
    listed = account.client("s3").list_object_versions(Bucket=used_stack.data)
    assert sorted(item["Key"] for item in listed["Versions"]) == [
        "Product/abalone.csv",
        "UserA/\x10 \r//",
        "UserA/abalone.csv",
        "UserA/x.csv",
        "UserA/x.csv",
        "UserB/abalone.csv",
        "UserB/y.csv",
    ]
    with pytest.raises(ClientError, match="AccessGrantsInstanceNotExistsError"):
        list_grants(account)
    made, revoked = (list_event_grants(account, operations, kind) for kind in ("made", "revoked"))
    assert made
    assert made == revoked


def list_event_grants(account: EmptyAccount, bucket: str, kind: str) -> set[str]:
    """The ids of the grants of which the history has such an event."""
    s3 = account.client("s3")
    listed = s3.list_objects_v2(Bucket=bucket, Prefix="history/grants/")["Contents"]
    bodies = [s3.get_object(Bucket=bucket, Key=item["Key"])["Body"].read() for item in listed]
    events = [json.loads(line) for body in bodies for line in body.splitlines()]
    return {event["grant_id"] for event in events if event["kind"] == kind}
