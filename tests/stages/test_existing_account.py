"""An account that others use: Grantor is deployed, works beside them, and is deleted.

Theirs stays as it was. They have an Access Grants instance with Identity Center, locations, grants,
a Studio domain with users and a space, and a trail that logs.
"""

from dataclasses import dataclass

import pytest

from sandbox.testing.helpers import make_trail
from tests.conftest import ACCOUNT
from tests.stages.account_snapshot import AccountSnapshot, select_existing, take_snapshot
from tests.stages.conftest import POLICY, create_role, list_grants, put_policy
from tests.teardown.empty_account import DeployedStack, EmptyAccount, wait_until

SAGEMAKER = "sagemaker.amazonaws.com"
EXISTING = {"CreateStudio": "false", "AccessGrants": "existing", "Trail": "existing"}


@dataclass
class ExistingUsers:
    """What the others have, as far as a test needs it."""

    account: EmptyAccount
    ana: str  # a role, of a profile in their domain
    domain: str
    everywhere: str  # the location of all of S3

    def join(self, name: str) -> str:
        """Create a profile for a new user in their domain."""
        studio, named = (
            self.account.client("sagemaker"),
            {"DomainId": self.domain, "UserProfileName": name},
        )
        studio.create_user_profile(
            **named, UserSettings={"ExecutionRole": create_role(self.account, name, SAGEMAKER)}
        )
        wait_until(lambda: studio.describe_user_profile(**named)["Status"] == "InService")
        return name

    def grant(self, location: str, prefix: str, permission: str, **grantee: str) -> str:
        """Create a grant by hand, with a tag of theirs, and return its id."""
        made = self.account.client("s3control").create_access_grant(
            AccountId=ACCOUNT, AccessGrantsLocationId=location, Permission=permission,
            AccessGrantsLocationConfiguration={"S3SubPrefix": prefix},
            Tags=[{"Key": "team", "Value": "theirs"}],
            Grantee=grantee or {"GranteeType": "IAM", "GranteeIdentifier": self.ana},
        )  # fmt: skip
        return str(made["AccessGrantId"])


def set_up_account(account: EmptyAccount) -> ExistingUsers:
    """Create all that the others have."""
    control, s3 = account.client("s3control"), account.client("s3")
    center = account.client("sso-admin").list_instances()["Instances"][0]
    store = {"IdentityStoreId": center["IdentityStoreId"]}
    team = account.client("identitystore").create_group(**store, DisplayName="Team")["GroupId"]
    s3.create_bucket(Bucket="theirs")
    s3.put_object(Bucket="theirs", Key="a.csv", Body=b"1")
    make_trail(account.sandbox)
    control.create_access_grants_instance(
        AccountId=ACCOUNT, IdentityCenterArn=center["InstanceArn"]
    )
    everything = {"Effect": "Allow", "Action": "s3:*", "Resource": "*"}
    vending = {
        "AccountId": ACCOUNT,
        "IAMRoleArn": create_role(account, "vending", "access-grants.s3.amazonaws.com", everything),
    }
    scopes = ("s3://", "s3://theirs/")
    made = [
        control.create_access_grants_location(**vending, LocationScope=scope)[
            "AccessGrantsLocationId"
        ]
        for scope in scopes
    ]
    ana = create_role(account, "ana", SAGEMAKER)
    people = ExistingUsers(account, ana, create_studio(account, ana), made[0])
    people.grant(made[1], "one/*", "READ")
    people.grant(
        made[1], "two/*", "READWRITE", GranteeType="DIRECTORY_GROUP", GranteeIdentifier=team
    )
    return people


def create_studio(account: EmptyAccount, ana: str) -> str:
    """Create a domain with the article's name, a profile and a space; the domain's id."""
    client, settings = account.client("sagemaker"), {"ExecutionRole": ana}
    made = client.create_domain(
        DomainName="Product-Domain", AuthMode="IAM", DefaultUserSettings=settings
    )
    domain = {"DomainId": made["DomainArn"].rpartition("/")[2]}
    client.create_user_profile(**domain, UserProfileName="ana", UserSettings=settings)
    client.create_space(**domain, SpaceName="shared")
    wait_until(lambda: client.describe_space(**domain, SpaceName="shared")["Status"] == "InService")
    wait_until(
        lambda: (
            client.describe_user_profile(**domain, UserProfileName="ana")["Status"] == "InService"
        )
    )
    wait_until(lambda: client.describe_domain(**domain)["Status"] == "InService")
    return domain["DomainId"]


@dataclass
class Seen:
    """The account after each step, and what was done there."""

    before: AccountSnapshot
    mistaken: tuple[
        str, str, AccountSnapshot
    ]  # the status of a stack that would make the instance, why, and the account then
    deployed: AccountSnapshot
    by_hand: set[str]  # grants that they have made in our bucket, before a rule wanted one of them
    working: AccountSnapshot
    granted: set[tuple[str, str]]
    deleted: str
    gone: AccountSnapshot
    left: set[str]  # of whatever there is in any service, what was not there before


@pytest.fixture(scope="module")
def seen(account: EmptyAccount) -> Seen:
    people = set_up_account(account)
    before, things = take_snapshot(account.client), account.list_resources()
    mistaken = deploy_by_mistake(account)

    stack = account.build_stack()
    assert stack.create(**EXISTING, AccessGrantsLocation=people.everywhere) == "CREATE_COMPLETE", (
        stack.describe_failures()
    )
    deployed, data = take_snapshot(account.client), stack.read_outputs()["DataBucket"]
    prefixes = {f"{data}/Product/*": "READWRITE", f"{data}/secret/*": "READ"}
    by_hand = {
        people.grant(people.everywhere, prefix, permission)
        for prefix, permission in prefixes.items()
    }
    granted = use_stack(stack, people, data)
    working = take_snapshot(account.client)

    deleted = stack.delete()
    return Seen(
        before,
        mistaken,
        deployed,
        by_hand,
        working,
        granted,
        deleted,
        take_snapshot(account.client),
        account.list_resources() - things,
    )


def deploy_by_mistake(account: EmptyAccount) -> tuple[str, str, AccountSnapshot]:
    stack = account.build_stack("mistaken")
    status, why = stack.create(CreateStudio="false"), stack.describe_failures()
    assert stack.delete() == "DELETE_COMPLETE"
    return status, why, take_snapshot(account.client)


def use_stack(stack: DeployedStack, people: ExistingUsers, data: str) -> set[tuple[str, str]]:
    """Put a policy for their domain, and add a user to it; the grants in the bucket then."""
    put_policy(
        stack.account, stack.read_outputs()["PolicyBucket"], POLICY.format(domain="Product-Domain")
    )
    wait_until(lambda: ("ana", "Ana/*") in list_grants(stack.account, data))
    people.join("ben")
    wait_until(lambda: ("ben", "Ben/*") in list_grants(stack.account, data))
    return list_grants(stack.account, data)


def test_an_existing_instance_is_not_created_again_and_the_error_says_so(seen: Seen):
    status, why, account = seen.mistaken

    assert status == "ROLLBACK_COMPLETE"
    assert why.startswith("AccessGrantsInstance: ")
    assert "AccessGrantsInstanceAlreadyExists" in why
    assert account == seen.before


def test_the_deployment_changes_nothing_of_theirs(seen: Seen):
    assert select_existing(seen.before, seen.deployed) == seen.before


def test_their_users_get_what_rules_give_and_new_users_are_seen_through_their_trail(seen: Seen):
    by_rules = {("ana", "Product/*"), ("ana", "Ana/*"), ("ben", "Product/*"), ("ben", "Ben/*")}

    assert seen.granted == by_rules | {("ana", "secret/*")}


def test_nothing_of_theirs_changes_while_the_stack_runs(seen: Seen):
    assert select_existing(seen.before, seen.working) == seen.before


def test_a_grant_made_by_hand_is_theirs_even_if_a_rule_wants_the_same(seen: Seen):
    known = [
        item["id"]["S"]
        for name, items in seen.working.items()
        if name.startswith("ledger ")
        for item in items
    ]

    assert len(known) == 3
    assert seen.by_hand.isdisjoint(known)
    assert all(
        seen.working[f"grant {it}"]["Tags"] == [{"Key": "team", "Value": "theirs"}]
        for it in seen.by_hand
    )


def test_the_deletion_leaves_all_that_is_theirs_and_nothing_else(seen: Seen):
    made = {f"grant {it}" for it in seen.by_hand} | {
        name for name in seen.working if name.endswith(" ben")
    }

    assert seen.deleted == "DELETE_COMPLETE"
    assert select_existing(seen.gone, seen.working) == seen.gone
    assert seen.gone.keys() == seen.before.keys() | made
    assert {thing.rpartition("/")[2] for thing in seen.left} == {
        "iam roles: ben",
        "sagemaker user_profiles: ben",
        *seen.by_hand,
    }
