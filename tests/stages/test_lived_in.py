"""An account that others have worked in for years: Grantor comes, works beside them on what is theirs, and goes; all theirs stays as it was.

They have an Access Grants instance with Identity Center, locations, grants, a Studio domain with people and a space, and a trail that logs.
"""

from dataclasses import dataclass

import pytest

from tests.conftest import ACCOUNT
from tests.leaving.stage import Stack, Stage, until
from tests.sandbox.ears import make_trail
from tests.stages.account import Account, look, theirs
from tests.stages.conftest import POLICY, drop, grants, role

SAGEMAKER = "sagemaker.amazonaws.com"
EXISTING = {"CreateStudio": "false", "AccessGrants": "existing", "Trail": "existing"}


@dataclass
class People:
    """What is theirs, by the names that a test needs."""

    stage: Stage
    ana: str  # a role, of a profile in their domain
    domain: str
    everywhere: str  # the location of all of S3

    def join(self, name: str) -> str:
        """Somebody new gets a profile in their domain."""
        studio, named = self.stage.client("sagemaker"), {"DomainId": self.domain, "UserProfileName": name}
        studio.create_user_profile(**named, UserSettings={"ExecutionRole": role(self.stage, name, SAGEMAKER)})
        until(lambda: studio.describe_user_profile(**named)["Status"] == "InService")
        return name

    def grant(self, location: str, prefix: str, permission: str, **grantee: str) -> str:
        """They grant something by hand, with a tag of theirs; the grant's id."""
        made = self.stage.client("s3control").create_access_grant(
            AccountId=ACCOUNT, AccessGrantsLocationId=location, Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": prefix}, Tags=[{"Key": "team", "Value": "theirs"}],
            Grantee=grantee or {"GranteeType": "IAM", "GranteeIdentifier": self.ana},
        )  # fmt: skip
        return str(made["AccessGrantId"])


def move_in(stage: Stage) -> People:
    """They set up all that they have."""
    control, s3 = stage.client("s3control"), stage.client("s3")
    center = stage.client("sso-admin").list_instances()["Instances"][0]
    store = {"IdentityStoreId": center["IdentityStoreId"]}
    team = stage.client("identitystore").create_group(**store, DisplayName="Team")["GroupId"]
    s3.create_bucket(Bucket="theirs")
    s3.put_object(Bucket="theirs", Key="a.csv", Body=b"1")
    make_trail(stage.sandbox)
    control.create_access_grants_instance(AccountId=ACCOUNT, IdentityCenterArn=center["InstanceArn"])
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    vending = {"AccountId": ACCOUNT, "IAMRoleArn": role(stage, "vending", "access-grants.s3.amazonaws.com", everything)}
    scopes = ("s3://", "s3://theirs/")
    made = [control.create_access_grants_location(**vending, LocationScope=scope)["AccessGrantsLocationId"] for scope in scopes]
    ana = role(stage, "ana", SAGEMAKER)
    people = People(stage, ana, studio(stage, ana), made[0])
    people.grant(made[1], "one/*", "READ")
    people.grant(made[1], "two/*", "READWRITE", GranteeType="DIRECTORY_GROUP", GranteeIdentifier=team)
    return people


def studio(stage: Stage, ana: str) -> str:
    """A domain of the article's own name, with a profile and a space; its id."""
    client, settings = stage.client("sagemaker"), {"ExecutionRole": ana}
    made = client.create_domain(DomainName="Product-Domain", AuthMode="IAM", DefaultUserSettings=settings)
    domain = {"DomainId": made["DomainArn"].rpartition("/")[2]}
    client.create_user_profile(**domain, UserProfileName="ana", UserSettings=settings)
    client.create_space(**domain, SpaceName="desk")
    until(lambda: client.describe_space(**domain, SpaceName="desk")["Status"] == "InService")
    until(lambda: client.describe_user_profile(**domain, UserProfileName="ana")["Status"] == "InService")
    until(lambda: client.describe_domain(**domain)["Status"] == "InService")
    return domain["DomainId"]


@dataclass
class Seen:
    """The account at each step, and what was done there."""

    before: Account
    mistaken: tuple[str, str, Account]  # the status of a stack that would make the instance, why, and the account then
    deployed: Account
    by_hand: set[str]  # grants that they have made in our bucket, before a rule wanted one of them
    working: Account
    granted: set[tuple[str, str]]
    deleted: str
    gone: Account
    left: set[str]  # of whatever there is in any service, what was not there before


@pytest.fixture(scope="module")
def seen(stage: Stage) -> Seen:
    people = move_in(stage)
    before, things = look(stage.client), stage.things()
    mistaken = mistake(stage)

    stack = stage.stack()
    assert stack.create(**EXISTING, AccessGrantsLocation=people.everywhere) == "CREATE_COMPLETE", stack.why()
    deployed, data = look(stage.client), stack.outputs()["DataBucket"]
    prefixes = {f"{data}/Product/*": "READWRITE", f"{data}/secret/*": "READ"}
    by_hand = {people.grant(people.everywhere, prefix, permission) for prefix, permission in prefixes.items()}
    granted = work(stack, people, data)
    working = look(stage.client)

    deleted = stack.delete()
    return Seen(before, mistaken, deployed, by_hand, working, granted, deleted, look(stage.client), stage.things() - things)


def mistake(stage: Stage) -> tuple[str, str, Account]:
    stack = stage.stack("mistaken")
    status, why = stack.create(CreateStudio="false"), stack.why()
    assert stack.delete() == "DELETE_COMPLETE"
    return status, why, look(stage.client)


def work(stack: Stack, people: People, data: str) -> set[tuple[str, str]]:
    """A policy for their domain, and somebody who joins it; what is granted in the bucket then."""
    drop(stack.stage, stack.outputs()["PolicyBucket"], POLICY.format(domain="Product-Domain"))
    until(lambda: ("ana", "Ana/*") in grants(stack.stage, data))
    people.join("ben")
    until(lambda: ("ben", "Ben/*") in grants(stack.stage, data))
    return grants(stack.stage, data)


def test_an_instance_that_there_is_already_is_not_made_again_and_the_error_says_so(seen: Seen):
    status, why, account = seen.mistaken

    assert status == "ROLLBACK_COMPLETE"
    assert why.startswith("AccessGrantsInstance: ")
    assert "AccessGrantsInstanceAlreadyExists" in why
    assert account == seen.before


def test_when_grantor_comes_nothing_of_theirs_changes(seen: Seen):
    assert theirs(seen.before, seen.deployed) == seen.before


def test_their_people_get_what_rules_give_and_whoever_joins_is_told_by_their_trail(seen: Seen):
    by_rules = {("ana", "Product/*"), ("ana", "Ana/*"), ("ben", "Product/*"), ("ben", "Ben/*")}

    assert seen.granted == by_rules | {("ana", "secret/*")}


def test_while_it_works_nothing_of_theirs_changes(seen: Seen):
    assert theirs(seen.before, seen.working) == seen.before


def test_what_they_have_granted_by_hand_is_theirs_even_where_a_rule_wants_just_that(seen: Seen):
    known = [item["id"]["S"] for name, items in seen.working.items() if name.startswith("ledger ") for item in items]

    assert len(known) == 3
    assert seen.by_hand.isdisjoint(known)
    assert all(seen.working[f"grant {it}"]["Tags"] == [{"Key": "team", "Value": "theirs"}] for it in seen.by_hand)


def test_when_it_goes_all_that_is_theirs_stays_and_nothing_else(seen: Seen):
    made = {f"grant {it}" for it in seen.by_hand} | {name for name in seen.working if name.endswith(" ben")}

    assert seen.deleted == "DELETE_COMPLETE"
    assert theirs(seen.gone, seen.working) == seen.gone
    assert seen.gone.keys() == seen.before.keys() | made
    assert {thing.rpartition("/")[2] for thing in seen.left} == {"iam roles: ben", "sagemaker user_profiles: ben", *seen.by_hand}
