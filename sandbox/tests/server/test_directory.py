"""IAM Identity Center's directory: users and groups, their pages and errors, and who may look."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.testing.helpers import make_user, reset_sandbox
from sandbox.testing.running import ACCOUNT, Sandbox

NOWHERE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def server(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A server of its own, whose directory is empty before each test."""
    return start_sandbox()


@dataclass(frozen=True)
class Directory:
    """The identity store's client with the store filled in: `directory("CreateUser", …)`."""

    boto: Any
    store: str

    def __call__(self, operation: str, **request: Any) -> dict[str, Any]:
        snake = "".join(
            f"_{letter.lower()}" if letter.isupper() else letter for letter in operation
        ).lstrip("_")
        return dict(getattr(self.boto, snake)(IdentityStoreId=self.store, **request))

    def user(self, name: str, **more: Any) -> str:
        whole = {
            "UserName": name,
            "DisplayName": name.title(),
            "Name": {"GivenName": name, "FamilyName": "Example"},
        }
        return str(self("CreateUser", **(whole | more))["UserId"])

    def group(self, name: str) -> str:
        return str(self("CreateGroup", DisplayName=name)["GroupId"])


@pytest.fixture
def directory(server: Sandbox) -> Directory:
    reset_sandbox(server)
    [instance] = server.client("sso-admin").list_instances()["Instances"]
    return Directory(server.client("identitystore"), instance["IdentityStoreId"])


def by(path: str, value: str) -> dict[str, Any]:
    return {
        "AlternateIdentifier": {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}
    }


def error(do: Callable[[], Any]) -> dict[str, Any]:
    """The error that is answered: its code and the members that its shape has."""
    with pytest.raises(ClientError) as refused:
        do()
    answer = refused.value.response
    return {"Code": answer["Error"]["Code"]} | {
        name: answer[name] for name in ("ResourceType", "Reason") if name in answer
    }


def test_there_is_one_instance_with_one_store(server: Sandbox):
    client = server.client("sso-admin")
    [instance] = client.list_instances()["Instances"]

    assert (instance["Status"], instance["OwnerAccountId"]) == ("ACTIVE", ACCOUNT)
    assert len(instance["IdentityStoreId"]) == len("d-1234567890")
    assert instance["InstanceArn"].startswith("arn:aws:sso:::instance/ssoins-")
    assert (
        client.describe_instance(InstanceArn=instance["InstanceArn"])["IdentityStoreId"]
        == instance["IdentityStoreId"]
    )


def test_a_user_is_described_as_made(directory: Directory):
    email = {"Value": "ana@example.com", "Type": "Work", "Primary": True}
    made = directory.user("ana", Emails=[email], Title="Analyst")
    reported = directory("DescribeUser", UserId=made)

    assert (
        reported["UserName"],
        reported["DisplayName"],
        reported["Emails"],
        reported["Title"],
    ) == (
        "ana",
        "Ana",
        [email],
        "Analyst",
    )
    assert (reported["UserId"], reported["UserArn"]) == (
        made,
        f"arn:aws:identitystore:::user/{made}",
    )
    assert reported["UserStatus"] == "ENABLED"


def test_a_user_is_found_by_name_and_by_email(directory: Directory):
    made = directory.user(
        "ana", Emails=[{"Value": "ana@example.com", "Type": "Work", "Primary": True}]
    )
    directory.user("bea")

    assert directory("GetUserId", **by("userName", "ana"))["UserId"] == made
    assert directory("GetUserId", **by("emails.value", "ana@example.com"))["UserId"] == made


def test_a_group_is_found_by_its_name(directory: Directory):
    made = directory.group("Product")

    assert directory("GetGroupId", **by("displayName", "Product"))["GroupId"] == made
    assert directory("DescribeGroup", GroupId=made)["DisplayName"] == "Product"


def test_an_arn_serves_as_an_id(directory: Directory):
    made = directory.user("ana")

    assert (
        directory("DescribeUser", UserId=f"arn:aws:identitystore:::user/{made}")["UserId"] == made
    )


def test_who_is_in_a_group_is_listed_from_both_sides(directory: Directory):
    ana, bea, team = directory.user("ana"), directory.user("bea"), directory.group("team")
    directory.group("empty")
    for user in (ana, bea):
        directory("CreateGroupMembership", GroupId=team, MemberId={"UserId": user})

    inside = directory("ListGroupMemberships", GroupId=team)["GroupMemberships"]
    assert [membership["MemberId"]["UserId"] for membership in inside] == [ana, bea]
    of_ana = directory("ListGroupMembershipsForMember", MemberId={"UserId": ana})[
        "GroupMemberships"
    ]
    assert [membership["GroupId"] for membership in of_ana] == [team]


def test_a_deleted_user_leaves_its_groups(directory: Directory):
    ana, team = directory.user("ana"), directory.group("team")
    directory("CreateGroupMembership", GroupId=team, MemberId={"UserId": ana})
    directory("DeleteUser", UserId=ana)

    assert directory("ListGroupMemberships", GroupId=team)["GroupMemberships"] == []
    assert directory("ListUsers")["Users"] == []


def test_lists_come_in_pages_that_outlive_a_deletion(directory: Directory):
    users = [directory.user(f"user{number}") for number in range(5)]
    first = directory("ListUsers", MaxResults=2)
    directory("DeleteUser", UserId=users[0])
    second = directory("ListUsers", MaxResults=2, NextToken=first["NextToken"])
    last = directory("ListUsers", MaxResults=2, NextToken=second["NextToken"])

    assert [user["UserId"] for page in (first, second, last) for user in page["Users"]] == users
    assert "NextToken" not in last


def test_a_list_is_filtered_by_name(directory: Directory):
    directory.user("ana")
    directory.user("bea")
    wanted = [{"AttributePath": "UserName", "AttributeValue": "bea"}]

    assert [user["UserName"] for user in directory("ListUsers", Filters=wanted)["Users"]] == ["bea"]


WRONG: list[tuple[str, Callable[[Directory], Any], dict[str, str]]] = [
    ("user-by-id", lambda d: d("DescribeUser", UserId=NOWHERE), {"Code": "ResourceNotFoundException", "ResourceType": "USER"}),
    ("user-by-name", lambda d: d("GetUserId", **by("userName", "no")), {"Code": "ResourceNotFoundException", "ResourceType": "USER"}),
    ("user-to-delete", lambda d: d("DeleteUser", UserId=NOWHERE), {"Code": "ResourceNotFoundException", "ResourceType": "USER"}),
    ("group-by-id", lambda d: d("DescribeGroup", GroupId=NOWHERE), {"Code": "ResourceNotFoundException", "ResourceType": "GROUP"}),
    ("group-by-name", lambda d: d("GetGroupId", **by("displayName", "no")), {"Code": "ResourceNotFoundException", "ResourceType": "GROUP"}),
    ("member", lambda d: d("CreateGroupMembership", GroupId=d.group("g"), MemberId={"UserId": NOWHERE}), {"Code": "ResourceNotFoundException", "ResourceType": "USER"}),
    ("store", lambda d: d.boto.list_users(IdentityStoreId="d-0000000000"), {"Code": "ResourceNotFoundException", "ResourceType": "IDENTITY_STORE"}),
    ("same-name", lambda d: (d.user("a"), d.user("a")), {"Code": "ConflictException", "Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}),
    ("same-email", lambda d: (d.user("a", Emails=[{"Value": "x@y.z"}]), d.user("b", Emails=[{"Value": "x@y.z"}])), {"Code": "ConflictException", "Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}),
    ("same-group", lambda d: (d.group("g"), d.group("g")), {"Code": "ConflictException", "Reason": "UNIQUENESS_CONSTRAINT_VIOLATION"}),
    ("store-id", lambda d: d.boto.list_users(IdentityStoreId="directory"), {"Code": "ValidationException"}),
    ("user-id", lambda d: d("DescribeUser", UserId="ana"), {"Code": "ValidationException"}),
    ("page-size", lambda d: d("ListUsers", MaxResults=101), {"Code": "ValidationException"}),
    ("token", lambda d: d("ListUsers", NextToken="none"), {"Code": "ValidationException"}),
    ("no-display-name", lambda d: d("CreateUser", UserName="a", Name={"GivenName": "a", "FamilyName": "b"}), {"Code": "ValidationException"}),
    ("not-unique", lambda d: d("GetUserId", **by("title", "Analyst")), {"Code": "ValidationException"}),
    ("member-to-list", lambda d: d("ListGroupMembershipsForMember", MemberId={"UserId": NOWHERE}), {"Code": "ResourceNotFoundException", "ResourceType": "USER"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("do", "reported"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG]
)
def test_a_mistake_is_named(
    directory: Directory, do: Callable[[Directory], Any], reported: dict[str, str]
):
    assert error(lambda: do(directory)) == reported


def test_what_the_sandbox_does_not_know_of_it_is_refused(directory: Directory):
    with pytest.raises(
        ClientError, match="the sandbox has no DescribeIdentityStore of identitystore"
    ):
        directory("DescribeIdentityStore")


def test_looking_needs_the_right_to_look_at_the_store_and_at_the_user(
    server: Sandbox, directory: Directory
):
    store = f"arn:aws:identitystore::{ACCOUNT}:identitystore/{directory.store}"
    made = directory.user("ana")
    _, only_store = make_user(server, {"Action": "identitystore:DescribeUser", "Resource": store})
    users = "arn:aws:identitystore:::user/*"
    _, both = make_user(
        server, {"Action": "identitystore:DescribeUser", "Resource": [store, users]}
    )

    assert (
        Directory(server.client("identitystore", both), directory.store)(
            "DescribeUser", UserId=made
        )["UserName"]
        == "ana"
    )
    with pytest.raises(
        ClientError,
        match=f"identitystore:DescribeUser on resource: arn:aws:identitystore:::user/{made}",
    ):
        Directory(server.client("identitystore", only_store), directory.store)(
            "DescribeUser", UserId=made
        )
