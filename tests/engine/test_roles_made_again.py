"""A role is deleted, and another one is made under its name: it may be somebody else's."""

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError

from grantor.aws.services import Services
from sandbox.testing.helpers import policy_document
from tests.conftest import ACCOUNT
from tests.engine.helpers import (
    AlertInbox,
    assert_run_changes_nothing,
    assert_settled,
    build_fault,
    find_report_lines,
    injected_faults,
)
from tests.grantor_setup import DATA, GrantorSetup

RULE = """\
version: 1
rules:
  - name: own
    to: {each_profile: {domain: Product-Domain}}
    on: s3://{data_bucket}/{profile.folder}/*
    allow: READ
"""
ANA, USER_A = "READ s3://data/UserA/* to role/role-userA", "role-userA"
BEN = "READ s3://data/UserB/* to role/role-userB"


@pytest.fixture
def own(setup: GrantorSetup) -> GrantorSetup:
    """A setup whose profiles have a folder each."""
    setup.put_policy("a", RULE)
    setup.reconcile()
    return setup


def make_again(setup: GrantorSetup) -> None:
    setup.client("iam").delete_role(RoleName=USER_A)
    setup.create_role(USER_A)


def build_granting(setup: GrantorSetup) -> Services:
    """Services of a stack whose parameter RecreatedRoles is `grant`."""
    services = setup.build_warm_services()
    return Services(replace(services.names, recreated_roles="grant"), services.clients)


def can_read(setup: GrantorSetup) -> bool:
    """Whether the role that has the name now gets credentials."""
    iam, role = setup.client("iam"), f"arn:aws:iam::{ACCOUNT}:role/{USER_A}"
    root = {"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}
    trust = policy_document(root | {"Action": "sts:AssumeRole"})
    iam.update_assume_role_policy(RoleName=USER_A, PolicyDocument=trust)
    may_ask = policy_document({"Action": "s3:GetDataAccess", "Resource": "*"})
    iam.put_role_policy(RoleName=USER_A, PolicyName="ask", PolicyDocument=may_ask)
    keys = setup.client("sts").assume_role(RoleArn=role, RoleSessionName="somebody")["Credentials"]
    asked = {"AccountId": ACCOUNT, "Target": f"s3://{DATA}/UserA/*", "Permission": "READ"}
    try:
        setup.sandbox.client("s3control", keys).get_data_access(**asked)
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    finally:
        iam.delete_role_policy(RoleName=USER_A, PolicyName="ask")
    return True


@pytest.mark.parametrize("survives", [True, False])
def test_a_stranger_with_an_old_name_inherits_nothing_and_a_person_is_told(
    own: GrantorSetup, survives: bool
) -> None:
    own.set_switches(grants_survive_their_role=survives)
    alerts = AlertInbox(own)
    make_again(own)
    assert can_read(own) is survives
    report = own.reconcile()

    assert (report.deleted, own.describe_grants(), can_read(own)) == (1, {BEN}, False)
    (error,) = find_report_lines(report, "error")
    assert f"role/{USER_A} was deleted and made again" in error
    assert [body for _, body in alerts.read_new() if "was deleted and made again" in body]
    assert_run_changes_nothing(own)
    focused = own.reconcile(own.build_profile_trigger("userA"))
    assert (focused.done, own.describe_grants()) == ([], {BEN})


@pytest.mark.parametrize("survives", [True, False])
def test_where_roles_are_rebuilt_the_grants_are_made_again(
    own: GrantorSetup, survives: bool
) -> None:
    own.set_switches(grants_survive_their_role=survives)
    before = own.list_grants()
    make_again(own)
    report = own.reconcile(services=build_granting(own))

    assert (report.deleted, report.created) == (1, 1)
    assert (own.describe_grants(), can_read(own)) == ({ANA, BEN}, True)
    assert len(set(before.values()) - set(own.list_grants().values())) == 1
    assert_settled(own, {ANA, BEN})  # also where strangers get nothing: it is no stranger now


def test_a_grant_that_could_not_be_made_again_is_made_by_the_next_run(own: GrantorSetup) -> None:
    make_again(own)
    fault = build_fault("s3control/CreateAccessGrant", "invalid-grantee", times=1)
    with injected_faults(own, fault):
        assert own.reconcile(services=build_granting(own)).created == 0
    own.reconcile(services=build_granting(own))

    assert can_read(own)
    assert_settled(own, {ANA, BEN})


def test_who_was_out_of_the_rules_for_a_run_is_no_stranger(own: GrantorSetup) -> None:
    make_again(own)
    own.reconcile()
    own.put_policy(
        "a", RULE.replace("{domain: Product-Domain}", "{domain: Product-Domain, names: [userB]}")
    )
    own.reconcile()
    own.put_policy("a", RULE)

    assert_settled(own, {ANA, BEN})


def test_a_role_that_is_gone_keeps_its_grant_and_is_named(own: GrantorSetup) -> None:
    own.client("iam").delete_role(RoleName=USER_A)
    report = own.reconcile()

    assert (report.done, own.describe_grants()) == ([], {ANA, BEN})
    assert [line for line in find_report_lines(report, "warning") if f"role/{USER_A}" in line]
    own.create_role(USER_A)
    assert own.reconcile().deleted == 1
