"""Every documented error code, with its status and its text, on both ways to the rules."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.access_grants import CODES
from tests.access_grants.conftest import Aws, Desk

NOWHERE = "00000000-0000-4000-8000-000000000000"
ROLE = "arn:aws:iam::{account}:role/nobody"
STRANGER = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
Scenario = Callable[[Desk], Any]


def refusal(do: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as refused:
        do()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Message"]


def grant_twice(desk: Desk) -> None:
    desk.grant()
    desk.grant()


def delete_full_location(desk: Desk) -> None:
    desk.grant()
    desk.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=desk.location)


def location(scope: str, role: str | None = None) -> Scenario:
    return lambda desk: desk.aws.control(
        "CreateAccessGrantsLocation",
        LocationScope=scope,
        IAMRoleArn=role.format(account=desk.aws.account) if role else desk.location_role,
    )


def tagged(*tags: tuple[str, str]) -> Scenario:
    return lambda desk: desk.grant(Tags=[{"Key": key, "Value": value} for key, value in tags])


def vend_with_a_role_that_is_gone(desk: Desk) -> None:
    desk.grant()
    iam = desk.aws.client("iam")
    iam.delete_role_policy(RoleName="location", PolicyName="own")
    iam.delete_role(RoleName="location")
    desk.ask("UserA/*")


def vend_for_too_long(desk: Desk) -> None:
    desk.grant()
    desk.ask("UserA/*", DurationSeconds=43200)


def grant_to_nobody(desk: Desk) -> None:
    desk.aws.control("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=desk.aws.center["InstanceArn"])
    desk.grant(Grantee={"GranteeType": "DIRECTORY_USER", "GranteeIdentifier": NOWHERE})


def call(operation: str, **request: Any) -> Scenario:
    return lambda desk: desk.aws.control(operation, **request)


SCENARIOS: list[tuple[str, Scenario]] = [
    ("AccessGrantAlreadyExists", grant_twice),
    ("AccessGrantsInstanceAlreadyExists", call("CreateAccessGrantsInstance")),
    ("AccessGrantsInstanceNotEmptyError", call("DeleteAccessGrantsInstance")),
    ("AccessGrantsInstanceResourcePolicyNotExists", call("GetAccessGrantsInstanceResourcePolicy")),
    ("AccessGrantsLocationAlreadyExistsError", location("s3://data/")),
    ("AccessGrantsLocationNotEmptyError", delete_full_location),
    ("InvalidAccessGrant", lambda desk: desk.grant("a*b/*")),
    ("InvalidAccessGrant", lambda desk: desk.grant("UserA/*", "APPEND")),
    ("InvalidAccessGrantsLocation", location("s3://no-such-bucket/")),
    ("InvalidAccessGrantsLocation", location("data/")),
    ("InvalidIamRole", location("s3://data/x/*", ROLE)),
    ("InvalidIdentityCenterInstance", call("AssociateAccessGrantsIdentityCenter", IdentityCenterArn="arn:aws:sso:::instance/other")),
    ("InvalidIdentityCenterInstance", call("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=STRANGER)),
    ("InvalidResourcePolicy", call("PutAccessGrantsInstanceResourcePolicy", Policy="{}")),
    ("InvalidTag", tagged(("a,b", "1"))),
    ("InvalidTags", tagged(("aws:x", "1"))),
    ("TooManyTags", tagged(*((f"k{n}", "v") for n in range(51)))),
    ("NoSuchAccessGrantError", call("GetAccessGrant", AccessGrantId=NOWHERE)),
    ("NoSuchAccessGrantError", call("DeleteAccessGrant", AccessGrantId=NOWHERE)),
    ("NoSuchAccessGrantsLocationError", call("GetAccessGrantsLocation", AccessGrantsLocationId=NOWHERE)),
    ("AccessDenied", lambda desk: desk.ask("UserA/*")),
    ("StsNotAuthorizedError", vend_with_a_role_that_is_gone),
    ("StsValidationError", vend_for_too_long),
    ("InvalidRequest", lambda desk: desk.grant(who=ROLE.format(account=desk.aws.account))),
    ("InvalidRequest", grant_to_nobody),
    ("InvalidRequest", call("ListAccessGrants", NextToken="bm90IG9uZQ==")),
    ("NoSuchResource", lambda desk: desk.aws.control("ListTagsForResource", ResourceArn=f"arn:aws:s3:us-east-1:{desk.aws.account}:access-grants/x")),
]  # fmt: skip


@pytest.mark.parametrize(("code", "scenario"), SCENARIOS, ids=lambda value: value if isinstance(value, str) else "")
def test_a_mistake_has_its_own_code_and_status(desk: Desk, code: str, scenario: Scenario) -> None:
    seen, status, _ = refusal(lambda: scenario(desk))

    assert (seen, status) == (code, CODES[code][0])


def test_without_an_instance_there_is_nothing(aws: Aws) -> None:
    assert refusal(lambda: aws.control("ListAccessGrants"))[:2] == ("AccessGrantsInstanceNotExistsError", 404)


@pytest.mark.parametrize(
    ("code", "quota", "scenario"),
    [
        ("AccessGrantsQuotaExceededError", {"grants_quota": 0}, lambda desk: desk.grant()),
        ("AccessGrantsLocationsQuotaExceededError", {"locations_quota": 1}, location("s3://data/x/*")),
    ],
)
def test_a_quota_is_named_with_its_size(with_switches: Callable[..., Aws], code: str, quota: dict, scenario: Scenario) -> None:
    from tests.access_grants.conftest import lay

    desk = lay(with_switches(**quota))
    seen, status, text = refusal(lambda: scenario(desk))

    assert (seen, status) == (code, 409)
    assert f"Quota: {next(iter(quota.values()))}" in text


def test_the_refusal_of_access_says_what_was_asked_for(desk: Desk) -> None:
    _, _, text = refusal(lambda: desk.ask("UserA/*", "WRITE"))

    assert text == "You do not have WRITE permissions to the requested S3 Prefix: s3://data/UserA/*"


# Only in the table: no session policy that these rules write comes near the packed size that AWS refuses.
UNREACHED = {"StsPackedPolicyTooLargeError"}


def test_every_documented_code_has_a_scenario() -> None:
    shown = {code for code, _ in SCENARIOS} | {
        "AccessGrantsInstanceNotExistsError", "AccessGrantsQuotaExceededError", "AccessGrantsLocationsQuotaExceededError",
    }  # fmt: skip

    assert CODES.keys() - shown == UNREACHED
