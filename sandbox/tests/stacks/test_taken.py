"""A name that is taken fails whoever wants it for a second thing.

And the first thing stays as it is, whoever made it.
"""

from typing import Any

import pytest

from sandbox.testing.helpers import policy_document

TRUST = "{Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]}"
NOTHING = '{Version: "2012-10-17", Statement: [{Effect: Allow, Action: "s3:ListAllMyBuckets", Resource: "*"}]}'
KEYS = (
    "KeySchema: [{AttributeName: pk, KeyType: HASH}], AttributeDefinitions: "
    "[{AttributeName: pk, AttributeType: S}]"
)
ALARM = (
    "MetricName: m, Namespace: n, ComparisonOperator: GreaterThanThreshold, EvaluationPeriods: 1, "
    "Period: 60, Statistic: Sum, Threshold: 0"
)

TAKEN = {
    "AWS::CloudWatch::Alarm": f"AlarmName: taken, {ALARM}",
    "AWS::CloudWatch::Dashboard": "DashboardName: taken, DashboardBody: '{\"widgets\": []}'",
    "AWS::DynamoDB::Table": f"TableName: taken, BillingMode: PAY_PER_REQUEST, {KEYS}",
    "AWS::Events::Rule": "Name: taken, ScheduleExpression: rate(5 minutes)",
    "AWS::IAM::ManagedPolicy": f"ManagedPolicyName: taken, PolicyDocument: {NOTHING}",
    "AWS::IAM::Role": f"RoleName: taken, AssumeRolePolicyDocument: {TRUST}",
    "AWS::IAM::User": "UserName: taken",
    "AWS::Logs::LogGroup": "LogGroupName: taken",
    "AWS::SNS::Topic": "TopicName: taken",
    "AWS::SQS::Queue": "QueueName: taken",
}


def stack(kind: str, properties: str) -> str:
    return (
        f"Resources: "
        f"{{Before: {{Type: AWS::SQS::Queue}}, Thing: {{Type: {kind}, DependsOn: Before, Properties: {{{properties}}}}}}}"
    )


@pytest.mark.parametrize(("kind", "properties"), TAKEN.items(), ids=TAKEN)
def test_a_second_stack_cannot_have_the_name_and_its_rollback_leaves_the_first_ones_resource(
    stacks, kind, properties
):
    assert stacks.create("first", stack(kind, properties)) == "CREATE_COMPLETE", stacks.why("first")
    before = stacks.things()

    status = stacks.create("second", stack(kind, properties))

    assert status == "ROLLBACK_COMPLETE"
    assert stacks.why("second") == {
        "Thing": f"taken already exists in stack {stacks.described('first')['StackId']}"
    }
    assert stacks.things() - before == {"cloudformation stacks: second"}
    assert before <= stacks.things()
    assert stacks.delete("second") == "DELETE_COMPLETE"
    assert stacks.things() == before


def test_what_no_stack_created_is_not_taken_over_either(stacks):
    iam = stacks.client("iam")
    trust = policy_document(
        {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
    )
    iam.create_role(RoleName="taken", AssumeRolePolicyDocument=trust)
    iam.put_role_policy(
        RoleName="taken",
        PolicyName="own",
        PolicyDocument=policy_document({"Action": "s3:*", "Resource": "*"}),
    )
    before = role(iam)

    status = stacks.create("second", stack("AWS::IAM::Role", TAKEN["AWS::IAM::Role"]))

    assert (status, stacks.why("second")) == (
        "ROLLBACK_COMPLETE",
        {"Thing": "taken already exists"},
    )
    assert role(iam) == before


def role(iam: Any) -> tuple[Any, ...]:
    known = iam.get_role(RoleName="taken")["Role"]
    return (
        known["RoleId"],
        known["AssumeRolePolicyDocument"],
        iam.list_role_policies(RoleName="taken")["PolicyNames"],
    )


def test_nor_is_it_by_an_update_that_asks_for_another_name(stacks):
    stacks.create("first", stack("AWS::SQS::Queue", "QueueName: taken"))
    stacks.create("second", stack("AWS::SQS::Queue", "QueueName: free"))
    before = stacks.things()

    status = stacks.update("second", stack("AWS::SQS::Queue", "QueueName: taken"))

    assert status == "UPDATE_ROLLBACK_COMPLETE"
    assert stacks.why("second")["Thing"].startswith("taken already exists in stack ")
    assert stacks.things() == before


def test_an_update_that_keeps_the_name_goes_on(stacks):
    stacks.create("first", stack("AWS::SQS::Queue", "QueueName: taken"))

    assert (
        stacks.update("first", stack("AWS::SQS::Queue", "QueueName: taken, VisibilityTimeout: 7"))
        == "UPDATE_COMPLETE"
    )


def test_a_rule_on_another_bus_may_have_the_name(stacks):
    stacks.client("events").create_event_bus(Name="other")
    stacks.create("first", stack("AWS::Events::Rule", TAKEN["AWS::Events::Rule"]))
    pattern = "Name: taken, EventBusName: other, EventPattern: {source: [own]}"

    assert stacks.create("second", stack("AWS::Events::Rule", pattern)) == "CREATE_COMPLETE", (
        stacks.why("second")
    )


FUNCTION = """
Resources:
  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: %s}}
  Thing:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: taken
      Runtime: python3.12
      Handler: index.handler
      Role: !GetAtt Role.Arn
      Code: {ZipFile: "def handler(event, context): return '%s'"}
"""


def test_a_function_of_the_name_keeps_its_code(stacks):
    stacks.create("first", FUNCTION % (TRUST, "first"))

    assert stacks.create("second", FUNCTION % (TRUST, "second")) == "ROLLBACK_COMPLETE"
    answer = stacks.client("lambda").invoke(FunctionName="taken")
    assert answer["Payload"].read() == b'"first"'
