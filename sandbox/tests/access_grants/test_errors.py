"""Every documented error code, with its status and its text, on both ways to the rules."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.access_grants import ERROR_CODES
from sandbox.testing.scenario import AwsAccount, GrantScenario

NOWHERE = "00000000-0000-4000-8000-000000000000"
ROLE = "arn:aws:iam::{account}:role/nobody"
STRANGER = "arn:aws:sso:::instance/ssoins-1234567890abcdef"
Scenario = Callable[[GrantScenario], Any]


def refusal(do: Callable[[], Any]) -> tuple[str, int, str]:
    with pytest.raises(ClientError) as refused:
        do()
    answer = refused.value.response
    return (
        answer["Error"]["Code"],
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Message"],
    )


def grant_twice(laid: GrantScenario) -> None:
    laid.grant()
    laid.grant()


def delete_full_location(laid: GrantScenario) -> None:
    laid.grant()
    laid.aws.control("DeleteAccessGrantsLocation", AccessGrantsLocationId=laid.location)


def location(scope: str, role: str | None = None) -> Scenario:
    return lambda laid: laid.aws.control(
        "CreateAccessGrantsLocation",
        LocationScope=scope,
        IAMRoleArn=role.format(account=laid.aws.account) if role else laid.location_role,
    )


def tagged(*tags: tuple[str, str]) -> Scenario:
    return lambda laid: laid.grant(Tags=[{"Key": key, "Value": value} for key, value in tags])


def vend_with_a_role_that_is_gone(laid: GrantScenario) -> None:
    laid.grant()
    iam = laid.aws.client("iam")
    iam.delete_role_policy(RoleName="location", PolicyName="own")
    iam.delete_role(RoleName="location")
    laid.ask("UserA/*")


def vend_for_too_long(laid: GrantScenario) -> None:
    laid.grant()
    laid.ask("UserA/*", DurationSeconds=43200)


def grant_to_nobody(laid: GrantScenario) -> None:
    laid.aws.control(
        "AssociateAccessGrantsIdentityCenter", IdentityCenterArn=laid.aws.center["InstanceArn"]
    )
    laid.grant(Grantee={"GranteeType": "DIRECTORY_USER", "GranteeIdentifier": NOWHERE})


def call(operation: str, **request: Any) -> Scenario:
    return lambda laid: laid.aws.control(operation, **request)


SCENARIOS: list[tuple[str, Scenario]] = [
    ("AccessGrantAlreadyExists", grant_twice),
    ("AccessGrantsInstanceAlreadyExists", call("CreateAccessGrantsInstance")),
    ("AccessGrantsInstanceNotEmptyError", call("DeleteAccessGrantsInstance")),
    ("AccessGrantsInstanceResourcePolicyNotExists", call("GetAccessGrantsInstanceResourcePolicy")),
    ("AccessGrantsLocationAlreadyExistsError", location("s3://data/")),
    ("AccessGrantsLocationNotEmptyError", delete_full_location),
    ("InvalidAccessGrant", lambda laid: laid.grant("a*b/*")),
    ("InvalidAccessGrant", lambda laid: laid.grant("UserA/*", "APPEND")),
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
    ("AccessDenied", lambda laid: laid.ask("UserA/*")),
    ("StsNotAuthorizedError", vend_with_a_role_that_is_gone),
    ("StsValidationError", vend_for_too_long),
    ("InvalidRequest", lambda laid: laid.grant(who=ROLE.format(account=laid.aws.account))),
    ("InvalidRequest", grant_to_nobody),
    ("InvalidRequest", call("ListAccessGrants", NextToken="bm90IG9uZQ==")),
    ("NoSuchResource", lambda laid: laid.aws.control("ListTagsForResource", ResourceArn=f"arn:aws:s3:us-east-1:{laid.aws.account}:access-grants/x")),
]  # fmt: skip


@pytest.mark.parametrize(
    ("code", "scenario"), SCENARIOS, ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_mistake_has_its_own_code_and_status(
    laid: GrantScenario, code: str, scenario: Scenario
) -> None:
    seen, status, _ = refusal(lambda: scenario(laid))

    assert (seen, status) == (code, ERROR_CODES[code][0])


def test_without_an_instance_there_is_nothing(aws: AwsAccount) -> None:
    assert refusal(lambda: aws.control("ListAccessGrants"))[:2] == (
        "AccessGrantsInstanceNotExistsError",
        404,
    )


@pytest.mark.parametrize(
    ("code", "quota", "scenario"),
    [
        ("AccessGrantsQuotaExceededError", {"grants_quota": 0}, lambda laid: laid.grant()),
        (
            "AccessGrantsLocationsQuotaExceededError",
            {"locations_quota": 1},
            location("s3://data/x/*"),
        ),
    ],
)
def test_a_quota_is_named_with_its_size(
    with_switches: Callable[..., AwsAccount], code: str, quota: dict, scenario: Scenario
) -> None:
    from sandbox.testing.scenario import lay_scenario

    laid = lay_scenario(with_switches(**quota))
    seen, status, text = refusal(lambda: scenario(laid))

    assert (seen, status) == (code, 409)
    assert f"Quota: {next(iter(quota.values()))}" in text


def test_the_refusal_of_access_names_what_was_requested(laid: GrantScenario) -> None:
    _, _, text = refusal(lambda: laid.ask("UserA/*", "WRITE"))

    assert text == "You do not have WRITE permissions to the requested S3 Prefix: s3://data/UserA/*"


# Only in the table: no session policy that these rules write comes near the packed size that AWS refuses.
UNREACHED = {"StsPackedPolicyTooLargeError"}


def test_every_documented_code_has_a_scenario() -> None:
    shown = {code for code, _ in SCENARIOS} | {
        "AccessGrantsInstanceNotExistsError", "AccessGrantsQuotaExceededError", "AccessGrantsLocationsQuotaExceededError",
    }  # fmt: skip

    assert ERROR_CODES.keys() - shown == UNREACHED
