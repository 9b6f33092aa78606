"""IAM Identity Center's directory: names become ids, and whoever is not known is not there."""

from collections.abc import Callable
from typing import Any

import pytest
from moto import mock_aws

from grantor.aws.identity_center import GROUP, USER, Directory, Ids, NoDirectory
from tests.access_grants.conftest import moto_client
from tests.aws.conftest import answering, counted, refusing
from tests.conftest import Sandbox
from tests.sandbox.desk import own


class Store:
    """The identity store of the sandbox, and a view of it."""

    def __init__(self, server: Sandbox) -> None:
        self.admin, self.client = server.client("sso-admin"), server.client("identitystore")
        self.id = self.admin.list_instances()["Instances"][0]["IdentityStoreId"]
        self.directory = Directory(self.client, self.admin)

    def user(self, name: str) -> str:
        person = {"UserName": name, "DisplayName": "Ana Bloom", "Name": {"GivenName": "Ana", "FamilyName": "Bloom"}}
        return str(self.client.create_user(IdentityStoreId=self.id, **person)["UserId"])

    def group(self, name: str) -> str:
        return str(self.client.create_group(IdentityStoreId=self.id, DisplayName=name)["GroupId"])


@pytest.fixture
def store(server: Sandbox) -> Store:
    return Store(server)


def test_names_of_users_and_groups_become_ids(store: Store):
    user, group = own("ana@example.com"), own("Data Team")
    ids = {(USER, user): store.user(user), (GROUP, group): store.group(group)}

    assert store.directory.ids([*ids, *ids]) == Ids(ids)


def test_who_is_not_known_is_absent_and_not_unread(store: Store):
    user = own("ana")
    store.user(user)

    assert store.directory.ids([(USER, own("nobody")), (GROUP, user)]) == Ids()


def test_each_name_costs_a_call_and_the_first_one_more(store: Store):
    calls, asked = counted(store.client), counted(store.admin)
    for _ in range(2):
        store.directory.ids([(USER, "a"), (GROUP, "b")])
    store.directory.ids([])

    assert (calls, asked) == ({"GetUserId": 2, "GetGroupId": 2}, {"ListInstances": 1})


def test_nobody_is_asked_where_no_name_is_wanted(server: Sandbox):
    admin = server.client("sso-admin")
    calls = counted(admin)

    assert Directory(server.client("identitystore"), admin).ids([]) == Ids()
    assert calls == {}


def test_a_name_that_could_not_be_asked_for_is_unread_with_why(store: Store):
    group = own("team")
    made = store.group(group)
    answering(store.client, "GetUserId", refusing("AccessDeniedException"))
    ids = store.directory.ids([(USER, "ana"), (GROUP, group)])

    assert ids.found == {(GROUP, group): made}
    assert "AccessDeniedException" in ids.unread["directory DIRECTORY_USER ana"]


def told(*stores: str) -> Callable[[Any], Any]:
    return refusing("", 200, Instances=[{"InstanceArn": f"arn:aws:sso:::instance/{s}", "IdentityStoreId": s} for s in stores])


def test_without_an_identity_center_it_says_what_to_do(store: Store):
    answering(store.admin, "ListInstances", told())

    with pytest.raises(NoDirectory, match="this Region has none: enable it, or grant to roles and profiles instead"):
        store.directory.ids([(USER, "ana")])


def test_between_two_identity_stores_it_does_not_choose(store: Store):
    answering(store.admin, "ListInstances", told("d-2", "d-1"))

    with pytest.raises(NoDirectory, match=r"several identity stores \(d-1, d-2\): write ids"):
        store.directory.ids([(USER, "ana")])


def test_another_emulator_understands_the_same_calls():
    with mock_aws():
        admin, client = moto_client("sso-admin"), moto_client("identitystore")
        identity_store = admin.list_instances()["Instances"][0]["IdentityStoreId"]
        made = client.create_group(IdentityStoreId=identity_store, DisplayName="team")["GroupId"]

        assert Directory(client, admin).ids([(GROUP, "team"), (USER, "ana")]) == Ids({(GROUP, "team"): made})
