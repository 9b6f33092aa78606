"""A grant to a group of the directory, from the rule to what a member's application reads."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.people import PeopleApplication
from tests.cli.conftest import CommandLine
from tests.cli.stack_setup import read_location_trust
from tests.conftest import ACCOUNT
from tests.grantor_setup import DATA, GrantorSetup

RULE = """\
version: 1
rules:
  - name: auditors
    to: {directory_group: Auditors}
    on: s3://{data_bucket}/reports/*
    allow: READ
"""


@pytest.fixture
def directory(cli: CommandLine) -> str:
    """The instance is associated, and the location's role is trusted as the template writes it."""
    setup = cli.setup
    [center] = setup.client("sso-admin").list_instances()["Instances"]
    setup.client("s3control").associate_access_grants_identity_center(
        AccountId=ACCOUNT, IdentityCenterArn=center["InstanceArn"]
    )
    setup.client("iam").update_assume_role_policy(
        RoleName="location", PolicyDocument=json.dumps(read_location_trust(setup))
    )
    return str(center["IdentityStoreId"])


def create_person(setup: GrantorSetup, store: str, name: str) -> str:
    made = setup.client("identitystore").create_user(
        IdentityStoreId=store,
        UserName=name,
        DisplayName=name,
        Name={"GivenName": name, "FamilyName": name},
    )
    return str(made["UserId"])


def ask_as(setup: GrantorSetup, keys: dict[str, str]) -> Any:
    """The grantee that Access Grants matches, or the code of its refusal."""
    try:
        answer = setup.sandbox.client("s3control", keys).get_data_access(
            AccountId=ACCOUNT, Target=f"s3://{DATA}/reports/*", Permission="READ"
        )
    except ClientError as refused:
        return refused.response["Error"]["Code"]
    return answer["Grantee"]["GranteeType"]


def test_a_groups_grant_serves_its_members_until_the_association_ends_and_the_plan_says_so(
    cli: CommandLine, directory: str
) -> None:
    setup = cli.setup
    group = setup.client("identitystore").create_group(
        IdentityStoreId=directory, DisplayName="Auditors"
    )["GroupId"]
    ana, bea = (create_person(setup, directory, name) for name in ("ana", "bea"))
    setup.client("identitystore").create_group_membership(
        IdentityStoreId=directory, GroupId=group, MemberId={"UserId": ana}
    )
    setup.put_policy("auditors", RULE)
    assert cli.run("apply").code == 0
    app = PeopleApplication.create(setup.sandbox)
    as_ana, as_bea = app.act_for(ana), app.act_for(bea)

    assert ask_as(setup, as_ana) == "DIRECTORY_GROUP"
    assert ask_as(setup, as_bea) == "AccessDenied"
    assert ask_as(setup, app.get_session()) == "AccessDenied"
    assert "not associated" not in cli.run("plan").out
    setup.client("s3control").dissociate_access_grants_identity_center(AccountId=ACCOUNT)
    assert ask_as(setup, as_ana) == "AccessDenied"
    plan = cli.run("plan", keys=cli.create_person("Reader"))
    assert plan.code == 1
    assert "policy/auditors.yaml:3:" in plan.out
    assert "the S3 Access Grants instance is not associated with IAM Identity Center" in plan.out
