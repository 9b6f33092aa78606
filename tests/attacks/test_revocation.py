"""Revocation that works: what an intruder with a profile's session keeps, and for how long.

The quarantine role and the suspension are AWS's own advice for a compromised identity; the third
attack uses the kill switch as a weapon.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from grantor.aws.vended_sessions import POLICY_NAME
from grantor.cli.main import main
from sandbox.testing.helpers import unique_name, wait_until
from tests.attacks.conftest import GRANT_SECONDS, AttackedStack, Session, refused
from tests.conftest import REGION
from tests.grantor_setup import build_session

Command = Callable[..., int]


@pytest.fixture
def grantor(attacked: AttackedStack, tmp_path: Path) -> Command:
    """Run `grantor WORDS` with the keys of a session; returns the exit code."""
    config = tmp_path / "aws-config"
    config.write_text(f"[default]\nregion = {REGION}\nendpoint_url = {attacked.sandbox.url}\n")

    def run(who: Session, *words: str) -> int:
        return main([*words, "--stack", "grantor"], build_session(config, who.keys))

    return run


@pytest.fixture
def intruder(granted: AttackedStack) -> Iterator[Session]:
    """A session of a new profile's role, with a grant on its folder; the profile goes at the end."""
    name = unique_name("eve").replace(".", "-")
    studio = granted.client("sagemaker")
    role = create_role(granted, name)
    studio.create_user_profile(
        DomainId=granted.domain, UserProfileName=name, UserSettings={"ExecutionRole": role}
    )
    session = granted.start_notebook(name)
    granted.wait_for_grant(session, folder_of(name))
    yield session
    wait_in_service(granted, name)
    studio.delete_user_profile(DomainId=granted.domain, UserProfileName=name)


def create_role(stack: AttackedStack, name: str) -> str:
    """A role like that of userB, with a name of its own."""
    iam = stack.client("iam")
    arn = stack.client("sagemaker").describe_user_profile(
        DomainId=stack.domain, UserProfileName="userB"
    )["UserSettings"]["ExecutionRole"]
    pattern = iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
    made = iam.create_role(
        RoleName=f"role-{name}",
        AssumeRolePolicyDocument=json.dumps(pattern["AssumeRolePolicyDocument"]),
    )["Role"]["Arn"]
    attached = iam.list_attached_role_policies(RoleName=pattern["RoleName"])["AttachedPolicies"]
    for policy in attached:
        iam.attach_role_policy(RoleName=f"role-{name}", PolicyArn=policy["PolicyArn"])
    for inline in iam.list_role_policies(RoleName=pattern["RoleName"])["PolicyNames"]:
        document = iam.get_role_policy(RoleName=pattern["RoleName"], PolicyName=inline)
        iam.put_role_policy(
            RoleName=f"role-{name}",
            PolicyName=inline,
            PolicyDocument=json.dumps(document["PolicyDocument"]),
        )
    return str(made)


def folder_of(name: str) -> str:
    return name[:1].upper() + name[1:]


def wait_in_service(stack: AttackedStack, name: str) -> None:
    studio = stack.client("sagemaker")
    wait_until(
        lambda: (
            studio.describe_user_profile(DomainId=stack.domain, UserProfileName=name)["Status"]
            == "InService"
        ),
        GRANT_SECONDS,
    )


def has_grants(stack: AttackedStack, who: Session) -> bool:
    return any(role == who.role for role, _, _ in stack.list_grants())


def test_moving_a_profile_to_a_quarantine_role_that_others_share_ends_the_intruders_grants(
    granted: AttackedStack, intruder: Session
) -> None:
    name, studio = intruder.role.removeprefix("role-"), granted.client("sagemaker")
    quarantine = create_role(granted, unique_name("quarantine"))
    for profile in (name, parked := unique_name("parked")):
        wait = profile == name
        settings = {"ExecutionRole": quarantine}
        place = {"DomainId": granted.domain, "UserProfileName": profile}
        if wait:
            wait_in_service(granted, profile)
            studio.update_user_profile(**place, UserSettings=settings)
        else:
            studio.create_user_profile(**place, UserSettings=settings)

    wait_until(lambda: not has_grants(granted, intruder), GRANT_SECONDS)
    with refused():
        intruder.get_data_access(f"s3://{granted.data_bucket}/{folder_of(name)}/*")
    wait_in_service(granted, parked)
    studio.delete_user_profile(DomainId=granted.domain, UserProfileName=parked)


def test_a_suspended_intruder_loses_everything_in_seconds(
    granted: AttackedStack, intruder: Session, grantor: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    name = intruder.role.removeprefix("role-")
    target = f"s3://{granted.data_bucket}/{folder_of(name)}/*"
    intruder.get_data_access(target, "READWRITE")
    who = f"Product-Domain/{name}"

    begun = time.monotonic()
    code = grantor(granted.steward, "suspend", who, "--because", "intruder", "--wait")
    took = time.monotonic() - begun

    with capsys.disabled():
        print(f"\nfrom suspend to the last grant gone: {took:.1f} s")
    assert code == 0
    assert not has_grants(granted, intruder)
    with refused():
        intruder.get_data_access(target)
    assert grantor(granted.steward, "suspend", who, "--undo") == 0
    wait_until(lambda: has_grants(granted, intruder), GRANT_SECONDS)


def test_credentials_that_were_vended_before_end_with_end_sessions(
    granted: AttackedStack, user_a: Session, grantor: Command
) -> None:
    granted.wait_for_grant(user_a, "UserA")
    target = f"s3://{granted.data_bucket}/UserA/*"
    stolen = granted.sandbox.client("s3", user_a.get_data_access(target, "READWRITE"))
    thing = {"Bucket": granted.data_bucket, "Key": "UserA/stolen.csv"}
    stolen.put_object(**thing, Body=b"1")
    person = granted.create_person("Reader", "BreakGlass")

    assert grantor(person, "end-sessions", "--because", "intruder", "--yes") == 0
    try:
        with refused():
            stolen.get_object(**thing)
        wait_until(lambda: can_read_anew(granted, user_a, target, thing), 10)
    finally:
        assert grantor(person, "end-sessions", "--because", "over", "--undo") == 0
    assert stolen.get_object(**thing)["Body"].read() == b"1"


def can_read_anew(stack: AttackedStack, who: Session, target: str, thing: dict[str, str]) -> bool:
    """Whether credentials that are vended now can read it."""
    fresh = stack.sandbox.client("s3", who.get_data_access(target, "READWRITE"))
    try:
        return bool(fresh.get_object(**thing)["Body"].read() == b"1")
    except ClientError:
        return False


def test_nobody_but_break_glass_ends_sessions(granted: AttackedStack, grantor: Command) -> None:
    for who in (
        granted.steward,
        granted.create_person("Reader"),
        granted.create_person("Reader", "Approver"),
    ):
        assert grantor(who, "end-sessions", "--because", "weapon", "--yes") == 1
    role = granted.outputs["LocationRole"]
    inline = granted.client("iam").list_role_policies(RoleName=role)["PolicyNames"]
    assert POLICY_NAME not in inline


def test_suspending_sixty_people_is_no_weapon_of_one_steward(
    granted: AttackedStack, user_a: Session
) -> None:
    before = granted.list_grants()
    roles = [f"arn:aws:iam::000000000000:role/team-{number:02}" for number in range(60)]
    entries = [{"role": one, "because": "weapon"} for one in (user_a.arn, *roles)]
    granted.put_policy("weapon", json.dumps({"version": 1, "suspend": entries}))
    try:
        table = granted.client("dynamodb")
        wait_until(lambda: has_pending_plan(table, granted.outputs["Ledger"]), GRANT_SECONDS)
        assert granted.list_grants() == before
    finally:
        granted.delete_policy("weapon")


def has_pending_plan(table, name: str) -> bool:
    found = table.query(
        TableName=name,
        KeyConditionExpression="pk = :plan",
        ExpressionAttributeValues={":plan": {"S": "plan"}},
    )
    return any("suspends 61 people" in json.dumps(item) for item in found["Items"])
