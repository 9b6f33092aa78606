"""What others have attached to a stack's IAM resources keeps these from being deleted."""

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import make_user, policy_document, unique_name

PEOPLE = """
Resources:
  Reader:
    Type: AWS::IAM::ManagedPolicy
    Properties:
      PolicyDocument: &nothing
        Version: "2012-10-17"
        Statement: [{Effect: Deny, Action: "*", Resource: "*"}]
  Steward:
    Type: AWS::IAM::Role
    Properties:
      RoleName: steward
      AssumeRolePolicyDocument:
        Version: "2012-10-17"
        Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: sts:AssumeRole}]
      ManagedPolicyArns: [!Ref Reader]
      Policies: [{PolicyName: own, PolicyDocument: *nothing}]
"""
TRUST = policy_document(
    {"Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
)
NOTHING = policy_document({"Effect": "Deny", "Action": "*", "Resource": "*"})
ATTACHED = "Cannot delete a policy attached to entities."


def attach_to_role(iam, policy):
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=TRUST)
    iam.attach_role_policy(RoleName="theirs", PolicyArn=policy)
    return lambda: iam.detach_role_policy(RoleName="theirs", PolicyArn=policy)


def attach_to_user(iam, policy):
    iam.create_user(UserName="theirs")
    iam.attach_user_policy(UserName="theirs", PolicyArn=policy)
    return lambda: iam.detach_user_policy(UserName="theirs", PolicyArn=policy)


def attach_to_group(iam, policy):
    iam.create_group(GroupName="theirs")
    iam.attach_group_policy(GroupName="theirs", PolicyArn=policy)
    return lambda: iam.detach_group_policy(GroupName="theirs", PolicyArn=policy)


def make_boundary(iam, policy):
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument=TRUST, PermissionsBoundary=policy)
    return lambda: iam.delete_role_permissions_boundary(RoleName="theirs")


@pytest.mark.parametrize("use", [attach_to_role, attach_to_user, attach_to_group, make_boundary])
def test_a_policy_that_others_use_keeps_its_stack_from_being_deleted(stacks, use):
    stacks.create("people", PEOPLE)
    take_back = use(stacks.client("iam"), stacks.physical("people")["Reader"])

    assert stacks.delete("people") == "DELETE_FAILED"
    assert stacks.why("people").keys() == {"Reader"}
    assert stacks.why("people")["Reader"].startswith(ATTACHED)
    take_back()
    assert stacks.delete("people") == "DELETE_COMPLETE"


@pytest.mark.parametrize(
    ("give", "why"),
    [
        (
            lambda iam: iam.attach_role_policy(
                RoleName="steward", PolicyArn="arn:aws:iam::aws:policy/ReadOnlyAccess"
            ),
            "Cannot delete entity, must detach all policies first.",
        ),
        (
            lambda iam: iam.put_role_policy(
                RoleName="steward", PolicyName="end", PolicyDocument=NOTHING
            ),
            "Cannot delete entity, must delete policies first.",
        ),
    ],
    ids=["a managed policy", "an inline policy"],
)
def test_a_role_that_others_gave_a_policy_stays(stacks, give, why):
    stacks.create("people", PEOPLE)
    give(stacks.client("iam"))

    assert stacks.delete("people") == "DELETE_FAILED"
    assert stacks.why("people")["Steward"].startswith(why)


def test_what_the_template_attached_is_no_obstacle(stacks):
    stacks.create("people", PEOPLE)

    assert stacks.delete("people") == "DELETE_COMPLETE"


def test_a_policy_may_bound_which_policies_are_detached_by_their_arn(own_stacks):
    iam = own_stacks.client("iam")
    ours, theirs = (
        iam.create_policy(PolicyName=unique_name("p"), PolicyDocument=NOTHING) for _ in range(2)
    )
    arns = ours["Policy"]["Arn"], theirs["Policy"]["Arn"]
    iam.create_role(RoleName="ana", Path="/a/", AssumeRolePolicyDocument=TRUST)
    iam.create_group(GroupName="team")
    for arn in arns:
        iam.attach_role_policy(RoleName="ana", PolicyArn=arn)
        iam.attach_group_policy(GroupName="team", PolicyArn=arn)
    bearers = ["arn:aws:iam::000000000000:role/a/*", "arn:aws:iam::000000000000:group/*"]
    allow = {"Effect": "Allow", "Action": "iam:Detach*", "Resource": bearers}
    bound = {"Condition": {"ArnEquals": {"iam:PolicyARN": [arns[0]]}}}
    _, keys = make_user(own_stacks.sandbox, allow | bound)
    as_user = own_stacks.sandbox.client("iam", keys)

    as_user.detach_role_policy(RoleName="ana", PolicyArn=arns[0])
    as_user.detach_group_policy(GroupName="team", PolicyArn=arns[0])
    with pytest.raises(ClientError, match="not authorized to perform: iam:DetachRolePolicy"):
        as_user.detach_role_policy(RoleName="ana", PolicyArn=arns[1])
    with pytest.raises(ClientError, match="on resource: arn:aws:iam::000000000000:group/team"):
        as_user.detach_group_policy(GroupName="team", PolicyArn=arns[1])
