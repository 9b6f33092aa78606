"""An account with an instance, locations, grants and a Studio domain of others, which never change."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import ACCOUNT, ROOT
from tests.teardown.conftest import build_trust_policy, list_grants
from tests.teardown.empty_account import EmptyAccount, wait_until

EXISTING = {"CreateStudio": "false", "AccessGrants": "existing"}


@dataclass(frozen=True)
class Others:
    """The resources of others; `describe_all` returns all that can be read of them."""

    account: EmptyAccount
    domain: str
    default: str  # the id of their location for all of S3

    def describe_all(self) -> dict[str, Any]:
        control, studio, domain = (
            self.account.client("s3control"),
            self.account.client("sagemaker"),
            {"DomainId": self.domain},
        )
        locations = control.list_access_grants_locations(AccountId=ACCOUNT)[
            "AccessGrantsLocationsList"
        ]
        theirs = [it for it in locations if it["LocationScope"] in ("s3://", "s3://theirs/")]
        profiles = [
            it["UserProfileName"]
            for it in studio.list_user_profiles(DomainIdEquals=self.domain)["UserProfiles"]
        ]
        answers = {
            "instance": control.get_access_grants_instance(AccountId=ACCOUNT),
            "locations": theirs,
            "grants": [
                it
                for it in list_grants(self.account)
                if it["GrantScope"].startswith("s3://theirs/")
            ],
            "domain": studio.describe_domain(**domain),
            "profiles": {
                name: studio.describe_user_profile(**domain, UserProfileName=name)
                for name in sorted(profiles)
            },
            "space": studio.describe_space(**domain, SpaceName="space"),
            "objects": self.account.client("s3").list_object_versions(Bucket="theirs")["Versions"],
        }
        return _drop_response_metadata(answers)


def _drop_response_metadata(answers: Any) -> Any:
    if isinstance(answers, dict):
        return {
            key: _drop_response_metadata(value)
            for key, value in answers.items()
            if key != "ResponseMetadata"
        }
    return (
        [_drop_response_metadata(item) for item in answers]
        if isinstance(answers, list)
        else answers
    )


@pytest.fixture
def others(account: EmptyAccount) -> Others:
    iam, control, s3, studio = (
        account.client(name) for name in ("iam", "s3control", "s3", "sagemaker")
    )
    ana = iam.create_role(
        RoleName="ana", AssumeRolePolicyDocument=build_trust_policy("sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    vending = iam.create_role(
        RoleName="vending",
        AssumeRolePolicyDocument=build_trust_policy("access-grants.s3.amazonaws.com"),
    )["Role"]["Arn"]
    s3.create_bucket(Bucket="theirs")
    s3.put_object(Bucket="theirs", Key="a.csv", Body=b"1")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    made = {scope: _create_location(control, scope, vending) for scope in ("s3://theirs/", "s3://")}
    for prefix in ("one/*", "two/*"):
        control.create_access_grant(
            AccountId=ACCOUNT, AccessGrantsLocationId=made["s3://theirs/"], Permission="READ",
            AccessGrantsLocationConfiguration={"S3SubPrefix": prefix},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": ana},
        )  # fmt: skip
    return Others(account, _create_domain(studio, ana), made["s3://"])


def _create_location(control: Any, scope: str, role: str) -> str:
    made = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=scope, IAMRoleArn=role
    )
    return str(made["AccessGrantsLocationId"])


def _create_domain(studio: Any, role: str) -> str:
    """A domain of the article's name, with a profile and a space; its id."""
    settings = {"ExecutionRole": role}
    made = studio.create_domain(
        DomainName="Product-Domain", AuthMode="IAM", DefaultUserSettings=settings
    )
    domain = made["DomainArn"].rpartition("/")[2]
    studio.create_user_profile(DomainId=domain, UserProfileName="ana", UserSettings=settings)
    studio.create_space(DomainId=domain, SpaceName="space")
    wait_until(
        lambda: (
            studio.describe_user_profile(DomainId=domain, UserProfileName="ana")["Status"]
            == "InService"
        )
    )
    wait_until(
        lambda: studio.describe_space(DomainId=domain, SpaceName="space")["Status"] == "InService"
    )
    wait_until(lambda: studio.describe_domain(DomainId=domain)["Status"] == "InService")
    return domain


def put_policy(account: EmptyAccount, bucket: str) -> None:
    body = (ROOT / "policy/article.yaml").read_bytes()
    account.client("s3").put_object(Bucket=bucket, Key="policy/article.yaml", Body=body)


def list_own_grants(account: EmptyAccount, data: str) -> set[tuple[str, str]]:
    """Scope and location of each grant for the data bucket."""
    return {
        (it["GrantScope"], it["AccessGrantsLocationId"])
        for it in list_grants(account)
        if it["GrantScope"].startswith(f"s3://{data}/")
    }


def test_the_stacks_own_grants_are_created_and_deleted_and_nothing_of_others_changes(
    others: Others,
):
    account, stack = others.account, others.account.build_stack()
    before, described = account.list_resources(), others.describe_all()

    assert stack.create(**EXISTING) == "CREATE_COMPLETE", stack.describe_failures()
    data, policies = stack.read_outputs()["DataBucket"], stack.read_outputs()["PolicyBucket"]
    location = stack.find_physical_id("Location")
    put_policy(account, policies)
    wait_until(
        lambda: (
            list_own_grants(account, data)
            == {(f"s3://{data}/Product/*", location), (f"s3://{data}/Ana/*", location)}
        )
    )
    assert others.describe_all() == described
    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert (account.list_resources(), others.describe_all()) == (before, described)


def test_an_existing_location_is_used_and_stays(others: Others):
    account, stack = others.account, others.account.build_stack()
    before, described = account.list_resources(), others.describe_all()

    assert stack.create(**EXISTING, AccessGrantsLocation=others.default) == "CREATE_COMPLETE", (
        stack.describe_failures()
    )
    data = stack.read_outputs()["DataBucket"]
    put_policy(account, stack.read_outputs()["PolicyBucket"])
    wait_until(
        lambda: (
            list_own_grants(account, data)
            == {(f"s3://{data}/Product/*", others.default), (f"s3://{data}/Ana/*", others.default)}
        )
    )
    assert (
        account.client("s3control").list_access_grants_locations(AccountId=ACCOUNT)[
            "AccessGrantsLocationsList"
        ]
        != []
    )
    assert others.describe_all() == described
    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert (account.list_resources(), others.describe_all()) == (before, described)


@pytest.mark.parametrize("name", ["Location", "LoadedDataset"])
def test_a_failed_creation_changes_nothing_of_others(others: Others, name):
    account, stack = others.account, others.account.build_stack()
    before, described = account.list_resources(), others.describe_all()
    stack.fail_after(name)

    assert stack.create(**EXISTING) == "ROLLBACK_COMPLETE", stack.describe_failures()
    assert account.list_resources() - before == {"cloudformation stacks: grantor"}
    assert others.describe_all() == described


def test_an_existing_instance_is_neither_created_nor_deleted(others: Others):
    stack, described = others.account.build_stack(), others.describe_all()

    assert stack.create(CreateStudio="false") == "ROLLBACK_COMPLETE"
    assert "AccessGrantsInstanceAlreadyExists" in stack.describe_failures()
    assert others.describe_all() == described


def test_an_interrupted_deletion_changes_nothing_of_others(others: Others):
    account, stack = others.account, others.account.build_stack()
    before, described = account.list_resources(), others.describe_all()
    assert stack.create(**EXISTING) == "CREATE_COMPLETE", stack.describe_failures()
    put_policy(account, stack.read_outputs()["PolicyBucket"])
    wait_until(lambda: list_own_grants(account, stack.read_outputs()["DataBucket"]))
    account.inject_fault("s3control", "DeleteAccessGrantsLocation")

    assert stack.delete() == "DELETE_FAILED"
    assert stack.delete() == "DELETE_COMPLETE", stack.describe_failures()
    assert (account.list_resources(), others.describe_all()) == (before, described)
