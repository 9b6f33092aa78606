"""IAM Identity Center: names become ids, and unknown names have none."""

from collections.abc import Callable
from typing import Any

import pytest
from moto import mock_aws

from grantor.aws.identity_center import DirectoryIds, IdentityCenter
from sandbox.testing.helpers import unique_name
from sandbox.testing.scenario import make_moto_client
from tests.aws.conftest import count_calls, refuse_with, replace_answers
from tests.conftest import Sandbox

USER, GROUP = "DIRECTORY_USER", "DIRECTORY_GROUP"


class DirectorySetup:
    """The sandbox's identity store and an IdentityCenter on it."""

    def __init__(self, server: Sandbox) -> None:
        self.admin, self.client = server.client("sso-admin"), server.client("identitystore")
        self.id = self.admin.list_instances()["Instances"][0]["IdentityStoreId"]
        self.directory = IdentityCenter(self.client, self.admin)

    def user(self, name: str) -> str:
        person = {
            "UserName": name,
            "DisplayName": "Ana Bloom",
            "Name": {"GivenName": "Ana", "FamilyName": "Bloom"},
        }
        return str(self.client.create_user(IdentityStoreId=self.id, **person)["UserId"])

    def group(self, name: str) -> str:
        return str(self.client.create_group(IdentityStoreId=self.id, DisplayName=name)["GroupId"])


@pytest.fixture
def store(server: Sandbox) -> DirectorySetup:
    return DirectorySetup(server)


def test_names_of_users_and_groups_become_ids(store: DirectorySetup):
    user, group = unique_name("ana@example.com"), unique_name("Data Team")
    ids = {(USER, user): store.user(user), (GROUP, group): store.group(group)}

    assert store.directory.find_ids([*ids, *ids]) == DirectoryIds(ids)


def test_an_unknown_name_is_absent_and_not_unread(store: DirectorySetup):
    user = unique_name("ana")
    store.user(user)

    assert (
        store.directory.find_ids([(USER, unique_name("nobody")), (GROUP, user)]) == DirectoryIds()
    )


def test_each_name_costs_a_call_and_the_first_one_more(store: DirectorySetup):
    calls, asked = count_calls(store.client), count_calls(store.admin)
    for _ in range(2):
        store.directory.find_ids([(USER, "a"), (GROUP, "b")])
    store.directory.find_ids([])

    assert (calls, asked) == ({"GetUserId": 2, "GetGroupId": 2}, {"ListInstances": 1})


def test_no_call_is_made_without_names(server: Sandbox):
    admin = server.client("sso-admin")
    calls = count_calls(admin)

    assert IdentityCenter(server.client("identitystore"), admin).find_ids([]) == DirectoryIds()
    assert calls == {}


def test_a_name_whose_lookup_fails_is_unread_with_the_reason(store: DirectorySetup):
    group = unique_name("team")
    made = store.group(group)
    replace_answers(store.client, "GetUserId", refuse_with("AccessDeniedException"))
    ids = store.directory.find_ids([(USER, "ana"), (GROUP, group)])

    assert ids.found == {(GROUP, group): made}
    assert "AccessDeniedException" in ids.unread["directory DIRECTORY_USER ana"]


def list_answer(*stores: str) -> Callable[[Any], Any]:
    return refuse_with(
        "",
        200,
        Instances=[
            {"InstanceArn": f"arn:aws:sso:::instance/{s}", "IdentityStoreId": s} for s in stores
        ],
    )


def test_without_identity_center_the_error_says_what_to_do(store: DirectorySetup):
    replace_answers(store.admin, "ListInstances", list_answer())

    unread = store.directory.find_ids([(USER, "ana"), (GROUP, "team")]).unread
    assert list(unread) == ["directory DIRECTORY_GROUP team", "directory DIRECTORY_USER ana"]
    what_to_do = "this Region has none: enable it, or grant to roles and profiles instead"
    assert all(what_to_do in why for why in unread.values())


def test_two_identity_stores_are_not_guessed_between(store: DirectorySetup):
    replace_answers(store.admin, "ListInstances", list_answer("d-2", "d-1"))

    (why,) = store.directory.find_ids([(USER, "ana")]).unread.values()
    assert "several identity stores (d-1, d-2): write ids" in why


def test_another_emulator_understands_the_same_calls():
    with mock_aws():
        admin, client = make_moto_client("sso-admin"), make_moto_client("identitystore")
        identity_store = admin.list_instances()["Instances"][0]["IdentityStoreId"]
        made = client.create_group(IdentityStoreId=identity_store, DisplayName="team")["GroupId"]

        assert IdentityCenter(client, admin).find_ids(
            [(GROUP, "team"), (USER, "ana")]
        ) == DirectoryIds({(GROUP, "team"): made})
