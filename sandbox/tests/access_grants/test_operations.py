"""Every operation of the service, through boto3, on both ways to its rules."""

import re
from pathlib import Path

import botocore.session
import pytest
from botocore.exceptions import ClientError

from sandbox.testing.scenario import AwsAccount, GrantScenario

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:GetDataAccess"}]}'


def test_every_operation_that_botocore_knows_has_a_test_here() -> None:
    model = botocore.session.Session().get_service_model("s3control")
    own = re.compile(
        "AccessGrant|DataAccess|IdentityCenter|^(Tag|Untag)Resource$|^ListTagsForResource$"
    )
    known = {name for name in model.operation_names if own.search(name)}
    tested = set(re.findall(r'control\(\s*"(\w+)"', Path(__file__).read_text())) | {
        "CreateAccessGrant",
        "GetDataAccess",
    }

    assert len(known) == 24
    assert known - tested == set()


def test_an_instance_is_created_shown_listed_and_deleted(aws: AwsAccount) -> None:
    made = aws.control("CreateAccessGrantsInstance", Tags=[{"Key": "team", "Value": "a"}])

    assert (
        made["AccessGrantsInstanceArn"]
        == f"arn:aws:s3:us-east-1:{aws.account}:access-grants/default"
    )
    assert aws.control("GetAccessGrantsInstance")["AccessGrantsInstanceId"] == "default"
    assert len(aws.control("ListAccessGrantsInstances")["AccessGrantsInstancesList"]) == 1
    aws.control("DeleteAccessGrantsInstance")
    assert aws.control("ListAccessGrantsInstances")["AccessGrantsInstancesList"] == []


def test_an_instance_is_found_by_a_prefix_of_a_bucket(laid: GrantScenario) -> None:
    found = laid.aws.control("GetAccessGrantsInstanceForPrefix", S3Prefix="s3://data/UserA/")

    assert found["AccessGrantsInstanceId"] == "default"


def test_identity_center_is_associated_and_dissociated(aws: AwsAccount) -> None:
    aws.control("CreateAccessGrantsInstance")
    center = aws.center["InstanceArn"]
    aws.control("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=center)

    assert aws.control("GetAccessGrantsInstance")["IdentityCenterInstanceArn"] == center
    aws.control("DissociateAccessGrantsIdentityCenter")
    assert "IdentityCenterInstanceArn" not in aws.control("GetAccessGrantsInstance")


@pytest.mark.parametrize("kind", ["DIRECTORY_USER", "DIRECTORY_GROUP"])
def test_a_grantee_may_come_from_the_directory_that_is_associated(
    laid: GrantScenario, kind: str
) -> None:
    who = (
        laid.aws.directory_user("ana")
        if kind == "DIRECTORY_USER"
        else laid.aws.directory_group("team")
    )
    grantee = {"GranteeType": kind, "GranteeIdentifier": who}
    with pytest.raises(ClientError, match="Invalid Grantee in the request"):
        laid.grant(Grantee=grantee)
    laid.aws.control(
        "AssociateAccessGrantsIdentityCenter", IdentityCenterArn=laid.aws.center["InstanceArn"]
    )

    assert laid.grant(Grantee=grantee)["Grantee"] == grantee


def test_who_has_left_the_directory_is_granted_nothing_more(laid: GrantScenario) -> None:
    who = laid.aws.directory_user("ana")
    laid.aws.control(
        "AssociateAccessGrantsIdentityCenter", IdentityCenterArn=laid.aws.center["InstanceArn"]
    )
    laid.aws.client("identitystore").delete_user(
        IdentityStoreId=laid.aws.center["IdentityStoreId"], UserId=who
    )

    with pytest.raises(ClientError, match="Invalid Grantee in the request"):
        laid.grant(Grantee={"GranteeType": "DIRECTORY_USER", "GranteeIdentifier": who})


def test_a_user_is_no_group(laid: GrantScenario) -> None:
    who = laid.aws.directory_user("ana")
    laid.aws.control(
        "AssociateAccessGrantsIdentityCenter", IdentityCenterArn=laid.aws.center["InstanceArn"]
    )

    with pytest.raises(ClientError, match="Invalid Grantee in the request"):
        laid.grant(Grantee={"GranteeType": "DIRECTORY_GROUP", "GranteeIdentifier": who})


def test_a_resource_policy_is_put_read_and_deleted(laid: GrantScenario) -> None:
    laid.aws.control("PutAccessGrantsInstanceResourcePolicy", Policy=POLICY)

    assert laid.aws.control("GetAccessGrantsInstanceResourcePolicy")["Policy"] == POLICY
    laid.aws.control("DeleteAccessGrantsInstanceResourcePolicy")
    with pytest.raises(ClientError, match="AccessGrantsInstanceResourcePolicyNotExists"):
        laid.aws.control("GetAccessGrantsInstanceResourcePolicy")


def test_a_location_is_created_shown_listed_changed_and_deleted(laid: GrantScenario) -> None:
    other, named = laid.aws.role("other"), {"AccessGrantsLocationId": laid.location}

    assert laid.aws.control("GetAccessGrantsLocation", **named)["LocationScope"] == "s3://data/"
    assert (
        laid.aws.control("UpdateAccessGrantsLocation", **named, IAMRoleArn=other)["IAMRoleArn"]
        == other
    )
    listed = laid.aws.control("ListAccessGrantsLocations", LocationScope="s3://data/")[
        "AccessGrantsLocationsList"
    ]
    assert [item["IAMRoleArn"] for item in listed] == [other]
    laid.aws.control("DeleteAccessGrantsLocation", **named)
    assert laid.aws.control("ListAccessGrantsLocations")["AccessGrantsLocationsList"] == []


def test_the_default_location_is_called_default(laid: GrantScenario) -> None:
    made = laid.aws.control(
        "CreateAccessGrantsLocation", LocationScope="s3://", IAMRoleArn=laid.location_role
    )

    assert made["AccessGrantsLocationId"] == "default"


def test_a_grant_is_created_shown_listed_and_deleted(laid: GrantScenario) -> None:
    made = laid.grant("UserA/*", "READWRITE")

    assert made["GrantScope"] == "s3://data/UserA/*"
    shown = laid.aws.control("GetAccessGrant", AccessGrantId=made["AccessGrantId"])
    assert (shown["Permission"], shown["Grantee"]["GranteeIdentifier"]) == ("READWRITE", laid.user)
    assert [
        item["AccessGrantId"] for item in laid.aws.control("ListAccessGrants")["AccessGrantsList"]
    ] == [made["AccessGrantId"]]
    laid.aws.control("DeleteAccessGrant", AccessGrantId=made["AccessGrantId"])
    assert laid.aws.control("ListAccessGrants")["AccessGrantsList"] == []


@pytest.mark.parametrize(
    ("sub_prefix", "more", "scope"),
    [
        ("UserA/*", {}, "s3://data/UserA/*"),
        ("UserA/a.csv", {"S3PrefixType": "Object"}, "s3://data/UserA/a.csv"),
        ("*", {}, "s3://data/*"),
        ("/x/*", {}, "s3://data//x/*"),
    ],
)
def test_a_grants_scope_is_its_locations_with_the_sub_prefix_behind(
    laid: GrantScenario, sub_prefix: str, more: dict, scope: str
) -> None:
    assert laid.grant(sub_prefix, **more)["GrantScope"] == scope


@pytest.mark.parametrize(
    ("wanted", "count"),
    [
        ({}, 3),
        ({"Permission": "READ"}, 2),
        ({"GrantScope": "s3://data/UserA/*"}, 2),
        ({"GrantScope": "s3://data/"}, 0),
        ({"GranteeType": "IAM"}, 3),
        ({"Permission": "WRITE", "GrantScope": "s3://data/UserB/*"}, 0),
    ],
)
def test_grants_are_listed_by_what_they_are_for(
    laid: GrantScenario, wanted: dict, count: int
) -> None:
    for sub_prefix, permission in (("UserA/*", "READ"), ("UserA/*", "WRITE"), ("UserB/*", "READ")):
        laid.grant(sub_prefix, permission)

    assert len(laid.aws.control("ListAccessGrants", **wanted)["AccessGrantsList"]) == count


def test_pages_follow_each_other_by_opaque_tokens(laid: GrantScenario) -> None:
    made = {laid.grant(f"folder-{number}/*")["AccessGrantId"] for number in range(5)}
    seen: list[str] = []
    asked: dict[str, object] = {"MaxResults": 2}
    for _ in range(3):
        page = laid.aws.control("ListAccessGrants", **asked)
        seen += [item["AccessGrantId"] for item in page["AccessGrantsList"]]
        asked["NextToken"] = page.get("NextToken")

    assert asked["NextToken"] is None
    assert (len(seen), set(seen)) == (5, made)


@pytest.mark.parametrize("of", ["grant", "location", "instance"])
def test_tags_are_set_listed_and_removed(laid: GrantScenario, of: str) -> None:
    grant = laid.grant(Tags=[{"Key": "first", "Value": "1"}])
    location = laid.aws.control("GetAccessGrantsLocation", AccessGrantsLocationId=laid.location)
    instance = laid.aws.control("GetAccessGrantsInstance")
    arn = (grant | location | instance)[
        {"grant": "AccessGrantArn", "location": "AccessGrantsLocationArn"}.get(
            of, "AccessGrantsInstanceArn"
        )
    ]
    laid.aws.control(
        "TagResource",
        ResourceArn=arn,
        Tags=[{"Key": "second", "Value": "2"}, {"Key": "first", "Value": "one"}],
    )
    laid.aws.control("UntagResource", ResourceArn=arn, TagKeys=["second"])

    assert laid.aws.control("ListTagsForResource", ResourceArn=arn)["Tags"] == [
        {"Key": "first", "Value": "one"}
    ]


def test_credentials_are_vended_for_the_closest_grant(laid: GrantScenario) -> None:
    laid.grant("*", "READ")
    laid.grant("UserA/*", "READ")

    given = laid.ask("UserA/abalone.csv")
    assert given["MatchedGrantTarget"] == "s3://data/UserA/*"
    assert given["Grantee"]["GranteeIdentifier"] == laid.user
    assert set(given["Credentials"]) == {
        "AccessKeyId",
        "SecretAccessKey",
        "SessionToken",
        "Expiration",
    }


def test_a_caller_lists_its_own_grants_only(laid: GrantScenario) -> None:
    laid.grant("UserA/*")
    laid.grant("UserB/*", who=laid.aws.role("bea"))
    client = laid.aws.client("s3control", laid.aws.session(laid.user))

    listed = client.list_caller_access_grants(AccountId=laid.aws.account)[
        "CallerAccessGrantsList"
    ]  # control("ListCallerAccessGrants"
    assert [item["GrantScope"] for item in listed] == ["s3://data/UserA/*"]


@pytest.mark.parametrize(
    ("granted", "asked", "given"),
    [
        ("READ", "READ", True),
        ("READ", "WRITE", False),
        ("READ", "READWRITE", False),
        ("WRITE", "READ", False),
        ("WRITE", "WRITE", True),
        ("WRITE", "READWRITE", False),
        ("READWRITE", "READ", True),
        ("READWRITE", "WRITE", True),
        ("READWRITE", "READWRITE", True),
    ],
)
def test_a_permission_answers_what_it_covers(
    laid: GrantScenario, granted: str, asked: str, given: bool
) -> None:
    laid.grant("UserA/*", granted)

    assert allowed(laid, "UserA/*", asked) is given


@pytest.mark.parametrize(
    ("granted", "asked", "given"),
    [
        ("UserA/*", "UserA/*", True),
        ("UserA/*", "UserA/deep/key", True),
        ("UserA/*", "UserA", False),
        ("UserA/*", "UserAB/*", False),
        ("UserA*", "UserAB/*", True),
        ("UserA/a.csv", "UserA/a.csv", True),
        ("UserA/a.csv", "UserA/a.csv2", False),
        ("*", "UserB/*", True),
        (None, "UserB/*", True),
        ("UserA/", "UserA/a.csv", False),
    ],
)
def test_a_scope_covers_what_begins_with_it(
    laid: GrantScenario, granted: str | None, asked: str, given: bool
) -> None:
    laid.grant(granted)

    assert allowed(laid, asked, "READ") is given


def test_minimal_privilege_vends_for_the_target_alone(laid: GrantScenario) -> None:
    laid.grant("UserA/*")

    assert (
        laid.ask("UserA/a.csv", Privilege="Minimal", TargetType="Object")["MatchedGrantTarget"]
        == "s3://data/UserA/a.csv"
    )
    assert laid.ask("UserA/a.csv", Privilege="Default")["MatchedGrantTarget"] == "s3://data/UserA/*"


def allowed(laid: GrantScenario, target: str, permission: str) -> bool:
    try:
        laid.ask(target, permission)
    except ClientError as refused:
        if refused.response["Error"]["Code"] != "AccessDenied":
            raise
        return False
    return True
