"""Where AWS says nothing there is a switch; each is shown both ways, so that a real account can settle it by the same scenario."""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.access_grants import Switches
from sandbox.in_process import access_grants
from tests.access_grants.conftest import Aws, Desk, lay, moto_client
from tests.conftest import ROOT

Fresh = Callable[..., Aws]
DONE = "done"


def outcome(do: Callable[[], Any]) -> str:
    try:
        do()
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return DONE


def location(desk: Desk, scope: str) -> str:
    role = desk.location_role
    return str(desk.aws.control("CreateAccessGrantsLocation", LocationScope=scope, IAMRoleArn=role)["AccessGrantsLocationId"])


def one_scope_by_two_locations(desk: Desk) -> str:
    inner = location(desk, "s3://data/UserA/")
    desk.grant("UserA/*")
    place = {"AccessGrantsLocationConfiguration": {"S3SubPrefix": "*"}, "AccessGrantsLocationId": inner}
    return outcome(lambda: desk.grant(None, **place))


def read_and_write(desk: Desk) -> str:
    desk.grant(permission="READ")
    desk.grant(permission="WRITE")
    return outcome(lambda: desk.ask("UserA/*", "READWRITE"))


def bare_bucket(desk: Desk) -> str:
    desk.grant("*")
    session = desk.aws.client("s3control", desk.aws.session(desk.user))
    return outcome(lambda: session.get_data_access(AccountId=desk.aws.account, Target="s3://data", Permission="READ"))


def role_made_again(desk: Desk) -> str:
    desk.grant()
    iam = desk.aws.client("iam")
    iam.delete_role_policy(RoleName="ana", PolicyName="own")
    iam.delete_role(RoleName="ana")
    desk.aws.role("ana", path="/studio/", allow="s3:GetDataAccess")
    return outcome(lambda: desk.ask("UserA/*"))


def instance_with_identity_center(desk: Desk) -> str:
    desk.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=desk.location)
    desk.aws.control("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=desk.aws.center["InstanceArn"])
    return outcome(lambda: desk.aws.control("DeleteAccessGrantsInstance"))


def no_location_over_prefix(desk: Desk) -> str:
    desk.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=desk.location)
    return outcome(lambda: desk.aws.control("GetAccessGrantsInstanceForPrefix", S3Prefix="s3://data/UserA/"))


def first_page(desk: Desk) -> str:
    for number in range(3):
        desk.grant(f"f{number}/*")
    return str(len(desk.aws.control("ListAccessGrants")["AccessGrantsList"]))


def found_by_prefix(desk: Desk) -> str:
    desk.grant("UserA/*")
    return str(len(desk.aws.control("ListAccessGrants", GrantScope="s3://data/*")["AccessGrantsList"]))


def pages(desk: Desk) -> str:
    """The sizes of the pages of three grants."""
    for number in range(3):
        desk.grant(f"f{number}/*")
    sizes, asked = [], {}
    while True:
        page = desk.aws.control("ListAccessGrants", **asked)
        sizes.append(len(page["AccessGrantsList"]))
        if not (token := page.get("NextToken")):
            return " ".join(map(str, sizes))
        asked = {"NextToken": token}


def listed_after_changes(desk: Desk) -> str:
    """The keys of the grants that a list shows after one went and another came, the latest."""
    gone = desk.grant("a/*")["AccessGrantId"]
    desk.grant("b/*")
    desk.aws.control("DeleteAccessGrant", AccessGrantId=gone)
    desk.grant("c/*")
    shown = desk.aws.control("ListAccessGrants")["AccessGrantsList"]
    return " ".join(grant["GrantScope"].removeprefix("s3://data/") for grant in shown)


def location_of_a_grant_that_went(desk: Desk) -> str:
    desk.aws.control("DeleteAccessGrant", AccessGrantId=desk.grant()["AccessGrantId"])
    answers = [
        outcome(lambda: desk.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=desk.location)) for _ in range(2)
    ]
    return " ".join(answers)


def minutes_that_credentials_last(desk: Desk) -> str:
    desk.grant("UserA/*")
    left = desk.ask("UserA/x")["Credentials"]["Expiration"] - datetime.now(UTC)
    return f"{left.total_seconds() / 60:.0f}"


ROWS: list[tuple[str, Any, Callable[[Desk], str], str]] = [
    ("location_in_key", False, one_scope_by_two_locations, "AccessGrantAlreadyExists"),
    ("location_in_key", True, one_scope_by_two_locations, DONE),
    ("slash_makes_same_location", False, lambda desk: outcome(lambda: location(desk, "s3://data")), DONE),
    ("slash_makes_same_location", True, lambda desk: outcome(lambda: location(desk, "s3://data")), "AccessGrantsLocationAlreadyExistsError"),
    ("bare_bucket_is_inside", True, bare_bucket, DONE),
    ("bare_bucket_is_inside", False, bare_bucket, "AccessDenied"),
    ("read_and_write_combine", False, read_and_write, "AccessDenied"),
    ("read_and_write_combine", True, read_and_write, DONE),
    ("plain_prefix_is_taken", True, lambda desk: outcome(lambda: desk.grant("analytics/")), DONE),
    ("plain_prefix_is_taken", False, lambda desk: outcome(lambda: desk.grant("analytics/")), "InvalidAccessGrant"),
    ("invalid_scope_code", "InvalidAccessGrant", lambda desk: outcome(lambda: desk.grant("a*b/*")), "InvalidAccessGrant"),
    ("invalid_scope_code", "InvalidRequest", lambda desk: outcome(lambda: desk.grant("a*b/*")), "InvalidRequest"),
    ("grant_scope_filters_exactly", True, found_by_prefix, "0"),
    ("grant_scope_filters_exactly", False, found_by_prefix, "1"),
    ("default_page", 1000, first_page, "3"),
    ("default_page", 2, first_page, "2"),
    ("grants_survive_their_role", True, role_made_again, DONE),
    ("grants_survive_their_role", False, role_made_again, "AccessDenied"),
    ("association_keeps_instance", True, instance_with_identity_center, "InvalidRequest"),
    ("association_keeps_instance", False, instance_with_identity_center, DONE),
    ("prefix_needs_location", False, no_location_over_prefix, DONE),
    ("prefix_needs_location", True, no_location_over_prefix, "AccessGrantsInstanceNotExistsError"),
    ("bad_value_code", "InvalidRequest", lambda desk: outcome(lambda: desk.ask("UserA/*", DurationSeconds=50000)), "InvalidRequest"),
    ("bad_value_code", "InvalidArgument", lambda desk: outcome(lambda: desk.ask("UserA/*", DurationSeconds=50000)), "InvalidArgument"),
    ("longest_page", 1000, pages, "3"),
    ("longest_page", 2, pages, "2 1"),
    ("empty_page_every", 0, pages, "3"),
    ("empty_page_every", 2, pages, "3"),
    ("locations_quota", 1_000, lambda desk: outcome(lambda: location(desk, "s3://data/x/")), DONE),
    ("locations_quota", 1, lambda desk: outcome(lambda: location(desk, "s3://data/x/")), "AccessGrantsLocationsQuotaExceededError"),
    ("grants_quota", 100_000, lambda desk: outcome(desk.grant), DONE),
    ("grants_quota", 0, lambda desk: outcome(desk.grant), "AccessGrantsQuotaExceededError"),
    ("stale_changes", 0, listed_after_changes, "b/* c/*"),
    ("stale_changes", 1, listed_after_changes, "b/*"),
    ("stale_changes", 2, listed_after_changes, "a/* b/*"),
    ("stale_changes", 9, listed_after_changes, ""),
    ("stale_seconds", 0, listed_after_changes, "b/* c/*"),
    ("stale_seconds", 3600, listed_after_changes, ""),
    ("late_deletes", 0, location_of_a_grant_that_went, "done NoSuchAccessGrantsLocationError"),
    ("late_deletes", 1, location_of_a_grant_that_went, "AccessGrantsLocationNotEmptyError done"),
    ("vended_seconds", 3600, minutes_that_credentials_last, "60"),
    ("vended_seconds", 120, minutes_that_credentials_last, "2"),
]  # fmt: skip


@pytest.mark.parametrize(("switch", "way", "scenario", "seen"), ROWS, ids=lambda value: str(value) if not callable(value) else "")
def test_a_switch_decides(with_switches: Fresh, switch: str, way: Any, scenario: Callable[[Desk], str], seen: str) -> None:
    assert scenario(lay(with_switches(**{switch: way}))) == seen


def test_the_switches_of_a_service_may_be_set_while_it_runs() -> None:
    with mock_aws(), access_grants() as service:
        desk = lay(Aws("123456789012", moto_client))
        desk.grant()
        service("us-east-1").switches = Switches(stale_changes=1)

        assert desk.aws.control("ListAccessGrants")["AccessGrantsList"] == []


def test_pages_may_be_empty_though_more_follow(with_switches: Fresh) -> None:
    assert pages(lay(with_switches(empty_page_every=2, longest_page=2))) == "2 0 1"


def test_every_switch_is_shown_both_ways_the_stated_default_first() -> None:
    stated = {field.name: field.default for field in fields(Switches)}
    shown: dict[str, list[Any]] = {}
    for switch, way, _, _ in ROWS:
        shown.setdefault(switch, []).append(way)

    assert {switch: ways[0] for switch, ways in shown.items()} == stated
    assert all(len(set(ways)) > 1 for ways in shown.values())


def test_every_switch_stands_in_the_documents() -> None:
    said = (ROOT / "docs/sandbox.md").read_text()

    assert [field.name for field in fields(Switches) if f"`{field.name}`" not in said] == []
