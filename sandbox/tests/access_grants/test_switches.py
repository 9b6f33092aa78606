"""Where AWS says nothing there is a switch.

Each is shown both ways, so that a real account can settle it by the same scenario.
"""

from collections.abc import Callable
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from sandbox.in_process import access_grants
from sandbox.switches import GrantSwitches
from sandbox.testing.scenario import AwsAccount, GrantScenario, lay_scenario, make_moto_client
from tests.conftest import ROOT

Fresh = Callable[..., AwsAccount]
DONE = "done"


def outcome(do: Callable[[], Any]) -> str:
    try:
        do()
    except ClientError as refused:
        return str(refused.response["Error"]["Code"])
    return DONE


def location(laid: GrantScenario, scope: str) -> str:
    role = laid.location_role
    return str(
        laid.aws.control("CreateAccessGrantsLocation", LocationScope=scope, IAMRoleArn=role)[
            "AccessGrantsLocationId"
        ]
    )


def one_scope_by_two_locations(laid: GrantScenario) -> str:
    inner = location(laid, "s3://data/UserA/")
    laid.grant("UserA/*")
    place = {
        "AccessGrantsLocationConfiguration": {"S3SubPrefix": "*"},
        "AccessGrantsLocationId": inner,
    }
    return outcome(lambda: laid.grant(None, **place))


def read_and_write(laid: GrantScenario) -> str:
    laid.grant(permission="READ")
    laid.grant(permission="WRITE")
    return outcome(lambda: laid.ask("UserA/*", "READWRITE"))


def writing_beside_a_closer_read(laid: GrantScenario) -> str:
    laid.grant("*", permission="READWRITE")
    laid.grant("UserA/*", permission="READ")
    return outcome(lambda: laid.ask("UserA/*", "WRITE"))


def bare_bucket(laid: GrantScenario) -> str:
    laid.grant("*")
    session = laid.aws.client("s3control", laid.aws.session(laid.user))
    return outcome(
        lambda: session.get_data_access(
            AccountId=laid.aws.account, Target="s3://data", Permission="READ"
        )
    )


def role_made_again(laid: GrantScenario) -> str:
    laid.grant()
    iam = laid.aws.client("iam")
    iam.delete_role_policy(RoleName="ana", PolicyName="own")
    iam.delete_role(RoleName="ana")
    laid.aws.role("ana", path="/studio/", allow="s3:GetDataAccess")
    return outcome(lambda: laid.ask("UserA/*"))


def instance_with_identity_center(laid: GrantScenario) -> str:
    laid.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=laid.location)
    laid.aws.control(
        "AssociateAccessGrantsIdentityCenter", IdentityCenterArn=laid.aws.center["InstanceArn"]
    )
    return outcome(lambda: laid.aws.control("DeleteAccessGrantsInstance"))


def no_location_over_prefix(laid: GrantScenario) -> str:
    laid.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=laid.location)
    return outcome(
        lambda: laid.aws.control("GetAccessGrantsInstanceForPrefix", S3Prefix="s3://data/UserA/")
    )


def first_page(laid: GrantScenario) -> str:
    for number in range(3):
        laid.grant(f"f{number}/*")
    return str(len(laid.aws.control("ListAccessGrants")["AccessGrantsList"]))


def found_by_prefix(laid: GrantScenario) -> str:
    laid.grant("UserA/*")
    return str(
        len(laid.aws.control("ListAccessGrants", GrantScope="s3://data/*")["AccessGrantsList"])
    )


def pages(laid: GrantScenario) -> str:
    """The sizes of the pages of three grants."""
    for number in range(3):
        laid.grant(f"f{number}/*")
    sizes, asked = [], {}
    while True:
        page = laid.aws.control("ListAccessGrants", **asked)
        sizes.append(len(page["AccessGrantsList"]))
        if not (token := page.get("NextToken")):
            return " ".join(map(str, sizes))
        asked = {"NextToken": token}


def listed_after_changes(laid: GrantScenario) -> str:
    """The keys of the grants that a list shows after one went and another came, the latest."""
    gone = laid.grant("a/*")["AccessGrantId"]
    laid.grant("b/*")
    laid.aws.control("DeleteAccessGrant", AccessGrantId=gone)
    laid.grant("c/*")
    shown = laid.aws.control("ListAccessGrants")["AccessGrantsList"]
    return " ".join(grant["GrantScope"].removeprefix("s3://data/") for grant in shown)


def location_of_a_grant_that_went(laid: GrantScenario) -> str:
    laid.aws.control("DeleteAccessGrant", AccessGrantId=laid.grant()["AccessGrantId"])
    answers = [
        outcome(
            lambda: laid.aws.control(
                "DeleteAccessGrantsLocation", AccessGrantsLocationId=laid.location
            )
        )
        for _ in range(2)
    ]
    return " ".join(answers)


def minutes_that_credentials_last(laid: GrantScenario) -> str:
    laid.grant("UserA/*")
    left = laid.ask("UserA/x")["Credentials"]["Expiration"] - datetime.now(UTC)
    return f"{left.total_seconds() / 60:.0f}"


ROWS: list[tuple[str, Any, Callable[[GrantScenario], str], str]] = [
    ("location_in_key", False, one_scope_by_two_locations, "AccessGrantAlreadyExists"),
    ("location_in_key", True, one_scope_by_two_locations, DONE),
    ("slash_makes_same_location", False, lambda laid: outcome(lambda: location(laid, "s3://data")), DONE),
    ("slash_makes_same_location", True, lambda laid: outcome(lambda: location(laid, "s3://data")), "AccessGrantsLocationAlreadyExistsError"),
    ("bare_bucket_is_inside", True, bare_bucket, DONE),
    ("bare_bucket_is_inside", False, bare_bucket, "AccessDenied"),
    ("read_and_write_combine", False, read_and_write, "AccessDenied"),
    ("read_and_write_combine", True, read_and_write, DONE),
    ("closer_grant_hides", False, writing_beside_a_closer_read, DONE),
    ("closer_grant_hides", True, writing_beside_a_closer_read, "AccessDenied"),
    ("plain_prefix_is_taken", True, lambda laid: outcome(lambda: laid.grant("analytics/")), DONE),
    ("plain_prefix_is_taken", False, lambda laid: outcome(lambda: laid.grant("analytics/")), "InvalidAccessGrant"),
    ("invalid_scope_code", "InvalidAccessGrant", lambda laid: outcome(lambda: laid.grant("a*b/*")), "InvalidAccessGrant"),
    ("invalid_scope_code", "InvalidRequest", lambda laid: outcome(lambda: laid.grant("a*b/*")), "InvalidRequest"),
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
    ("bad_value_code", "InvalidRequest", lambda laid: outcome(lambda: laid.ask("UserA/*", DurationSeconds=50000)), "InvalidRequest"),
    ("bad_value_code", "InvalidArgument", lambda laid: outcome(lambda: laid.ask("UserA/*", DurationSeconds=50000)), "InvalidArgument"),
    ("longest_page", 1000, pages, "3"),
    ("longest_page", 2, pages, "2 1"),
    ("empty_page_every", 0, pages, "3"),
    ("empty_page_every", 2, pages, "3"),
    ("locations_quota", 1_000, lambda laid: outcome(lambda: location(laid, "s3://data/x/")), DONE),
    ("locations_quota", 1, lambda laid: outcome(lambda: location(laid, "s3://data/x/")), "AccessGrantsLocationsQuotaExceededError"),
    ("grants_quota", 100_000, lambda laid: outcome(laid.grant), DONE),
    ("grants_quota", 0, lambda laid: outcome(laid.grant), "AccessGrantsQuotaExceededError"),
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


@pytest.mark.parametrize(
    ("switch", "way", "scenario", "seen"),
    ROWS,
    ids=lambda value: str(value) if not callable(value) else "",
)
def test_a_switch_decides(
    with_switches: Fresh, switch: str, way: Any, scenario: Callable[[GrantScenario], str], seen: str
) -> None:
    assert scenario(lay_scenario(with_switches(**{switch: way}))) == seen


def test_the_switches_of_a_service_may_be_set_while_it_runs() -> None:
    with mock_aws(), access_grants() as service:
        laid = lay_scenario(AwsAccount("123456789012", make_moto_client))
        laid.grant()
        service("us-east-1").switches = GrantSwitches(stale_changes=1)

        assert laid.aws.control("ListAccessGrants")["AccessGrantsList"] == []


def test_pages_may_be_empty_though_more_follow(with_switches: Fresh) -> None:
    assert pages(lay_scenario(with_switches(empty_page_every=2, longest_page=2))) == "2 0 1"


def test_every_switch_is_shown_both_ways_the_stated_default_first() -> None:
    stated = {field.name: field.default for field in fields(GrantSwitches)}
    shown: dict[str, list[Any]] = {}
    for switch, way, _, _ in ROWS:
        shown.setdefault(switch, []).append(way)

    # IAM judges by this one, which only the server does: test_enforcement.py shows it.
    assert stated.pop("readers_see_uploads") is False
    assert {switch: ways[0] for switch, ways in shown.items()} == stated
    assert all(len(set(ways)) > 1 for ways in shown.values())


def test_every_switch_is_in_the_documents() -> None:
    said = (ROOT / "docs/sandbox.md").read_text()

    assert [field.name for field in fields(GrantSwitches) if f"`{field.name}`" not in said] == []
