"""A change set names what AWS's names: resources that a condition switches, and Outputs alone."""

import pytest
from botocore.exceptions import ClientError, WaiterError

SWITCHED = """
Parameters: {CreateStudio: {Type: String, Default: "false"}, Word: {Type: String, Default: a}}
Conditions:
  Made: !Equals [!Ref CreateStudio, "true"]
  Else: !Not [!Condition Made]
Resources:
  Always: {Type: AWS::SQS::Queue}
  Studio: {Type: AWS::SNS::Topic, Condition: Made}
  Trail: {Type: AWS::SQS::Queue, Condition: Else}
Outputs:
  Word: {Value: !Ref Word}
"""


def describe(stacks, template, **parameters):
    """What a change set of the stack `switched` says: status, and action and resource."""
    stacks.cloud.create_change_set(
        StackName="switched",
        ChangeSetName="next",
        TemplateBody=template,
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
    )
    found = stacks.cloud.describe_change_set(StackName="switched", ChangeSetName="next")
    changes = [it["ResourceChange"] for it in found["Changes"]]
    return found["Status"], {(it["Action"], it["LogicalResourceId"]) for it in changes}


def test_a_parameter_that_switches_a_condition_adds_and_removes(stacks):
    stacks.create("switched", SWITCHED)

    assert describe(stacks, SWITCHED, CreateStudio="true") == (
        "CREATE_COMPLETE",
        {("Add", "Studio"), ("Remove", "Trail")},
    )
    stacks.cloud.execute_change_set(StackName="switched", ChangeSetName="next")
    assert stacks.settled("switched") == "UPDATE_COMPLETE"
    assert stacks.physical("switched").keys() == {"Always", "Studio"}


@pytest.mark.parametrize(
    ("template", "parameters"),
    [
        (SWITCHED.replace("!Ref Word}", "!Sub '${Word}-b'}"), {"Word": "b"}),
        (SWITCHED, {"Word": "b"}),
        (SWITCHED + "  Other: {Value: c}\n", {}),
        (SWITCHED.replace("Word: {Value: !Ref Word}", "Other: {Value: c}"), {}),
    ],
    ids=["the value", "a parameter behind it", "another output", "an output is renamed"],
)
def test_a_change_of_outputs_alone_can_be_executed_and_lists_no_resource(
    stacks, template, parameters
):
    stacks.create("switched", SWITCHED)

    assert describe(stacks, template, **parameters) == ("CREATE_COMPLETE", set())
    stacks.cloud.execute_change_set(StackName="switched", ChangeSetName="next")
    assert stacks.settled("switched") == "UPDATE_COMPLETE"
    assert stacks.outputs("switched") != {"Word": "a"}


@pytest.mark.parametrize(
    "template",
    [SWITCHED, SWITCHED.replace("Word: {Type", "Unused: {Type: String, Default: b}, Word: {Type")],
    ids=["nothing", "an unused parameter"],
)
def test_a_change_set_without_changes_fails(stacks, template):
    stacks.create("switched", SWITCHED)

    assert describe(stacks, template) == ("FAILED", set())
    with pytest.raises(ClientError, match="InvalidChangeSetStatus"):
        stacks.cloud.execute_change_set(StackName="switched", ChangeSetName="next")
    with pytest.raises(WaiterError):
        stacks.cloud.get_waiter("change_set_create_complete").wait(
            StackName="switched", ChangeSetName="next", WaiterConfig={"MaxAttempts": 1}
        )


LISTED = """
Parameters: {Subnets: {Type: CommaDelimitedList, Default: ""}}
Conditions: {Some: !Not [!Equals [!Join ["", !Ref Subnets], ""]]}
Resources:
  Always: {Type: AWS::SQS::Queue}
  Network: {Type: AWS::SNS::Topic, Condition: Some}
"""


def test_a_condition_joins_the_members_of_a_list(stacks):
    stacks.create("switched", LISTED)
    assert stacks.physical("switched").keys() == {"Always"}

    assert describe(stacks, LISTED, Subnets="a,b") == ("CREATE_COMPLETE", {("Add", "Network")})
    stacks.cloud.execute_change_set(StackName="switched", ChangeSetName="next")
    assert stacks.settled("switched") == "UPDATE_COMPLETE"
    assert stacks.physical("switched").keys() == {"Always", "Network"}
