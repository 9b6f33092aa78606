"""IAM limits the managed policy BreakGlass as it limits the reconciler: our bucket, our tag."""

from contextlib import nullcontext
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.cli.conftest import CommandLine
from tests.cli.rules import many
from tests.conftest import ACCOUNT, REGION
from tests.estate import DATA, STACK, Estate

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


def control(cli: CommandLine, policy: str) -> Any:
    """Return S3 Control for a person with this policy and no other permission."""
    return cli.estate.sandbox.client("s3control", cli.person(policy))


def create(caller: Any, estate: Estate, location: str, tags: list[dict[str, str]]) -> str:
    made = caller.create_access_grant(
        AccountId=ACCOUNT, AccessGrantsLocationId=location, AccessGrantsLocationConfiguration={"S3SubPrefix": "x/*"},
        Grantee={"GranteeType": "IAM", "GranteeIdentifier": estate.role("ana")}, Permission="READ", Tags=tags,
    )  # fmt: skip
    return str(made["AccessGrantId"])


@pytest.mark.parametrize("policy", BOTH)
def test_a_grant_in_our_bucket_with_our_tag_can_be_created_and_deleted(
    cli: CommandLine, estate: Estate, policy: str
):
    caller = control(cli, policy)
    made = create(caller, estate, estate.location(), OURS)

    assert estate.grants() == {f"READ s3://{DATA}/x/* to role/ana"}
    caller.delete_access_grant(AccountId=ACCOUNT, AccessGrantId=made)
    assert estate.grants() == set()


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize(
    "tags",
    [[], THEIRS, [{"Key": "team", "Value": STACK}]],
    ids=["no tag", "another stack's", "another tag"],
)
def test_a_grant_without_our_tag_cannot_be_created(
    cli: CommandLine, estate: Estate, policy: str, tags: list[dict[str, str]]
):
    with pytest.raises(ClientError, match="AccessDenied"):
        create(control(cli, policy), estate, estate.location(), tags)
    assert estate.grants() == set()


@pytest.mark.parametrize("policy", BOTH)
def test_a_grant_in_another_bucket_cannot_be_created(cli: CommandLine, estate: Estate, policy: str):
    estate.client("s3").create_bucket(Bucket="else")
    role = estate.client("iam").get_role(RoleName="location")["Role"]["Arn"]
    made = estate.client("s3control").create_access_grants_location(
        AccountId=ACCOUNT, LocationScope="s3://else/", IAMRoleArn=role
    )

    with pytest.raises(ClientError, match="AccessDenied"):
        create(control(cli, policy), estate, made["AccessGrantsLocationId"], OURS)


@pytest.mark.parametrize("policy", BOTH)
@pytest.mark.parametrize("tags", [[], THEIRS], ids=["nobody's tag", "another stack's"])
def test_a_grant_that_is_not_ours_cannot_be_deleted(
    cli: CommandLine, estate: Estate, policy: str, tags: list[dict[str, str]]
):
    unmanaged = estate.foreign("x/*", estate.role("ana"))
    if tags:
        estate.client("s3control").tag_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT + unmanaged, Tags=tags
        )

    with pytest.raises(ClientError, match="AccessDenied"):
        control(cli, policy).delete_access_grant(AccountId=ACCOUNT, AccessGrantId=unmanaged)
    assert len(estate.grants()) == 1


@pytest.mark.parametrize("policy", BOTH)
def test_a_grant_cannot_be_tagged_for_another_stack(cli: CommandLine, estate: Estate, policy: str):
    unmanaged = estate.foreign("x/*", estate.role("ana"))

    with pytest.raises(ClientError, match="AccessDenied"):
        control(cli, policy).tag_resource(
            AccountId=ACCOUNT, ResourceArn=GRANT + unmanaged, Tags=THEIRS
        )


@pytest.mark.parametrize(
    ("source", "allowed"), [("grantor", True), ("aws.s3", False)], ids=["its own name", "another's"]
)
def test_events_can_be_published_under_our_own_source_only(
    cli: CommandLine, estate: Estate, source: str, allowed: bool
):
    events = estate.sandbox.client("events", cli.person("BreakGlass"))

    with nullcontext() if allowed else pytest.raises(ClientError, match="AccessDenied"):
        events.put_events(Entries=[{"Source": source, "DetailType": "Something", "Detail": "{}"}])


def test_a_group_of_the_directory_can_be_granted_by_hand(cli: CommandLine, estate: Estate):
    instance = estate.client("sso-admin").list_instances()["Instances"][0]
    estate.client("s3control").associate_access_grants_identity_center(
        AccountId=ACCOUNT, IdentityCenterArn=instance["InstanceArn"]
    )
    people, store = estate.client("identitystore"), instance["IdentityStoreId"]
    team = people.create_group(IdentityStoreId=store, DisplayName="Team")["GroupId"]
    name = {"GivenName": "Ana", "FamilyName": "A"}
    ana = people.create_user(IdentityStoreId=store, UserName="ana", DisplayName="Ana", Name=name)[
        "UserId"
    ]
    estate.policy("team", DIRECTORY)
    answered = cli.grantor("apply", keys=cli.person("Reader", "BreakGlass"))

    assert (answered.code, answered.err) == (0, "")
    assert {grant.grantee.identifier for grant in estate.actual()} == {team, ana}


def test_a_plan_that_requires_an_approval_alerts_a_person_and_deferred_work_starts_the_function(
    cli: CommandLine, estate: Estate
):
    person = cli.person("Reader", "BreakGlass")
    role = estate.role("ana")
    estate.policy("many", many(role, 30))
    estate.run()
    estate.policy("many", many(role, 5))
    refused = cli.grantor("apply", keys=person)
    estate.policy("many", many(role, 31))
    estate.faults(
        {
            "service": "s3control",
            "operation": "CreateAccessGrant",
            "kind": "invalid-grantee",
            "times": 1,
        }
    )
    later = cli.grantor("apply", keys=person)
    estate.faults()

    assert (refused.code, refused.err, len(estate.grants())) == (1, "", 30)
    assert (later.code, later.err, later.lines[-1].partition(":")[0]) == (
        1,
        "",
        "deferred",
    )
