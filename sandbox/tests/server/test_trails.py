"""EventBridge receives the event of an API call only through a trail that logs it."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import (
    EventListener,
    make_listener,
    make_role,
    make_trail,
    reset_sandbox,
    unique_name,
)
from sandbox.testing.running import ACCOUNT, REGION, Sandbox

SAGEMAKER = "sagemaker.amazonaws.com"


@pytest.fixture(scope="module")
def own_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server of this module's own: trails of other tests would send events, too."""
    return start_sandbox()


@pytest.fixture
def sandbox(own_sandbox: Sandbox) -> Sandbox:
    reset_sandbox(own_sandbox)
    return own_sandbox


@pytest.fixture
def listener(sandbox: Sandbox) -> EventListener:
    return make_listener(
        sandbox, EventPattern=json.dumps({"detail-type": ["AWS API Call via CloudTrail"]})
    )


def reported(sandbox: Sandbox, listener: EventListener) -> list[str]:
    """Create a domain, and return the names of the events that arrive."""
    role = make_role(sandbox, SAGEMAKER)
    sandbox.client("sagemaker").create_domain(
        DomainName=unique_name("domain"),
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": role},
    )
    return [event["detail"]["eventName"] for event in listener.drain_events()]


def test_without_a_trail_no_event_is_sent(sandbox: Sandbox, listener: EventListener):
    assert reported(sandbox, listener) == []


def test_a_trail_sends_events_while_it_logs(sandbox: Sandbox, listener: EventListener):
    trail = make_trail(sandbox)
    assert reported(sandbox, listener) == ["CreateDomain"]

    sandbox.client("cloudtrail").stop_logging(Name=trail)
    assert reported(sandbox, listener) == []


BASIC = {
    "all": ({}, True),
    "what changes something": ({"ReadWriteType": "WriteOnly"}, True),
    "what only reads": ({"ReadWriteType": "ReadOnly"}, False),
    "data alone": ({"IncludeManagementEvents": False}, False),
    "all but another source": ({"ExcludeManagementEventSources": ["kms.amazonaws.com"]}, True),
    "all but this source": ({"ExcludeManagementEventSources": [SAGEMAKER]}, False),
}


@pytest.mark.parametrize(("selector", "arrives"), BASIC.values(), ids=BASIC)
def test_a_trail_logs_what_its_selector_includes(
    sandbox: Sandbox, listener: EventListener, selector: dict[str, Any], arrives: bool
):
    sandbox.client("cloudtrail").put_event_selectors(
        TrailName=make_trail(sandbox), EventSelectors=[selector]
    )

    assert reported(sandbox, listener) == (["CreateDomain"] if arrives else [])


ADVANCED = {
    "management": ([("eventCategory", "Equals", "Management")], True),
    "management that changes something": (
        [("eventCategory", "Equals", "Management"), ("readOnly", "Equals", "false")],
        True,
    ),
    "management that only reads": (
        [("eventCategory", "Equals", "Management"), ("readOnly", "Equals", "true")],
        False,
    ),
    "management without this source": (
        [("eventCategory", "Equals", "Management"), ("eventSource", "NotEquals", SAGEMAKER)],
        False,
    ),
    "data": (
        [("eventCategory", "Equals", "Data"), ("resources.type", "Equals", "AWS::S3::Object")],
        False,
    ),
}


@pytest.mark.parametrize(("fields", "arrives"), ADVANCED.values(), ids=ADVANCED)
def test_and_what_its_advanced_selector_takes(
    sandbox: Sandbox, listener: EventListener, fields: list[tuple[str, str, str]], arrives: bool
):
    selector = {
        "FieldSelectors": [{"Field": field, operator: [value]} for field, operator, value in fields]
    }
    sandbox.client("cloudtrail").put_event_selectors(
        TrailName=make_trail(sandbox), AdvancedEventSelectors=[selector]
    )

    assert reported(sandbox, listener) == (["CreateDomain"] if arrives else [])


def test_a_bucket_that_there_is_not_takes_no_trail(sandbox: Sandbox):
    with pytest.raises(ClientError, match="S3BucketDoesNotExistException"):
        sandbox.client("cloudtrail").create_trail(Name="trail", S3BucketName="nowhere")


def test_a_bucket_whose_policy_does_not_name_the_trail_is_refused(sandbox: Sandbox):
    cloudtrail, bucket = sandbox.client("cloudtrail"), unique_name("trail")
    sandbox.client("s3").create_bucket(Bucket=bucket)

    with pytest.raises(ClientError, match="InsufficientS3BucketPolicyException"):
        cloudtrail.create_trail(Name="trail", S3BucketName=bucket)
    assert cloudtrail.describe_trails()["trailList"] == []


TRAIL = f"""
Resources:
  Bucket: {{Type: AWS::S3::Bucket, Properties: {{BucketName: trails}}}}
  Policy:
    Type: AWS::S3::BucketPolicy
    Properties:
      Bucket: !Ref Bucket
      PolicyDocument:
        Statement:
          - {{Effect: Allow, Principal: {{Service: cloudtrail.amazonaws.com}}, Action: s3:GetBucketAcl, Resource: !GetAtt Bucket.Arn}}
          - Effect: Allow
            Principal: {{Service: cloudtrail.amazonaws.com}}
            Action: s3:PutObject
            Resource: !Sub ${{Bucket.Arn}}/own/AWSLogs/{ACCOUNT}/*
            Condition: {{StringEquals: {{"aws:SourceArn": "arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/own"}}}}
  Trail:
    Type: AWS::CloudTrail::Trail
    DependsOn: Policy
    Properties:
      TrailName: own
      S3BucketName: !Ref Bucket
      S3KeyPrefix: own
      IsLogging: true
      Tags: [{{Key: team, Value: data}}]
      EventSelectors: [{{ReadWriteType: WriteOnly}}]
Outputs:
  Arn: {{Value: !GetAtt Trail.Arn}}
"""


def settled(cloud: Any, name: str) -> str:
    while (status := cloud.describe_stacks(StackName=name)["Stacks"][0]["StackStatus"]).endswith(
        "_IN_PROGRESS"
    ):
        pass
    return str(status)


def test_a_trail_of_a_template_is_the_services_own(sandbox: Sandbox, listener: EventListener):
    cloud, cloudtrail = sandbox.client("cloudformation"), sandbox.client("cloudtrail")
    stack = cloud.create_stack(StackName="trail", TemplateBody=TRAIL)["StackId"]

    assert settled(cloud, stack) == "CREATE_COMPLETE"
    [trail] = cloudtrail.describe_trails()["trailList"]
    assert (trail["Name"], trail["S3BucketName"], trail["S3KeyPrefix"]) == ("own", "trails", "own")
    assert (
        cloud.describe_stacks(StackName=stack)["Stacks"][0]["Outputs"][0]["OutputValue"]
        == trail["TrailARN"]
    )
    assert (
        cloudtrail.get_event_selectors(TrailName="own")["EventSelectors"][0]["ReadWriteType"]
        == "WriteOnly"
    )
    assert cloudtrail.list_tags(ResourceIdList=[trail["TrailARN"]])["ResourceTagList"][0][
        "TagsList"
    ] == [{"Key": "team", "Value": "data"}]
    assert reported(sandbox, listener) == ["CreateDomain"]

    cloud.update_stack(
        StackName=stack, TemplateBody=TRAIL.replace("IsLogging: true", "IsLogging: false")
    )
    assert (settled(cloud, stack), reported(sandbox, listener)) == ("UPDATE_COMPLETE", [])
    cloud.delete_stack(StackName=stack)
    assert (settled(cloud, stack), cloudtrail.describe_trails()["trailList"]) == (
        "DELETE_COMPLETE",
        [],
    )


def test_a_trail_that_cannot_write_to_its_bucket_fails_its_stack(sandbox: Sandbox):
    cloud = sandbox.client("cloudformation")
    stack = cloud.create_stack(
        StackName="trail", TemplateBody=TRAIL.replace("/own/AWSLogs", "/other/AWSLogs")
    )["StackId"]

    assert settled(cloud, stack) == "ROLLBACK_COMPLETE"
    why = [
        event.get("ResourceStatusReason", "")
        for event in cloud.describe_stack_events(StackName=stack)["StackEvents"]
    ]
    assert any(
        "Incorrect S3 bucket policy is detected for bucket: trails" in reason for reason in why
    )
    assert sandbox.client("cloudtrail").describe_trails()["trailList"] == []


POLICY_BUCKET = "policies"
DATA_EVENTS = {
    "Name": "policy files",
    "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::S3::Object"]},
        {"Field": "readOnly", "Equals": ["false"]},
        {"Field": "resources.ARN", "StartsWith": [f"arn:aws:s3:::{POLICY_BUCKET}/"]},
    ],
}
OF_LAMBDA = {
    "FieldSelectors": [
        {"Field": "eventCategory", "Equals": ["Data"]},
        {"Field": "resources.type", "Equals": ["AWS::Lambda::Function"]},
    ]
}


def write_objects(sandbox: Sandbox, listener: EventListener) -> list[dict[str, Any]]:
    """Write, copy and delete objects of two buckets; return the details of the events."""
    s3 = sandbox.client("s3")
    for bucket in (POLICY_BUCKET, "other"):
        s3.create_bucket(Bucket=bucket)
        s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
        s3.put_object(Bucket=bucket, Key="policy/a b.yaml", Body=b"x")
        s3.get_object(Bucket=bucket, Key="policy/a b.yaml")
        source = {"Bucket": bucket, "Key": "policy/a b.yaml"}
        s3.copy_object(Bucket=bucket, Key="policy/b.yaml", CopySource=source)
        s3.delete_object(Bucket=bucket, Key="policy/b.yaml")
    return [event["detail"] for event in listener.drain_events()]


def test_writes_of_objects_arrive_if_a_trail_logs_data_events_of_their_bucket(
    sandbox: Sandbox, listener: EventListener
):
    sandbox.client("cloudtrail").put_event_selectors(
        TrailName=make_trail(sandbox), AdvancedEventSelectors=[DATA_EVENTS]
    )
    details = write_objects(sandbox, listener)
    version = sandbox.client("s3").head_object(Bucket=POLICY_BUCKET, Key="policy/a b.yaml")

    assert [(each["eventName"], each["requestParameters"]["key"]) for each in details] == [
        ("PutObject", "policy/a b.yaml"),
        ("CopyObject", "policy/b.yaml"),
        ("DeleteObject", "policy/b.yaml"),
    ]
    assert {each["requestParameters"]["bucketName"] for each in details} == {POLICY_BUCKET}
    assert details[0]["responseElements"] == {"x-amz-version-id": version["VersionId"]}
    assert details[2]["responseElements"] is None
    assert details[0]["userIdentity"]["principalId"] == ACCOUNT
    assert (details[0]["eventCategory"], details[0]["managementEvent"]) == ("Data", False)


@pytest.mark.parametrize("selector", [None, OF_LAMBDA], ids=["management", "of functions"])
def test_writes_of_objects_do_not_arrive_otherwise(
    sandbox: Sandbox, listener: EventListener, selector: dict[str, Any] | None
):
    trail = make_trail(sandbox)
    if selector:
        sandbox.client("cloudtrail").put_event_selectors(
            TrailName=trail, AdvancedEventSelectors=[selector]
        )

    assert write_objects(sandbox, listener) == []


def test_a_basic_selector_names_prefixes_of_objects(sandbox: Sandbox, listener: EventListener):
    resource = {"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::other/policy/a"]}
    selector = {"ReadWriteType": "WriteOnly", "DataResources": [resource]}
    sandbox.client("cloudtrail").put_event_selectors(
        TrailName=make_trail(sandbox), EventSelectors=[selector]
    )
    (detail,) = write_objects(sandbox, listener)

    assert detail["resources"][0]["ARN"] == "arn:aws:s3:::other/policy/a b.yaml"


def test_the_event_names_the_session_by_the_id_that_iam_compares(
    sandbox: Sandbox, listener: EventListener
):
    sandbox.client("cloudtrail").put_event_selectors(
        TrailName=make_trail(sandbox), AdvancedEventSelectors=[DATA_EVENTS]
    )
    sandbox.client("s3").create_bucket(Bucket=POLICY_BUCKET)
    role = make_role(sandbox, f"arn:aws:iam::{ACCOUNT}:root")
    allow = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": "*"}
    sandbox.client("iam").put_role_policy(
        RoleName=role.rpartition("/")[2],
        PolicyName="write",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allow]}),
    )
    keys = sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="ana@example.org")
    session = keys["Credentials"]
    sandbox.client("s3", session).put_object(Bucket=POLICY_BUCKET, Key="policy/a", Body=b"")
    (event,) = listener.drain_events()
    who = sandbox.client("sts", session).get_caller_identity()

    identity = event["detail"]["userIdentity"]
    assert (identity["principalId"], identity["arn"]) == (who["UserId"], who["Arn"])
