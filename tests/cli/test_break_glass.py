"""IAM limits the managed policy BreakGlass as it limits the reconciler: our bucket, our tag."""

from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rules
from tests.conftest import ACCOUNT, REGION
from tests.grantor_setup import DATA, STACK, GrantorSetup

OURS = [{"Key": "grantor:stack", "Value": STACK}]
THEIRS = [{"Key": "grantor:stack", "Value": "another"}]
GRANT = f"arn:aws:s3:{REGION}:{ACCOUNT}:access-grants/default/grant/"
BOTH = ("BreakGlass", "Function")
DIRECTORY = """\
version: 1
rules:
  - {name: team, to: {directory_group: Team}, on: "s3://{data_bucket}/Product/*", allow: READ}
  - {name: ana, to: {directory_user: ana}, on: "s3://{data_bucket}/Product/*", allow: READ}
"""


def open_control(cli: CommandLine, policy: str) -> Any:
    """Return S3 Control for a person with this policy and no other permission."""
    return cli.setup.sandbox.client("s3control", cli.create_person(policy))


def create_grant(
    caller: Any, setup: GrantorSetup, location: str, tags: list[dict[str, str]]
) -> str:
    made = caller.create_access_grant(
        AccountId=ACCOUNT,
        AccessGrantsLocationId=location,
        AccessGrantsLocationConfiguration={"S3SubPrefix": "x/*"},
        Grantee={"GranteeType": "IAM", "GranteeIdentifier": setup.create_role("ana")},
        Permission="READ",
        Tags=tags,
    )
    return str(made["AccessGrantId"])


@pytest.mark.parametrize("policy", BOTH)
def test_a_grant_in_our_bucket_with_our_tag_can_be_created_and_deleted(
    cli: CommandLine, setup: GrantorSetup, policy: str
):
    caller = open_control(cli, policy)
    made = create_grant(caller, setup, setup.find_location_id(), OURS)

    assert setup.describe_grants() == {f"READ s3://{DATA}/x/* to role/ana"}
    caller.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=made)
    assert setup.describe_grants() == set()


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize(
    "tags",
    [[], THEIRS, [{"Key": "team", "Value": STACK}]],
    ids=["no tag", "another stack's", "another tag"],
)
def test_a_grant_without_our_tag_cannot_be_created(
    cli: CommandLine, setup: GrantorSetup, policy: str, tags: list[dict[str, str]]
):
    with pytest.raises(ClientError, match="AccessDenied"):
        create_grant(open_control(cli, policy), setup, setup.find_location_id(), tags)
    assert setup.describe_grants() == set()


@pytest.mark.parametrize("policy", BOTH)
def test_a_grant_in_another_bucket_cannot_be_created(
    cli: CommandLine, setup: GrantorSetup, policy: str
):
    setup.client("s3").create_bucket(Bucket="else")
    role = setup.client("iam").get_role(RoleName="location")["Role"]["Arn"]
    made = setup.client("s3control").create_access_grants_location(
        AccountId=ACCOUNT, LocationScope="s3://else/", IAMRoleArn=role
    )

    with pytest.raises(ClientError, match="AccessDenied"):
        create_grant(open_control(cli, policy), setup, made["AccessGrantsLocationId"], OURS)


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize("tags", [[], THEIRS], ids=["nobody's tag", "another stack's"])
def test_a_grant_that_is_not_ours_cannot_be_deleted(
    cli: CommandLine, setup: GrantorSetup, policy: str, tags: list[dict[str, str]]
):
    unmanaged = setup.create_unmanaged_grant("x/*", setup.create_role("ana"))
    if tags:
        setup.client("s3control").tag_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT + unmanaged, Tags=tags
        )

    with pytest.raises(ClientError, match="AccessDenied"):
        open_control(cli, policy).delete_access_grant(AccountId=ACCOUNT, AccessGrantId=unmanaged)
    assert len(setup.describe_grants()) == 1


@pytest.mark.parametrize("policy", BOTH)
def test_a_grant_cannot_be_tagged_for_another_stack(
    cli: CommandLine, setup: GrantorSetup, policy: str
):
    unmanaged = setup.create_unmanaged_grant("x/*", setup.create_role("ana"))

    with pytest.raises(ClientError, match="AccessDenied"):
        open_control(cli, policy).tag_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT + unmanaged, Tags=THEIRS
        )


@pytest.mark.parametrize(
    ("source", "allowed"), [("grantor", True), ("aws.s3", False)], ids=["its own name", "another's"]
)
def test_events_can_be_published_under_our_own_source_only(
    cli: CommandLine, setup: GrantorSetup, source: str, allowed: bool
):
    events = setup.sandbox.client("events", cli.create_person("BreakGlass"))

    with nullcontext() if allowed else pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=[{"Source": source, "DetailType": "Something", "Detail": "{}"}])


def test_a_group_of_the_directory_can_be_granted_by_hand(cli: CommandLine, setup: GrantorSetup):
    instance = setup.client("sso-admin").list_instances()["Instances"][0]
    setup.client("s3control").associate_access_grants_identity_center(
        AccountId=ACCOUNT, IdentityCenterArn=instance["InstanceArn"]
    )
    people, store = setup.client("identitystore"), instance["IdentityStoreId"]
    team = people.create_group(IdentityStoreId=store, DisplayName="Team")["GroupId"]
    name = {"GivenName": "Ana", "FamilyName": "A"}
    ana = people.create_user(IdentityStoreId=store, UserName="ana", DisplayName="Ana", Name=name)[
        "UserId"
    ]
    setup.put_policy("team", DIRECTORY)
    answered = cli.run("apply", keys=cli.create_person("Reader", "BreakGlass"))

    assert (answered.code, answered.err) == (0, "")
    assert {grant.grantee.identifier for grant in setup.list_grants()} == {team, ana}


def test_a_plan_that_requires_an_approval_alerts_a_person_and_deferred_work_starts_the_function(
    cli: CommandLine, setup: GrantorSetup
):
    person = cli.create_person("Reader", "BreakGlass")
    role = setup.create_role("ana")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5))
    refused = cli.run("apply", keys=person)
    setup.put_policy("many", build_rules(role, 31))
    setup.set_faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        }
    )
    later = cli.run("apply", keys=person)
    setup.set_faults()

    assert (refused.code, refused.err, len(setup.describe_grants())) == (1, "", 30)
    assert (later.code, later.err, later.lines[-1].partition(":")[0]) == (
        1,
        "",
        "deferred",
    )
