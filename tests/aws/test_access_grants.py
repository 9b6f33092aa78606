"""The S3 Access Grants adapter: it lists, finds, creates, deletes and tags grants."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.exceptions import ClientError, ConnectionClosedError
from moto import mock_aws

from grantor.aws.access_grants import (
    OWNER,
    AccessGrants,
    FoundGrant,
    GrantExists,
    OutsideLocation,
    ownership_tags,
)
from grantor.aws.clients import RetryableError
from grantor.core.grant import Grant, Grantee, Location, Permission, choose_location
from grantor.limits import MAX_TAG_VALUE_CHARACTERS
from sandbox.in_process import access_grants
from sandbox.switches import GrantSwitches
from sandbox.testing.scenario import AwsAccount, GrantScenario, lay_scenario, make_moto_client
from tests.aws.conftest import RawBody, count_calls, replace_answers
from tests.conftest import ACCOUNT, REGION, Sandbox

MOTO = "123456789012"
READ, WRITE = Permission.READ, Permission.WRITE
OpenSetup = Callable[..., "GrantsSetup"]


class GrantsSetup:
    """An instance with the location s3://data/, the role ana, and a stack's view of it."""

    def __init__(self, scenario: GrantScenario, region: str = REGION) -> None:
        self.scenario, self.aws = scenario, scenario.aws
        self.client = scenario.aws.client("s3control")
        self.grants = AccessGrants(self.client, scenario.aws.account, region, "grantor")
        self.ana = Grantee("IAM", scenario.user)

    def make(self, grant: Grant, **tags: str) -> str:
        found = choose_location(grant.scope, self.grants.list_locations())
        assert found
        return self.grants.create_grant(grant, *found, tags)

    def mine(self, scope: str = "s3://data/Ana/*", permission: Permission = READ) -> Grant:
        return Grant(self.ana, permission, scope)


@pytest.fixture
def open_setup() -> Iterator[OpenSetup]:
    """Opens an in-process account with these switches of the service besides its short and empty
    pages.
    """
    managers: list[Any] = []

    def open_account(**switches: Any) -> GrantsSetup:
        for manager in (
            mock_aws(),
            access_grants(GrantSwitches(longest_page=3, empty_page_every=2, **switches)),
        ):
            manager.__enter__()
            managers.append(manager)
        return GrantsSetup(lay_scenario(AwsAccount(MOTO, make_moto_client)))

    yield open_account
    for manager in reversed(managers):
        manager.__exit__(None, None, None)


@pytest.fixture
def setup(open_setup: OpenSetup) -> GrantsSetup:
    return open_setup()


def test_a_created_grant_is_listed_with_its_id(setup: GrantsSetup):
    made = {
        setup.mine(f"s3://data/{n}/*"): setup.make(setup.mine(f"s3://data/{n}/*")) for n in range(8)
    }

    assert setup.grants.list_grants() == made


def test_listing_some_grantees_costs_a_call_each_and_returns_no_others(setup: GrantsSetup):
    ben = Grantee("IAM", setup.aws.role("ben"))
    for grantee in (setup.ana, ben, Grantee("IAM", setup.aws.role("cy"))):
        setup.make(Grant(grantee, READ, "s3://data/Product/*"))
    calls = count_calls(setup.client)

    assert {grant.grantee for grant in setup.grants.list_grants([setup.ana, ben, ben])} == {
        setup.ana,
        ben,
    }
    assert calls["ListAccessGrants"] <= 2 * 2  # an empty page in between


def test_the_same_grant_through_an_application_is_a_different_grant(setup: GrantsSetup):
    application = f"arn:aws:sso::{MOTO}:application/ssoins-1234567890abcdef/apl-1"
    for grant in (setup.mine(), Grant(setup.ana, READ, "s3://data/Ana/*", application)):
        setup.make(grant)

    assert {grant.application for grant in setup.grants.list_grants()} == {"", application}


@pytest.mark.parametrize(
    "exactly", [True, False], ids=["the filter means just this scope", "the filter means a prefix"]
)
def test_a_grant_is_found_whatever_the_scope_filter_means(open_setup: OpenSetup, exactly: bool):
    setup = open_setup(grant_scope_filters_exactly=exactly)
    wanted = setup.mine("s3://data/A/*")
    ids = {
        grant: setup.make(grant)
        for grant in (setup.mine("s3://data/A/B/*"), wanted, setup.mine("s3://data/A/*", WRITE))
    }

    assert setup.grants.find_grant(wanted) == FoundGrant(ids[wanted], "grantor")
    assert setup.grants.find_grant(setup.mine("s3://data/B/*")) is None


def test_a_grant_that_somebody_else_made_has_no_owner(setup: GrantsSetup):
    found = setup.scenario.grant("Ana/*")

    assert setup.grants.find_grant(setup.mine()) == FoundGrant(found["AccessGrantId"], None)


def test_of_two_equal_grants_ours_is_returned(open_setup: OpenSetup):
    setup = open_setup(location_in_key=True)
    everywhere = setup.aws.control(
        "CreateAccessGrantsLocation", LocationScope="s3://", IAMRoleArn=setup.scenario.location_role
    )["AccessGrantsLocationId"]
    ours = setup.make(setup.mine())
    theirs = setup.aws.control(
        "CreateAccessGrant",
        AccessGrantsLocationId=everywhere,
        AccessGrantsLocationConfiguration={"S3SubPrefix": "data/Ana/*"},
        Grantee={"GranteeType": "IAM", "GranteeIdentifier": setup.scenario.user},
        Permission="READ",
    )["AccessGrantId"]

    assert setup.grants.find_grant(setup.mine()) == FoundGrant(ours, "grantor")
    assert [setup.grants.list_grants(known={known})[setup.mine()] for known in (ours, theirs)] == [
        ours,
        theirs,
    ]


def test_an_existing_grant_is_not_created_again(setup: GrantsSetup):
    setup.make(setup.mine())

    with pytest.raises(GrantExists, match="READ s3://data/Ana/"):
        setup.make(setup.mine())


def test_a_role_that_s3_does_not_know_yet_is_a_retryable_error(setup: GrantsSetup):
    with pytest.raises(RetryableError, match="not known to S3 yet"):
        setup.make(
            Grant(Grantee("IAM", f"arn:aws:iam::{MOTO}:role/nobody"), READ, "s3://data/Ana/*")
        )


def test_a_permanent_refusal_is_not_retryable(open_setup: OpenSetup):
    setup = open_setup(grants_quota=0)

    with pytest.raises(ClientError, match="AccessGrantsQuotaExceededError"):
        setup.make(setup.mine())


WORDS: dict[str, Callable[[GrantsSetup], object]] = {
    "CreateAccessGrant": lambda setup: setup.make(setup.mine()),
    "DeleteAccessGrant": lambda setup: setup.grants.delete_grant("1"),
    "TagResource": lambda setup: setup.grants.tag_grant("1", {}),
    "ListAccessGrants": lambda setup: setup.grants.list_grants(),
    "ListTagsForResource": lambda setup: setup.grants.read_owner("1"),
}


@pytest.mark.parametrize(("operation", "word"), WORDS.items(), ids=WORDS.keys())
@pytest.mark.parametrize("fault", ["SlowDown", "ServiceUnavailable", "InternalError", ""])
def test_transient_errors_are_retryable(
    setup: GrantsSetup, operation: str, word: Callable[[GrantsSetup], object], fault: str
):
    def answer(request: Any) -> AWSResponse:
        if not fault:
            raise ConnectionClosedError(endpoint_url=request.url)
        error = f"<Error><Code>{fault}</Code><Message>later</Message></Error>"
        body = f"<ErrorResponse>{error}</ErrorResponse>".encode()
        return AWSResponse(request.url, 503, {}, RawBody(body))

    replace_answers(setup.client, operation, *[answer] * 9)
    with pytest.raises(RetryableError, match=fault or "Connection was closed"):
        word(setup)


OBJECTS = {
    "a prefix": ("s3://data/Ana/*", ""),
    "one object": ("s3://data/Ana/report.csv", "Object"),
    "a location granted whole": ("s3://data/", ""),
}


@pytest.mark.parametrize(("scope", "kind"), OBJECTS.values(), ids=OBJECTS.keys())
def test_only_a_scope_of_a_single_object_is_sent_as_an_object(
    setup: GrantsSetup, scope: str, kind: str
):
    asked: list[dict[str, Any]] = []
    setup.client.meta.events.register(
        "provide-client-params.s3-control.CreateAccessGrant",
        lambda params, **_: asked.append(params),
    )
    setup.make(setup.mine(scope))

    assert asked[0].get("S3PrefixType", "") == kind
    assert set(setup.grants.list_grants()) == {setup.mine(scope)}


def test_a_grant_that_was_created_with_another_scope_is_deleted_again(setup: GrantsSetup):
    place = setup.aws.control(
        "CreateAccessGrantsLocation",
        LocationScope="s3://data/team*",
        IAMRoleArn=setup.scenario.location_role,
    )
    location = Location(place["AccessGrantsLocationId"], "s3://data/team*")

    with pytest.raises(OutsideLocation, match=r"became s3://data/teamx/.*, not s3://data/team/x/"):
        setup.grants.create_grant(setup.mine("s3://data/team/x/*"), location, "x/*", {})
    assert setup.grants.list_grants() == {}


def test_deleting_a_missing_grant_succeeds(setup: GrantsSetup):
    made = setup.make(setup.mine())
    setup.grants.delete_grant(made)
    setup.grants.delete_grant(made)

    assert setup.grants.list_grants() == {}
    assert (setup.grants.read_tags(made), setup.grants.read_owner(made)) == (None, None)


def test_a_grant_carries_its_owner_and_the_other_tags(setup: GrantsSetup):
    made = setup.make(
        setup.mine(),
        **ownership_tags(rules=["policy/a.yaml#own"], run="r-1", until="2027-03-31T00:00:00+00:00"),
    )

    assert setup.grants.read_owner(made) == "grantor"
    assert setup.grants.read_tags(made) == {
        OWNER: "grantor",
        "grantor:rules": "policy/a.yaml:own",
        "grantor:run": "r-1",
        "grantor:until": "2027-03-31T00:00:00+00:00",
    }


def test_an_adopted_grant_keeps_its_other_tags(setup: GrantsSetup):
    made = setup.scenario.grant("Ana/*", Tags=[{"Key": "team", "Value": "x"}])["AccessGrantId"]
    setup.grants.tag_grant(made, ownership_tags(rules=["policy/a.yaml#own"], run="r-2"))

    assert setup.grants.read_tags(made) == {
        "team": "x",
        OWNER: "grantor",
        "grantor:rules": "policy/a.yaml:own",
        "grantor:run": "r-2",
    }


RULES = {
    "that fit": (["a#1", "b#2"], "a:1 b:2"),
    "that are too many": (
        [f"policy/team.yaml#rule-{n:03}" for n in range(100)],
        "policy/team.yaml:rule-007 policy/team.yaml:rule-008 +91",
    ),
    "with letters that tags do not take": (
        ["policy/a,b (1).yaml#größe 🦪"],
        "policy/a_b _1_.yaml:größe _",
    ),
    "of which one is too long": (["p" * 300 + "#x"], "p" * MAX_TAG_VALUE_CHARACTERS),
}


@pytest.mark.parametrize(("rules", "end"), RULES.values(), ids=RULES.keys())
def test_a_tag_names_as_many_rules_as_fit(setup: GrantsSetup, rules: list[str], end: str):
    value = ownership_tags(rules=rules, run="r-1")["grantor:rules"]
    made = setup.make(setup.mine(), **ownership_tags(rules=rules, run="r-1"))

    assert value.endswith(end)
    assert (setup.grants.read_tags(made) or {})["grantor:rules"] == value


def test_requests_use_the_partition_of_the_region():
    client = boto3.Session("a", "b", region_name="cn-north-1").client("s3control")
    asked: list[str] = []

    def answer(request: Any) -> AWSResponse:
        asked.append(request.url)
        return AWSResponse(request.url, 200, {}, RawBody(b"<ListTagsForResourceResult/>"))

    replace_answers(client, "ListTagsForResource", answer)
    AccessGrants(client, MOTO, "cn-north-1", "grantor").read_tags("g-1")

    assert (
        "arn%3Aaws-cn%3As3%3Acn-north-1%3A123456789012%3Aaccess-grants/default/grant/g-1"
        in asked[0]
    )


def test_requests_are_the_same_on_the_wire(server: Sandbox):
    control, word = server.client("s3control"), uuid.uuid4().hex[:8]
    account = AwsAccount(ACCOUNT, server.client)
    server.client("s3").create_bucket(Bucket=f"data-{word}")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    place = control.create_access_grants_location(
        AccountId=ACCOUNT,
        LocationScope=f"s3://data-{word}/",
        IAMRoleArn=account.role(f"location-{word}", allow="s3:*"),
    )
    grant = Grant(Grantee("IAM", account.role(f"ana-{word}")), READ, f"s3://data-{word}/Ana/*")
    grants = AccessGrants(control, ACCOUNT, REGION, "grantor")
    location = Location(place["AccessGrantsLocationId"], f"s3://data-{word}/")
    made = grants.create_grant(
        grant, location, "Ana/*", ownership_tags(rules=["policy/a.yaml#own"], run="r-1")
    )

    assert grants.find_grant(grant) == FoundGrant(made, "grantor")
    assert grants.list_grants([grant.grantee]) == {grant: made}
    grants.delete_grant(made)
    control.delete_access_grants_location(AccountId=ACCOUNT, AccessGrantsLocationId=location.id)
    control.delete_access_grants_instance(AccountId=ACCOUNT)


def test_the_association_with_identity_center_is_read_with_one_call(setup: GrantsSetup):
    calls = count_calls(setup.client)

    assert setup.grants.read_identity_center() == ""
    arn = setup.aws.center["InstanceArn"]
    setup.aws.control("AssociateAccessGrantsIdentityCenter", IdentityCenterArn=arn)
    assert setup.grants.read_identity_center() == arn
    assert calls["GetAccessGrantsInstance"] == 2
