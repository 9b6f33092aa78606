"""iam:SimulatePrincipalPolicy: what AWS's reference says of it, and that it agrees with the calls."""

import json
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import call_control, make_user, policy_document, unique_name
from sandbox.testing.running import ACCOUNT, Sandbox

TRUST = policy_document(
    {"Principal": {"Service": "sagemaker.amazonaws.com"}, "Action": "sts:AssumeRole"}
)
READ = {"Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}


def make_role(sandbox: Sandbox, *statements: dict[str, Any], path: str = "/") -> str:
    """Create a role with these statements; return its ARN."""
    iam, name = sandbox.client("iam"), unique_name("role")
    arn = iam.create_role(RoleName=name, Path=path, AssumeRolePolicyDocument=TRUST)["Role"]["Arn"]
    iam.put_role_policy(
        RoleName=name, PolicyName="own", PolicyDocument=policy_document(*statements)
    )
    return str(arn)


def simulate(sandbox: Sandbox, arn: str, *actions: str, **more: Any) -> list[dict[str, Any]]:
    answer = sandbox.client("iam").simulate_principal_policy(
        PolicySourceArn=arn, ActionNames=list(actions), **more
    )
    return list(answer["EvaluationResults"])


def decisions(results: Iterable[dict[str, Any]]) -> list[str]:
    return [one["EvalDecision"] for one in results]


def refusal(sandbox: Sandbox, arn: str, *actions: str, **more: Any) -> str:
    with pytest.raises(ClientError) as refused:
        simulate(sandbox, arn, *actions, **more)
    return str(refused.value.response["Error"]["Code"])


def test_every_action_is_judged_on_every_resource_also_for_a_role_with_a_path(server: Sandbox):
    role = make_role(server, READ, {"Effect": "Deny"} | READ | {"Resource": "*/secret"}, path="/a/")
    places = ["arn:aws:s3:::b/x", "arn:aws:s3:::b/secret", "arn:aws:s3:::c/x"]
    results = simulate(server, role, "s3:GetObject", "s3:PutObject", ResourceArns=places)

    assert {(one["EvalActionName"], one["EvalResourceName"]): one["EvalDecision"] for one in results} == {
        ("s3:GetObject", places[0]): "allowed",
        ("s3:GetObject", places[1]): "explicitDeny",
        ("s3:GetObject", places[2]): "implicitDeny",
    } | {("s3:PutObject", place): "implicitDeny" for place in places}  # fmt: skip


def test_a_condition_key_has_a_value_only_if_the_request_names_it(server: Sandbox):
    role = make_role(
        server,
        {
            "Action": "iam:PassRole",
            "Resource": "*",
            "Condition": {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}},
        },
    )
    named = {
        "ContextKeyName": "iam:PassedToService",
        "ContextKeyType": "string",
        "ContextKeyValues": ["sagemaker.amazonaws.com"],
    }
    without, given = (
        simulate(server, role, "iam:PassRole", ContextEntries=entries) for entries in ([], [named])
    )

    assert (decisions(without), decisions(given)) == (["implicitDeny"], ["allowed"])
    assert without[0]["MissingContextValues"] == ["iam:PassedToService"]


def test_a_principals_tag_in_a_policy_variable_is_missing_unless_it_is_named(server: Sandbox):
    own = f"arn:aws:iam::{ACCOUNT}:role/${{aws:PrincipalTag/who, 'nobody'}}"
    role = make_role(
        server,
        {"Action": "iam:PassRole", "Resource": "*"},
        {"Effect": "Deny", "Action": "iam:PassRole", "NotResource": own},
    )
    tag = {
        "ContextKeyName": "aws:PrincipalTag/who",
        "ContextKeyType": "string",
        "ContextKeyValues": ["ana"],
    }
    about = {"ResourceArns": [f"arn:aws:iam::{ACCOUNT}:role/ana"]}

    assert decisions(simulate(server, role, "iam:PassRole", **about)) == ["explicitDeny"]
    assert decisions(simulate(server, role, "iam:PassRole", ContextEntries=[tag], **about)) == [
        "allowed"
    ]


def test_a_permissions_boundary_limits_what_the_policies_allow(server: Sandbox):
    role, iam = make_role(server, {"Action": "*", "Resource": "*"}), server.client("iam")
    boundary = iam.create_policy(
        PolicyName=unique_name("boundary"), PolicyDocument=policy_document(READ)
    )["Policy"]["Arn"]
    iam.put_role_permissions_boundary(
        RoleName=role.rpartition("/")[2], PermissionsBoundary=boundary
    )

    assert decisions(
        simulate(server, role, "s3:GetObject", "s3:PutObject", ResourceArns=["arn:aws:s3:::b/x"])
    ) == ["allowed", "implicitDeny"]


def test_the_policy_of_a_resource_counts_for_users_and_is_refused_for_roles(server: Sandbox):
    name, _ = make_user(server, READ)
    user = f"arn:aws:iam::{ACCOUNT}:user/{name}"
    closed = json.dumps(
        {"Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": "*"}]}
    )
    more = {"ResourceArns": ["arn:aws:s3:::b/x"], "ResourcePolicy": closed}

    assert decisions(simulate(server, user, "s3:GetObject", **more)) == ["explicitDeny"]
    assert refusal(server, make_role(server, READ), "s3:GetObject", **more) == "InvalidInput"


def test_a_session_a_wildcard_and_a_role_that_is_not_there_are_refused(server: Sandbox):
    role = make_role(server, READ)
    session = f"arn:aws:sts::{ACCOUNT}:assumed-role/{role.rpartition('/')[2]}/ana"

    assert [
        refusal(server, session, "s3:GetObject"),
        refusal(server, role, "s3:Get*"),
        refusal(server, f"arn:aws:iam::{ACCOUNT}:role/never", "s3:GetObject"),
    ] == ["InvalidInput", "InvalidInput", "NoSuchEntity"]


def test_the_right_to_simulate_is_judged_on_the_role_that_is_asked_about(server: Sandbox):
    role, other = make_role(server, READ), make_role(server, READ)
    _, keys = make_user(server, {"Action": "iam:SimulatePrincipalPolicy", "Resource": role})
    iam = server.client("iam", keys)
    given = iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["s3:GetObject"])
    with pytest.raises(ClientError, match="SimulatePrincipalPolicy"):
        iam.simulate_principal_policy(PolicySourceArn=other, ActionNames=["s3:GetObject"])

    assert decisions(given["EvaluationResults"]) == ["implicitDeny"]


@pytest.mark.parametrize(("known", "decision"), [(False, "implicitDeny"), (True, "allowed")])
def test_whether_a_roles_own_tags_are_known_is_a_switch(
    server: Sandbox, known: bool, decision: str
):
    team = {"StringEquals": {"aws:PrincipalTag/team": "blue"}}
    role = make_role(server, READ | {"Condition": team})
    server.client("iam").tag_role(
        RoleName=role.rpartition("/")[2], Tags=[{"Key": "team", "Value": "blue"}]
    )
    call_control(server, "faults", "POST", {"switches": {"simulator_knows_tags": known}})
    results = simulate(server, role, "s3:GetObject", ResourceArns=["arn:aws:s3:::b/x"])
    call_control(server, "faults", "DELETE")

    assert decisions(results) == [decision]
