"""Studio domains and profiles: each profile has its role; what is unreadable is named."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError
from moto import mock_aws

from grantor.aws.studio import PrincipalLists, ProfileList, Studio
from grantor.core.grant import iam_grantee
from grantor.core.snapshot import Profile
from sandbox.testing.helpers import make_role, unique_name, wait_until
from sandbox.testing.scenario import make_moto_client
from tests.aws.conftest import count_calls, refuse_with, replace_answers
from tests.conftest import Sandbox

MOTO = "123456789012"


class StudioDomain:
    """A new domain on the sandbox and a Studio on it."""

    def __init__(self, sandbox: Sandbox, name: str) -> None:
        self.sandbox, self.client, self.name = sandbox, sandbox.client("sagemaker"), name
        self.made: dict[str, str] = {}
        made = self.client.create_domain(
            DomainName=name,
            AuthMode="IAM",
            DefaultUserSettings=self.running_as("everybody"),
            SubnetIds=["s-1"],
            VpcId="vpc-1",
        )
        self.id = made["DomainArn"].rpartition("/")[2]
        self.settle(lambda: self.client.describe_domain(DomainId=self.id))
        self.domains = Studio(self.client)

    def running_as(self, who: str) -> dict[str, str]:
        """Settings with the role of this name, which is made at first use."""
        self.made.setdefault(who, make_role(self.sandbox, "sagemaker.amazonaws.com"))
        return {"ExecutionRole": self.made[who]}

    def settle(self, describe: Callable[[], Any]) -> None:
        wait_until(lambda: describe()["Status"] == "InService")

    def add(self, *names: str, role: str = "", **more: Any) -> None:
        settings = {"UserSettings": self.running_as(role)} if role else {}
        for name in names:
            self.client.create_user_profile(
                DomainId=self.id, UserProfileName=name, **settings, **more
            )
        for name in names:
            self.settle(lambda name=name: self.describe(name))

    def describe(self, name: str) -> Any:
        return self.client.describe_user_profile(DomainId=self.id, UserProfileName=name)

    def read(self, with_tags: bool = False, before: ProfileList | None = None) -> ProfileList:
        return self.domains.list_profiles(
            {self.name: self.id}, with_tags, before.known if before else {}
        )

    def roles(self, read: ProfileList) -> dict[str, str]:
        names = {arn: who for who, arn in self.made.items()}
        return {profile.name: names[profile.role] for profile in read.profiles}


@pytest.fixture
def studio(server: Sandbox) -> StudioDomain:
    return StudioDomain(server, unique_name("domain"))


def test_domains_are_known_by_name(studio: StudioDomain):
    assert studio.domains.list_domains()[studio.name] == studio.id


def test_a_domain_that_is_being_deleted_is_ignored(studio: StudioDomain):
    studio.client.delete_domain(DomainId=studio.id)

    assert studio.name not in studio.domains.list_domains()


def test_a_profile_has_its_own_role_or_the_default_of_its_domain(studio: StudioDomain):
    studio.add("ana", role="ana")
    studio.add("Ben")
    read = studio.read()

    assert studio.roles(read) == {"ana": "ana", "Ben": "everybody"}
    assert {profile.domain for profile in read.profiles} == {studio.name}
    assert all(isinstance(p.created, datetime) and p.created.tzinfo is UTC for p in read.profiles)


def test_every_page_of_a_domain_is_read(studio: StudioDomain):
    studio.add(*(f"person{n}" for n in range(101)))
    calls = count_calls(studio.client)

    assert len(studio.read().profiles) == 101
    assert calls == {"DescribeDomain": 1, "ListUserProfiles": 2, "DescribeUserProfile": 101}


def test_unchanged_profiles_are_not_described_again(studio: StudioDomain):
    studio.add("ana", "ben", "cy", role="one")
    before = studio.read()
    calls = count_calls(studio.client)
    after = studio.read(before=before)

    assert after.profiles == before.profiles
    assert calls == {"ListUserProfiles": 1}


def test_only_changed_profiles_are_described_again(studio: StudioDomain):
    studio.add("ana", "ben", role="one")
    before = studio.read()
    studio.client.update_user_profile(
        DomainId=studio.id, UserProfileName="ben", UserSettings=studio.running_as("two")
    )
    studio.settle(lambda: studio.describe("ben"))
    studio.add("cy")
    calls = count_calls(studio.client)

    assert studio.roles(studio.read(before=before)) == {
        "ana": "one",
        "ben": "two",
        "cy": "everybody",
    }
    assert calls["DescribeUserProfile"] == 2


def test_a_new_default_role_of_the_domain_applies_to_its_profiles_at_once(studio: StudioDomain):
    studio.add("ana")
    before = studio.read()
    studio.client.update_domain(DomainId=studio.id, DefaultUserSettings=studio.running_as("others"))

    assert studio.roles(studio.read(before=before)) == {"ana": "others"}


def test_a_profile_that_was_changing_when_it_was_read_is_described_again(studio: StudioDomain):
    studio.add("ana", role="one")
    studio.client.update_user_profile(
        DomainId=studio.id, UserProfileName="ana", UserSettings=studio.running_as("two")
    )
    before = studio.read()
    calls = count_calls(studio.client)
    studio.settle(lambda: studio.describe("ana"))
    looks = calls["DescribeUserProfile"]
    studio.read(before=before)

    assert calls["DescribeUserProfile"] == looks + 1


def test_a_changing_profile_is_described_whatever_its_timestamps_are(studio: StudioDomain):
    studio.add("ana")
    before = studio.read()
    [listed] = studio.client.list_user_profiles(DomainIdEquals=studio.id)["UserProfiles"]
    times = {name: listed[name].timestamp() for name in ("CreationTime", "LastModifiedTime")}
    replace_answers(
        studio.client,
        "ListUserProfiles",
        refuse_with("", 200, UserProfiles=[listed | times | {"Status": "Updating"}]),
    )
    calls = count_calls(studio.client)
    studio.read(before=before)

    assert calls["DescribeUserProfile"] == 1


def test_a_profile_that_is_being_deleted_is_ignored(studio: StudioDomain):
    studio.add("ana", "ben")
    studio.client.delete_user_profile(DomainId=studio.id, UserProfileName="ana")

    assert studio.roles(studio.read()) == {"ben": "everybody"}
    assert studio.domains.read_profile(studio.name, studio.id, "ana") is None


def test_a_profile_that_is_deleted_after_it_was_listed_is_ignored(studio: StudioDomain):
    studio.add("ana", "ben", role="one")
    replace_answers(studio.client, "DescribeUserProfile", refuse_with("ResourceNotFound"))
    read = studio.read()

    assert (len(read.profiles), read.unread) == (1, {})


def test_tags_are_read_only_on_request(studio: StudioDomain):
    studio.add("Ana", Tags=[{"Key": "team", "Value": "x"}, {"Key": "area", "Value": "y"}])
    before = studio.read(with_tags=True)
    calls = count_calls(studio.client)

    assert [profile.tags for profile in before.profiles] == [(("area", "y"), ("team", "x"))]
    assert [profile.tags for profile in studio.read().profiles] == [()]
    assert calls["ListTags"] == 0
    assert studio.read(with_tags=True, before=before).profiles == before.profiles


UNREADABLE = {
    "a later page of its list": ("ListUserProfiles", 1, 101),
    "its first page": ("ListUserProfiles", 0, 1),
    "its description": ("DescribeDomain", 0, 1),
    "one of its profiles": ("DescribeUserProfile", 5, 9),
    "the tags of one": ("ListTags", 3, 9),
}


@pytest.mark.parametrize(
    ("operation", "good", "people"), UNREADABLE.values(), ids=UNREADABLE.keys()
)
def test_a_domain_that_cannot_be_read_completely_yields_no_profile_and_a_reason(
    server: Sandbox, operation: str, good: int, people: int
):
    studio = StudioDomain(server, unique_name("domain"))
    other = StudioDomain(server, unique_name("other"))
    studio.add(*(f"p{n}" for n in range(people)))
    other.add("ana")
    replace_answers(
        studio.client, operation, *[lambda _: None] * good, refuse_with("AccessDeniedException")
    )
    first = studio.domains.list_profiles({studio.name: studio.id}, True, {})

    assert (first.profiles, first.known) == ((), {})
    assert "AccessDeniedException" in first.unread[f"domain {studio.name}"]
    both = Studio(studio.client).list_profiles(
        {studio.name: studio.id, other.name: other.id}, False, {}
    )
    assert len(both.profiles) == people + 1


def test_readable_domains_are_not_held_up_by_an_unreadable_one(studio: StudioDomain):
    studio.add("ana")
    read = studio.domains.list_profiles(
        {studio.name: studio.id, "Nobody": "d-000000000000"}, False, {}
    )

    assert [profile.name for profile in read.profiles] == ["ana"]
    assert read.unread.keys() == {"domain Nobody"}


def test_two_domains_of_one_name_are_both_unread(studio: StudioDomain):
    def twice(request: Any) -> Any:
        domain = {"DomainName": "Twin", "Status": "InService"}
        return refuse_with(
            "", 200, Domains=[domain | {"DomainId": "d-1"}, domain | {"DomainId": "d-2"}]
        )(request)

    replace_answers(studio.client, "ListDomains", twice)
    named = studio.domains.list_domains()

    assert named == {"Twin": ""}
    assert (
        "rename one of them" in studio.domains.list_profiles(named, False, {}).unread["domain Twin"]
    )


def test_reading_one_profile_makes_only_the_calls_that_it_needs(studio: StudioDomain):
    studio.add("ana", role="ana", Tags=[{"Key": "team", "Value": "x"}])
    studio.add("ben")
    calls = count_calls(studio.client)
    found = studio.domains.read_profile(studio.name, studio.id, "ana")

    assert found == Profile(
        studio.name, "ana", studio.made["ana"], found.created if found else None
    )
    assert calls == {"DescribeUserProfile": 1}
    ben = studio.domains.read_profile(studio.name, studio.id, "ben", with_tags=True)
    assert ben
    assert ben.role == studio.made["everybody"]
    assert calls == {"DescribeUserProfile": 2, "DescribeDomain": 1, "ListTags": 1}
    assert studio.domains.read_profile(studio.name, studio.id, "nobody") is None


def test_an_unreadable_profile_is_never_taken_for_a_deleted_one(studio: StudioDomain):
    replace_answers(studio.client, "DescribeUserProfile", refuse_with("AccessDeniedException"))

    with pytest.raises(ClientError, match="AccessDeniedException"):
        studio.domains.read_profile(studio.name, studio.id, "ana")


def test_roles_and_users_are_listed_with_their_unique_ids_page_by_page(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr("grantor.aws.studio.IAM_PAGE_ITEMS", 2)
    with mock_aws():
        iam = make_moto_client("iam")
        roles = [
            iam.create_role(RoleName=f"r{n}", Path="/studio/", AssumeRolePolicyDocument="{}")[
                "Role"
            ]
            for n in range(5)
        ]
        user = iam.create_user(UserName="ana")["User"]
        calls = count_calls(iam)
        found = PrincipalLists(iam, MOTO).read_principals({"role", "user"})

    assert found.ids == {one["Arn"]: one["RoleId"] for one in roles} | {user["Arn"]: user["UserId"]}
    assert (found.kinds, found.unread) == ({"role", "user"}, {})
    assert calls == {"ListRoles": 3, "ListUsers": 1}


def test_a_list_that_is_refused_is_unread_and_nobody_of_that_kind_is_missing(studio: StudioDomain):
    iam = studio.sandbox.client("iam")
    replace_answers(iam, "ListUsers", refuse_with("AccessDenied", 403))
    found = PrincipalLists(iam, "000000000000").read_principals({"role", "user"})

    assert found.kinds == {"role"}
    assert "AccessDenied" in found.unread["user"]
    assert found.lacks(iam_grantee("arn:aws:iam::000000000000:role/nobody"))
    assert not found.lacks(iam_grantee("arn:aws:iam::000000000000:user/nobody"))
