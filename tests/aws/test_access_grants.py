"""S3 Access Grants as a run meets it: what is listed, found, made, taken away and tagged; in short and empty pages, always."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError
from moto import mock_aws

from grantor.aws.access_grants import LONGEST, OWNER, AccessGrants, AlreadyThere, Elsewhere, Found, tags_of
from grantor.aws.clients import NotYet
from grantor.core.grant import Grant, Grantee, Location, Permission, closest
from sandbox.access_grants import Switches
from sandbox.in_process import access_grants
from tests.access_grants.conftest import Aws, Desk, lay, moto_client
from tests.aws.conftest import Raw, answering, counted
from tests.conftest import ACCOUNT, REGION, Sandbox

MOTO = "123456789012"
READ, WRITE = Permission.READ, Permission.WRITE
Opened = Callable[..., "Room"]


class Room:
    """An instance with the location s3://data/, the role ana, and a stack's view of it."""

    def __init__(self, desk: Desk, region: str = REGION) -> None:
        self.desk, self.aws = desk, desk.aws
        self.client = desk.aws.client("s3control")
        self.grants = AccessGrants(self.client, desk.aws.account, region, "grantor")
        self.ana = Grantee("IAM", desk.user)

    def make(self, grant: Grant, **tags: str) -> str:
        found = closest(grant.scope, self.grants.locations())
        assert found
        return self.grants.make(grant, *found, tags)

    def mine(self, scope: str = "s3://data/Ana/*", permission: Permission = READ) -> Grant:
        return Grant(self.ana, permission, scope)


@pytest.fixture
def opened() -> Iterator[Opened]:
    """Opens a room, with these switches of the service besides its short and empty pages."""
    managers: list[Any] = []

    def way(**switches: Any) -> Room:
        for manager in (mock_aws(), access_grants(Switches(longest_page=3, empty_page_every=2, **switches))):
            manager.__enter__()
            managers.append(manager)
        return Room(lay(Aws(MOTO, moto_client)))

    yield way
    for manager in reversed(managers):
        manager.__exit__(None, None, None)


@pytest.fixture
def room(opened: Opened) -> Room:
    return opened()


def test_what_is_made_is_listed_with_its_id(room: Room):
    made = {room.mine(f"s3://data/{n}/*"): room.make(room.mine(f"s3://data/{n}/*")) for n in range(8)}

    assert room.grants.list() == made


def test_the_grants_of_some_cost_a_list_for_each_and_no_other_is_told(room: Room):
    ben = Grantee("IAM", room.aws.role("ben"))
    for grantee in (room.ana, ben, Grantee("IAM", room.aws.role("cy"))):
        room.make(Grant(grantee, READ, "s3://data/Product/*"))
    calls = counted(room.client)

    assert {grant.grantee for grant in room.grants.list([room.ana, ben, ben])} == {room.ana, ben}
    assert calls["ListAccessGrants"] <= 2 * 2  # an empty page in between


def test_a_grant_of_one_application_is_another_grant(room: Room):
    application = f"arn:aws:sso::{MOTO}:application/ssoins-1234567890abcdef/apl-1"
    for grant in (room.mine(), Grant(room.ana, READ, "s3://data/Ana/*", application)):
        room.make(grant)

    assert {grant.application for grant in room.grants.list()} == {"", application}


@pytest.mark.parametrize("exactly", [True, False], ids=["the filter means just this scope", "the filter means a prefix"])
def test_a_grant_is_found_whatever_the_scope_filter_means(opened: Opened, exactly: bool):
    room = opened(grant_scope_filters_exactly=exactly)
    wanted = room.mine("s3://data/A/*")
    ids = {grant: room.make(grant) for grant in (room.mine("s3://data/A/B/*"), wanted, room.mine("s3://data/A/*", WRITE))}

    assert room.grants.find(wanted) == Found(ids[wanted], "grantor")
    assert room.grants.find(room.mine("s3://data/B/*")) is None


def test_a_grant_that_somebody_else_made_tells_no_owner(room: Room):
    found = room.desk.grant("Ana/*")

    assert room.grants.find(room.mine()) == Found(found["AccessGrantId"], None)


def test_where_a_grant_stands_twice_the_one_that_is_ours_is_told(opened: Opened):
    room = opened(location_in_key=True)
    everywhere = room.aws.control("CreateAccessGrantsLocation", LocationScope="s3://", IAMRoleArn=room.desk.location_role)[
        "AccessGrantsLocationId"
    ]
    ours = room.make(room.mine())
    theirs = room.aws.control(
        "CreateAccessGrant",
        AccessGrantsLocationId=everywhere,
        AccessGrantsLocationConfiguration={"S3SubPrefix": "data/Ana/*"},
        Grantee={"GranteeType": "IAM", "GranteeIdentifier": room.desk.user},
        Permission="READ",
    )["AccessGrantId"]

    assert room.grants.find(room.mine()) == Found(ours, "grantor")
    assert [room.grants.list(known={known})[room.mine()] for known in (ours, theirs)] == [ours, theirs]


def test_a_grant_that_is_there_is_not_made_again(room: Room):
    room.make(room.mine())

    with pytest.raises(AlreadyThere, match="READ s3://data/Ana/"):
        room.make(room.mine())


def test_a_role_that_s3_does_not_know_yet_is_a_matter_of_time(room: Room):
    with pytest.raises(NotYet, match="not known to S3 yet"):
        room.make(Grant(Grantee("IAM", f"arn:aws:iam::{MOTO}:role/nobody"), READ, "s3://data/Ana/*"))


def test_what_the_service_will_never_do_is_no_matter_of_time(opened: Opened):
    room = opened(grants_quota=0)

    with pytest.raises(ClientError, match="AccessGrantsQuotaExceededError"):
        room.make(room.mine())


WORDS: dict[str, Callable[[Room], object]] = {
    "CreateAccessGrant": lambda room: room.make(room.mine()),
    "DeleteAccessGrant": lambda room: room.grants.take_away("1"),
    "TagResource": lambda room: room.grants.tag("1", {}),
    "ListAccessGrants": lambda room: room.grants.list(),
    "ListTagsForResource": lambda room: room.grants.owner("1"),
}


@pytest.mark.parametrize(("operation", "word"), WORDS.items(), ids=WORDS.keys())
@pytest.mark.parametrize("fault", ["SlowDown", "ServiceUnavailable", "InternalError", ""])
def test_what_passes_by_itself_is_a_matter_of_time(room: Room, operation: str, word: Callable[[Room], object], fault: str):
    def answer(request: Any) -> AWSResponse:
        if not fault:
            raise ConnectionClosedError(endpoint_url=request.url)
        body = f"<ErrorResponse><Error><Code>{fault}</Code><Message>later</Message></Error></ErrorResponse>".encode()
        return AWSResponse(request.url, 503, {}, Raw(body))

    answering(room.client, operation, *[answer] * 9)
    with pytest.raises(NotYet, match=fault or "Connection was closed"):
        word(room)


OBJECTS = {
    "a prefix": ("s3://data/Ana/*", ""),
    "one object": ("s3://data/Ana/report.csv", "Object"),
    "a location granted whole": ("s3://data/", ""),
}


@pytest.mark.parametrize(("scope", "kind"), OBJECTS.values(), ids=OBJECTS.keys())
def test_only_a_single_object_is_called_one(room: Room, scope: str, kind: str):
    asked: list[dict[str, Any]] = []
    room.client.meta.events.register(
        "provide-client-params.s3-control.CreateAccessGrant", lambda params, **_: asked.append(params)
    )
    room.make(room.mine(scope))

    assert asked[0].get("S3PrefixType", "") == kind
    assert set(room.grants.list()) == {room.mine(scope)}


def test_a_grant_that_became_another_scope_is_taken_away_again(room: Room):
    place = room.aws.control("CreateAccessGrantsLocation", LocationScope="s3://data/team*", IAMRoleArn=room.desk.location_role)
    location = Location(place["AccessGrantsLocationId"], "s3://data/team*")

    with pytest.raises(Elsewhere, match=r"became s3://data/teamx/.*, not s3://data/team/x/"):
        room.grants.make(room.mine("s3://data/team/x/*"), location, "x/*", {})
    assert room.grants.list() == {}


def test_taking_away_what_is_gone_is_success(room: Room):
    made = room.make(room.mine())
    room.grants.take_away(made)
    room.grants.take_away(made)

    assert room.grants.list() == {}
    assert (room.grants.tags(made), room.grants.owner(made)) == (None, None)


def test_a_grant_carries_its_owner_and_what_else_is_told(room: Room):
    made = room.make(room.mine(), **tags_of(rules=["policy/a.yaml#own"], run="r-1", until="2027-03-31T00:00:00+00:00"))

    assert room.grants.owner(made) == "grantor"
    assert room.grants.tags(made) == {
        OWNER: "grantor",
        "grantor:rules": "policy/a.yaml:own",
        "grantor:run": "r-1",
        "grantor:until": "2027-03-31T00:00:00+00:00",
    }


def test_a_grant_that_is_adopted_keeps_its_other_tags(room: Room):
    made = room.desk.grant("Ana/*", Tags=[{"Key": "team", "Value": "x"}])["AccessGrantId"]
    room.grants.tag(made, tags_of(rules=["policy/a.yaml#own"], run="r-2"))

    assert room.grants.tags(made) == {"team": "x", OWNER: "grantor", "grantor:rules": "policy/a.yaml:own", "grantor:run": "r-2"}


RULES = {
    "that fit": (["a#1", "b#2"], "a:1 b:2"),
    "that are too many": ([f"policy/team.yaml#rule-{n:03}" for n in range(100)], "policy/team.yaml:rule-007 policy/team.yaml:rule-008 +91"),
    "with letters that tags do not take": (["policy/a,b (1).yaml#größe 🦪"], "policy/a_b _1_.yaml:größe _"),
    "of which one is too long": (["p" * 300 + "#x"], "p" * LONGEST),
}  # fmt: skip


@pytest.mark.parametrize(("rules", "end"), RULES.values(), ids=RULES.keys())
def test_rules_are_told_as_far_as_a_tag_takes_them(room: Room, rules: list[str], end: str):
    value = tags_of(rules=rules, run="r-1")["grantor:rules"]
    made = room.make(room.mine(), **tags_of(rules=rules, run="r-1"))

    assert value.endswith(end)
    assert (room.grants.tags(made) or {})["grantor:rules"] == value


def test_it_asks_in_the_partition_that_it_is_in():
    client = boto3.Session("a", "b", region_name="cn-north-1").client("s3control")
    asked: list[str] = []

    def answer(request: Any) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {}, Raw(b"<ListTagsForResourceResult/>"))

    answering(client, "ListTagsForResource", answer)
    AccessGrants(client, MOTO, "cn-north-1", "grantor").tags("g-1")

    assert "arn%3Aaws-cn%3As3%3Acn-north-1%3A123456789012%3Aaccess-grants/default/grant/g-1" in asked[0]


def test_it_is_the_same_on_the_wire(server: Sandbox):
    control, word = server.client("s3control"), uuid.uuid4().hex[:8]
    desk = Aws(ACCOUNT, server.client)
    server.client("s3").create_bucket(Bucket=f"data-{word}")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    place = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=f"s3://data-{word}/", IAMRoleArn=desk.role(f"location-{word}", allow="s3:*")
    )
    grant = Grant(Grantee("IAM", desk.role(f"ana-{word}")), READ, f"s3://data-{word}/Ana/*")
    grants = AccessGrants(control, ACCOUNT, REGION, "grantor")
    location = Location(place["AccessGrantsLocationId"], f"s3://data-{word}/")
    made = grants.make(grant, location, "Ana/*", tags_of(rules=["policy/a.yaml#own"], run="r-1"))

    assert grants.find(grant) == Found(made, "grantor")
    assert grants.list([grant.grantee]) == {grant: made}
    grants.take_away(made)
    control.delete_access_grants_location(AccountId=ACCOUNT, AccessGrantsLocationId=location.id)
    control.delete_access_grants_instance(AccountId=ACCOUNT)
