"""What fails takes back what it did, and what cannot be deleted stays and says so."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

TOO_LONG = "Invalid value for the parameter VisibilityTimeout. Value must be between 0 and 43200."
QUEUES = """
Resources:
  First: {Type: AWS::SQS::Queue, Properties: {QueueName: first, VisibilityTimeout: 10}}
  Second: {Type: AWS::SQS::Queue, DependsOn: First, Properties: {VisibilityTimeout: 99999}}
"""


def test_a_create_that_fails_leaves_nothing_but_its_record_and_that_can_be_deleted(stacks):
    before = stacks.things()

    status = stacks.create("half", QUEUES)

    assert (status, stacks.why("half")) == ("ROLLBACK_COMPLETE", {"Second": TOO_LONG})
    assert stacks.things() - before == {"cloudformation stacks: half"}
    assert stacks.delete("half") == "DELETE_COMPLETE"
    assert stacks.things() == before


CREATE = {"ChangeSetName": "again", "ChangeSetType": "CREATE"}
UPDATE = {"ChangeSetName": "again", "ChangeSetType": "UPDATE"}


@pytest.mark.parametrize(
    ("operation", "more", "said"),
    [
        ("create_stack", {}, r"Stack \[half\] already exists"),
        ("update_stack", {}, "is in ROLLBACK_COMPLETE state and can\x20not be updated"),
        ("create_change_set", UPDATE, "is in ROLLBACK_COMPLETE state and can\x20not be updated"),
        (
            "create_change_set",
            CREATE,
            r"already exists and cannot be created again with the changeSet \[again\]",
        ),
    ],
    ids=["create", "update", "change set to update", "change set to create"],
)
def test_what_was_rolled_back_is_deleted_before_its_name_is_used_again(
    stacks, operation, more, said
):
    stacks.create("half", QUEUES)

    with pytest.raises(ClientError, match=said):
        getattr(stacks.cloud, operation)(StackName="half", TemplateBody=QUEUES, **more)
    assert stacks.described("half")["StackStatus"] == "ROLLBACK_COMPLETE"


def test_an_update_that_fails_goes_back_to_what_was(stacks):
    stacks.create("changing", QUEUES.replace("99999", "20"))
    before = stacks.things()

    status = stacks.update(
        "changing",
        QUEUES.replace("10", "30") + "  Third: {Type: AWS::SQS::Queue, DependsOn: Second}\n",
    )

    assert (status, stacks.why("changing")) == ("UPDATE_ROLLBACK_COMPLETE", {"Second": TOO_LONG})
    assert (visibility(stacks, "first"), stacks.things()) == ("10", before)


def visibility(stacks: Any, queue: str) -> str:
    sqs = stacks.client("sqs")
    asked = {
        "QueueUrl": sqs.get_queue_url(QueueName=queue)["QueueUrl"],
        "AttributeNames": ["VisibilityTimeout"],
    }
    return str(sqs.get_queue_attributes(**asked)["Attributes"]["VisibilityTimeout"])


def test_an_update_reports_what_it_touches_and_nothing_else(stacks):
    template = QUEUES.replace("99999", "20")
    stacks.create("changing", template)
    reported = len(stacks.events("changing"))
    ids = stacks.physical("changing")

    status = stacks.update(
        "changing", template.replace("20", "30") + "  Third: {Type: AWS::SQS::Queue}\n"
    )

    assert status == "UPDATE_COMPLETE"
    assert stacks.events("changing")[reported:] == [
        ("changing", "UPDATE_IN_PROGRESS"),
        ("Second", "UPDATE_IN_PROGRESS"),
        ("Second", "UPDATE_COMPLETE"),
        ("Third", "CREATE_IN_PROGRESS"),
        ("Third", "CREATE_COMPLETE"),
        ("changing", "UPDATE_COMPLETE"),
    ]
    assert ids.items() < stacks.physical("changing").items()


TABLE = """
Resources:
  Table:
    Type: AWS::DynamoDB::Table
    Properties:
      BillingMode: PAY_PER_REQUEST
      KeySchema: [{AttributeName: who, KeyType: HASH}]
      AttributeDefinitions: [{AttributeName: who, AttributeType: S}]
      TimeToLiveSpecification: {Enabled: true, AttributeName: ""}
"""


def test_a_resource_that_fails_at_its_last_property_is_not_left_half_made(stacks):
    before = stacks.things()

    status = stacks.create("table", TABLE)

    assert status == "ROLLBACK_COMPLETE"
    assert "timeToLiveSpecification.attributeName" in stacks.why("table")["Table"]
    assert stacks.things() - before == {"cloudformation stacks: table"}


FULL = (
    "The bucket you tried to delete is not empty. You must delete all versions in the bucket. "
    "(Service: S3, Status Code: 409)"
)
BUCKET = """
Resources:
  Data: {Type: AWS::S3::Bucket, Properties: {BucketName: data, VersioningConfiguration: {Status: Enabled}}}
  EventQueue: {Type: AWS::SQS::Queue}
"""


def test_a_bucket_with_objects_keeps_its_stack_until_it_is_emptied(stacks):
    before = stacks.things()
    stacks.create("full", BUCKET)
    version = stacks.client("s3").put_object(Bucket="data", Key="a.csv", Body=b"M")["VersionId"]

    assert stacks.delete("full") == "DELETE_FAILED"
    assert stacks.why("full") == {"Data": FULL}
    assert stacks.things() - before == {"cloudformation stacks: full", "s3 buckets: data"}
    stacks.client("s3").delete_object(Bucket="data", Key="a.csv", VersionId=version)
    assert stacks.delete("full") == "DELETE_COMPLETE"
    assert stacks.things() == before


def test_a_bucket_whose_objects_are_only_hidden_by_delete_markers_is_not_empty(stacks):
    stacks.create("full", BUCKET)
    stacks.client("s3").put_object(Bucket="data", Key="a.csv", Body=b"M")
    stacks.client("s3").delete_object(Bucket="data", Key="a.csv")

    assert stacks.delete("full") == "DELETE_FAILED"


@pytest.fixture
def parent(stacks):
    """The text of a stack with a queue and a nested stack of this template."""

    def of(child: str) -> str:
        address = stacks.put_template(f"{hash(child)}.yaml", child)
        return f"""
Resources:
  Before: {{Type: AWS::SQS::Queue}}
  Child: {{Type: AWS::CloudFormation::Stack, DependsOn: Before, Properties: {{TemplateURL: "{address}"}}}}
"""

    return of


def test_a_nested_stack_that_fails_takes_back_what_it_made_and_its_parent_too(stacks, parent):
    template = parent(QUEUES)
    before = stacks.things()

    status = stacks.create("outer", template)

    assert status == "ROLLBACK_COMPLETE"
    assert stacks.why("outer")["Child"].endswith(f"was not successfully created: {TOO_LONG}")
    assert stacks.things() - before == {"cloudformation stacks: outer"}


def test_a_nested_template_is_judged_as_any_other(stacks, parent):
    status = stacks.create(
        "outer", parent("Resources: {EventQueue: {Type: AWS::SQS::Queue, Properties: {Color: a}}}")
    )

    assert status == "ROLLBACK_COMPLETE"
    assert "extraneous key [Color] is not permitted" in stacks.why("outer")["Child"]


def test_a_nested_stack_is_deleted_when_its_parent_fails_after_it(stacks, parent):
    template = parent(QUEUES.replace("99999", "20")) + QUEUES.partition("Resources:\n")[2].replace(
        "First", "Child"
    )
    before = stacks.things()

    status = stacks.create("outer", template)

    assert (status, stacks.why("outer")) == ("ROLLBACK_COMPLETE", {"Second": TOO_LONG})
    assert stacks.things() - before == {"cloudformation stacks: outer"}


def test_a_nested_stack_names_its_parent(stacks, parent):
    stacks.create("outer", parent(QUEUES.replace("99999", "20")))
    outer, child = stacks.described("outer"), stacks.described(stacks.physical("outer")["Child"])

    assert (child["ParentId"], child["RootId"]) == (outer["StackId"], outer["StackId"])
    assert "ParentId" not in outer


def test_a_nested_update_that_fails_goes_back_to_what_was(stacks, parent):
    stacks.create("outer", parent(QUEUES.replace("99999", "20")))
    before = stacks.things()

    status = stacks.update("outer", parent(QUEUES.replace("10", "30")))

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert (visibility(stacks, "first"), stacks.things()) == ("10", before)


def test_a_nested_update_leaves_what_does_not_change_as_it_was(stacks, parent):
    reported = "Outputs: {Arn: {Value: !GetAtt First.Arn}}\n"
    stacks.create("outer", parent(QUEUES.replace("99999", "20") + reported))
    child = stacks.physical("outer")["Child"]
    before = stacks.outputs(child)

    status = stacks.update("outer", parent(QUEUES.replace("99999", "30") + reported))

    assert status == "UPDATE_COMPLETE", stacks.why("outer")
    assert stacks.outputs(child) == before


def test_a_full_bucket_in_a_nested_stack_keeps_both_stacks_until_it_is_emptied(stacks, parent):
    template = parent(BUCKET)
    before = stacks.things()
    stacks.create("outer", template)
    version = stacks.client("s3").put_object(Bucket="data", Key="a.csv", Body=b"M")["VersionId"]
    child = stacks.physical("outer")["Child"]

    assert stacks.delete("outer") == "DELETE_FAILED"
    assert stacks.why("outer")["Child"].endswith(
        "was not successfully deleted: The following resource(s) failed to delete: [Data]."
    )
    assert stacks.why(child) == {"Data": FULL}
    stacks.client("s3").delete_object(Bucket="data", Key="a.csv", VersionId=version)
    assert stacks.delete("outer") == "DELETE_COMPLETE"
    assert stacks.things() == before


CUSTOM = """
Resources:
  Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      Policies:
        - PolicyName: log
          PolicyDocument: {Statement: [{Effect: Allow, Action: "logs:*", Resource: "*"}]}
  Answering:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: answering
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code:
        ZipFile: |
          import json, urllib.request

          def handler(event, context):
              print("asked to", event["RequestType"], event.get("PhysicalResourceId"))
              wanted = event["ResourceProperties"]["Answer"] if event["RequestType"] == "Create" else "SUCCESS"
              answer = {name: event[name] for name in ("StackId", "RequestId", "LogicalResourceId")}
              answer |= {"Status": wanted, "Reason": "No data.", "PhysicalResourceId": "half-made", "Data": {"Rows": 3}}
              body = json.dumps(answer).encode()
              urllib.request.urlopen(urllib.request.Request(event["ResponseURL"], body, method="PUT"))
  Loaded:
    Type: Custom::Loaded
    Properties: {ServiceToken: !GetAtt Answering.Arn, ServiceTimeout: 20, Answer: SUCCESS}
Outputs:
  Rows: {Value: !GetAtt Loaded.Rows}
"""


def test_a_custom_resource_answers_with_its_data(stacks):
    status = stacks.create("custom", CUSTOM)

    assert (status, stacks.outputs("custom")) == ("CREATE_COMPLETE", {"Rows": "3"})


def test_a_custom_resource_that_answers_failed_is_rolled_back_and_deleted(stacks):
    before = stacks.things()

    status = stacks.create("custom", CUSTOM.replace("Answer: SUCCESS", "Answer: FAILED"))

    assert (status, stacks.why("custom")) == ("ROLLBACK_COMPLETE", {"Loaded": "No data."})
    assert stacks.things() - before == {
        "cloudformation stacks: custom",
        "logs log_groups: /aws/lambda/answering",
    }
    assert asked(stacks) == ["asked to Create None", "asked to Delete half-made"]


def test_a_custom_resource_in_a_nested_stack_is_sent_back_after_its_update_failed(stacks, parent):
    fickle = CUSTOM.replace(' if event["RequestType"] == "Create" else "SUCCESS"', "")
    stacks.create("outer", parent(fickle))

    status = stacks.update("outer", parent(fickle.replace("Answer: SUCCESS", "Answer: FAILED")))

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert [line.split()[2] for line in asked(stacks)] == ["Create", "Update", "Update"]


def asked(stacks: Any) -> list[str]:
    lines = stacks.client("logs").filter_log_events(
        logGroupName="/aws/lambda/answering", filterPattern="asked"
    )["events"]
    return [line["message"].strip() for line in lines]


REFUSED_DELETION = CUSTOM.replace(
    'wanted = event["ResourceProperties"]["Answer"] if event["RequestType"] == "Create" else '
    '"SUCCESS"',
    'wanted = "SUCCESS" if event["RequestType"] != "Delete" or "ready" in environ["NOW"] else '
    '"FAILED"',
).replace(
    "import json, urllib.request", "import json, urllib.request\n          from os import environ"
)


# A custom resource that says FAILED to its deletion until its function's variable NOW says ready.
STUBBORN = REFUSED_DELETION.replace(
    "      Runtime:", "      Environment: {Variables: {NOW: not yet}}\n      Runtime:"
)


def become_ready(stacks: Any) -> None:
    stacks.client("lambda").update_function_configuration(
        FunctionName="answering", Environment={"Variables": {"NOW": "ready"}}
    )


def test_what_cannot_be_deleted_keeps_what_it_depends_on_and_the_next_try_continues_from_there(
    stacks,
):
    assert stacks.create("custom", STUBBORN) == "CREATE_COMPLETE", stacks.why("custom")
    ids = stacks.physical("custom")

    assert (stacks.delete("custom"), stacks.why("custom")) == (
        "DELETE_FAILED",
        {"Loaded": "No data."},
    )
    assert (
        stacks.described("custom")["StackStatusReason"]
        == "The following resource(s) failed to delete: [Loaded]."
    )
    assert stacks.physical("custom") == ids
    reported = stacks.events("custom")
    assert [status for name, status in reported if name == "Answering"] == [
        "CREATE_IN_PROGRESS",
        "CREATE_COMPLETE",
    ]
    become_ready(stacks)
    assert stacks.delete("custom") == "DELETE_COMPLETE"


def test_what_a_rollback_could_not_delete_stays_in_the_stack_and_is_deleted_with_it(stacks):
    before = stacks.things()
    late = (
        "  Late: "
        "{Type: AWS::SQS::Queue, DependsOn: Loaded, Properties: {VisibilityTimeout: 99999}}\n"
    )

    assert (
        stacks.create("custom", STUBBORN.replace("Outputs:", f"{late}Outputs:"))
        == "ROLLBACK_FAILED"
    )
    assert stacks.why("custom") == {"Late": TOO_LONG, "Loaded": "No data."}
    assert stacks.physical("custom").keys() == {"Role", "Answering", "Loaded"}
    become_ready(stacks)
    assert stacks.delete("custom") == "DELETE_COMPLETE"
    assert stacks.things() - before == {"logs log_groups: /aws/lambda/answering"}
