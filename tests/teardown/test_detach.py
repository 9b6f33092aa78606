"""A policy is detached from everybody who has it, and never taken away as a boundary."""

from typing import Any

import pytest

from grantor.aws.cleanup import detach_policy
from sandbox.testing.helpers import policy_document, unique_name
from tests.teardown.conftest import build_trust_policy

ELSEWHERE = "arn:aws:iam::aws:policy/ReadOnlyAccess"


@pytest.fixture(scope="module")
def iam(start_sandbox) -> Any:
    return start_sandbox().client("iam")


@pytest.fixture
def policy(iam: Any) -> str:
    document = policy_document({"Action": "s3:GetObject", "Resource": "*"})
    made = iam.create_policy(PolicyName=unique_name("ours"), PolicyDocument=document)
    return str(made["Policy"]["Arn"])


def create_role(iam: Any, *policies: str, **more: str) -> str:
    name = unique_name("role")
    iam.create_role(
        RoleName=name, AssumeRolePolicyDocument=build_trust_policy("ec2.amazonaws.com"), **more
    )
    for policy in policies:
        iam.attach_role_policy(RoleName=name, PolicyArn=policy)
    return name


def list_attached(iam: Any, role: str) -> list[str]:
    listed = iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return [it["PolicyArn"] for it in listed]


def test_it_is_detached_from_roles_users_and_groups_and_other_policies_stay(iam: Any, policy: str):
    role, user, group = create_role(iam, policy, ELSEWHERE), unique_name("u"), unique_name("g")
    own = create_role(iam, policy)
    iam.create_user(UserName=user)
    iam.attach_user_policy(UserName=user, PolicyArn=policy)
    iam.create_group(GroupName=group)
    iam.attach_group_policy(GroupName=group, PolicyArn=policy)

    assert detach_policy(iam, policy, [own]) == 3
    assert list_attached(iam, role) == [ELSEWHERE]
    assert list_attached(iam, own) == [policy]
    assert iam.list_attached_user_policies(UserName=user)["AttachedPolicies"] == []
    assert iam.list_attached_group_policies(GroupName=group)["AttachedPolicies"] == []
    assert detach_policy(iam, policy, [own]) == 0


def test_a_policy_that_is_gone_has_no_bearers(iam: Any, policy: str):
    iam.delete_policy(PolicyArn=policy)

    assert detach_policy(iam, policy, ()) == 0


def test_a_boundary_stays_and_is_named_with_what_to_do(iam: Any, policy: str):
    bounded, other = create_role(iam, PermissionsBoundary=policy), create_role(iam, policy)

    with pytest.raises(RuntimeError) as refused:
        detach_policy(iam, policy, ())
    said = str(refused.value)
    assert (
        f"{policy} is the permissions boundary of role {bounded}, so it cannot be deleted" in said
    )
    assert f"aws iam delete-role-permissions-boundary --role-name {bounded}" in said
    assert list_attached(iam, other) == [policy]
