"""A stack that people have worked with is deleted, is interrupted, is deleted again: then nothing of it is left in any service."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, policy_document
from tests.conftest import ACCOUNT
from tests.teardown.conftest import Lived, grants, trusting
from tests.teardown.stage import ARTIFACTS, NAME, Stage, until

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
def test_a_deletion_that_was_interrupted_is_repeated_and_leaves_nothing(
    lived: Lived, service, operation, after
):
    lived.stage.fault(service, operation, after)

    assert lived.stack.delete() == "DELETE_FAILED"
    assert lived.stage.struck() == [1], lived.stack.why()
    assert "tripped over the cable" in lived.stack.why()
    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


def test_it_is_deleted_in_one_go(lived: Lived):
    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


def test_grants_whose_end_is_seen_late_are_waited_for(lived: Lived):
    call_control(lived.stage.sandbox, "faults", "POST", {"switches": {"late_deletes": 6}})

    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


@pytest.mark.parametrize("kind", ["throttle", "error", "lost"])
def test_faults_that_pass_are_outlasted(lived: Lived, kind):
    for service, operation in (
        ("s3", "DeleteObjects"),
        ("s3control", "DeleteAccessGrant"),
        ("efs", "DeleteFileSystem"),
    ):
        lived.stage.fault(service, operation, kind=kind)

    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


def test_an_app_that_ends_slowly_outlasts_the_function_which_goes_on_in_other_invocations(
    lived: Lived,
):
    call_control(lived.stage.sandbox, "settle", "POST", {"App": 14})
    lived.stage.client("lambda").update_function_configuration(
        FunctionName=f"{NAME}-close-studio", Timeout=13
    )
    call_control(lived.stage.sandbox, "calls", "DELETE")

    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before
    calls = [
        row
        for row in call_control(lived.stage.sandbox, "calls")
        if (row["service"], row["operation"]) == ("lambda", "Invoke")
    ]
    assert sum(row["answered"] for row in calls) >= 3


def test_what_others_granted_at_our_location_is_named_and_nothing_is_emptied_until_they_take_it_back(
    lived: Lived,
):
    control = lived.stage.client("s3control")
    ours = grants(lived.stage)[0]
    theirs = control.create_access_grant(
        AccountId=ACCOUNT, AccessGrantsLocationId=ours["AccessGrantsLocationId"], Grantee=ours["Grantee"], Permission="READ",
        AccessGrantsLocationConfiguration={"S3SubPrefix": "theirs/*"},
    )["AccessGrantId"]  # fmt: skip

    assert lived.stack.delete() == "DELETE_FAILED"
    assert (
        f"1 grants at location {ours['AccessGrantsLocationId']} are not this stack's: {theirs}."
        in lived.stack.why()
    )
    assert [grant["AccessGrantId"] for grant in grants(lived.stage)] == [theirs]
    assert (
        lived.stage.client("s3").get_object(Bucket=lived.data, Key="UserA/x.csv")["Body"].read()
        == b"1,2"
    )
    control.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=theirs)
    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


def test_our_jobs_are_stopped_and_another_stacks_go_on(lived: Lived):
    studio, role = lived.stage.client("sagemaker"), working_role(lived.stage)
    start(lived.stage, "grantor-abalone-1-a1", role, NAME)
    start(lived.stage, "grantor-abalone-2-a1", role, "grantor-of-others")
    started = ("InProgress", "InProgress")
    until(lambda: statuses(studio) == started)

    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert statuses(studio) == ("Stopped", "InProgress")
    assert lived.stage.things() - lived.before == {
        "iam roles: working",
        "logs log_groups: /aws/sagemaker/ProcessingJobs",
    }


def statuses(studio: Any) -> tuple[str, ...]:
    names = ("grantor-abalone-1-a1", "grantor-abalone-2-a1")
    return tuple(
        studio.describe_processing_job(ProcessingJobName=name)["ProcessingJobStatus"]
        for name in names
    )


def working_role(stage: Stage) -> str:
    iam = stage.client("iam")
    made = iam.create_role(
        RoleName="working", AssumeRolePolicyDocument=trusting("sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    rights = policy_document({"Action": ["s3:*", "ecr:*", "logs:*"], "Resource": "*"})
    iam.put_role_policy(RoleName="working", PolicyName="work", PolicyDocument=rights)
    return str(made)


def start(stage: Stage, name: str, role: str, owner: str) -> None:
    """A job that does nothing for ten minutes, and says whose it is."""
    stage.client("s3").put_object(
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
    stage.client("sagemaker").create_processing_job(
        ProcessingJobName=name, RoleArn=role, Tags=[{"Key": "grantor:stack", "Value": owner}],
        ProcessingResources={"ClusterConfig": {"InstanceType": "ml.t3.medium", "InstanceCount": 1, "VolumeSizeInGB": 1}},
        AppSpecification={"ImageUri": "image", "ContainerEntrypoint": ["python3", f"{INPUT}/x.py"]},
        ProcessingInputs=[{"InputName": "code", "S3Input": code}],
    )  # fmt: skip


def test_a_lost_ledger_keeps_no_grant(lived: Lived):
    dynamodb, ledger = lived.stage.client("dynamodb"), lived.stack.outputs()["Ledger"]
    for item in dynamodb.scan(TableName=ledger)["Items"]:
        dynamodb.delete_item(TableName=ledger, Key={key: item[key] for key in ("pk", "sk")})

    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


def test_someone_elses_domain_in_our_network_is_named_and_stays(lived: Lived):
    studio = lived.stage.client("sagemaker")
    own = studio.describe_domain(DomainId=lived.domain)
    made = studio.create_domain(
        DomainName="theirs", AuthMode="IAM", VpcId=own["VpcId"], SubnetIds=own["SubnetIds"],
        DefaultUserSettings=own["DefaultUserSettings"],
    )["DomainArn"].rpartition("/")[2]  # fmt: skip

    assert lived.stack.delete() == "DELETE_FAILED"
    assert f"domain {made} is in this stack's network and not this stack's" in lived.stack.why()
    assert [domain["DomainId"] for domain in studio.list_domains()["Domains"]] == [made]
    studio.delete_domain(DomainId=made)
    until(lambda: not studio.list_domains()["Domains"])
    assert lived.stack.delete() == "DELETE_COMPLETE", lived.stack.why()
    assert lived.stage.things() == lived.before


def test_a_request_to_delete_while_the_stack_stays_empties_nothing(lived: Lived):
    stack = lived.stage.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"][0][
        "StackId"
    ]
    request = {
        "RequestType": "Delete", "ResourceType": "Custom::EmptiedBuckets", "StackId": stack, "RequestId": "1",
        "LogicalResourceId": "EmptiedBuckets", "ResponseURL": f"{lived.stage.sandbox.url}/_ministack/health",
        "ResourceProperties": {"Buckets": [lived.data]},
    }  # fmt: skip
    payload = json.dumps(request).encode()
    lived.stage.client("lambda").invoke(FunctionName=f"{NAME}-clean-up", Payload=payload)

    assert (
        lived.stage.client("s3").get_object(Bucket=lived.data, Key="UserA/x.csv")["Body"].read()
        == b"1,2"
    )


def test_data_that_is_to_stay_stays_and_the_rest_goes(stage):
    before, stack = stage.things(), stage.stack()
    assert stack.create(RetainData="true") == "CREATE_COMPLETE", stack.why()
    lived = Lived(stage, stack, before, stack.outputs()["DataBucket"], stack.physical("Domain"))
    policies = stack.outputs()["PolicyBucket"]
    files = stage.client("sagemaker").describe_domain(DomainId=lived.domain)["HomeEfsFileSystemId"]

    assert stack.delete() == "DELETE_COMPLETE", stack.why()
    kept = {f"s3 buckets: {lived.data}", f"s3 buckets: {policies}", f"efs file_systems: {files}"}
    assert stage.things() - before == kept
    listed = stage.client("s3").list_object_versions(Bucket=lived.data)
    assert sorted(item["Key"] for item in listed["Versions"]) == [
        "Product/abalone.csv", "UserA/abalone.csv", "UserA/x.csv", "UserA/x.csv", "UserB/abalone.csv", "UserB/y.csv",
    ]  # fmt: skip
    with pytest.raises(ClientError, match="AccessGrantsInstanceNotExistsError"):
        grants(stage)
