"""An account that others use already: an instance with locations and grants, a domain with people in it. Nothing of theirs changes, ever."""

from dataclasses import dataclass
from typing import Any

import pytest

from tests.conftest import ACCOUNT, ROOT
from tests.teardown.conftest import grants, trusting
from tests.teardown.stage import Stage, until

EXISTING = {"CreateStudio": "false", "AccessGrants": "existing"}


@dataclass(frozen=True)
class Others:
    """What others have; `described` is all that can be read of it."""

    stage: Stage
    domain: str
    default: str  # the id of their location for all of S3

    def described(self) -> dict[str, Any]:
        control, studio, domain = (
            self.stage.client("s3control"),
            self.stage.client("sagemaker"),
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
                it for it in grants(self.stage) if it["GrantScope"].startswith("s3://theirs/")
            ],
            "domain": studio.describe_domain(**domain),
            "profiles": {
                name: studio.describe_user_profile(**domain, UserProfileName=name)
                for name in sorted(profiles)
            },
            "space": studio.describe_space(**domain, SpaceName="desk"),
            "objects": self.stage.client("s3").list_object_versions(Bucket="theirs")["Versions"],
        }
        return _without_answers_own(answers)


def _without_answers_own(answers: Any) -> Any:
    if isinstance(answers, dict):
        return {
            key: _without_answers_own(value)
            for key, value in answers.items()
            if key != "ResponseMetadata"
        }
    return (
        [_without_answers_own(item) for item in answers] if isinstance(answers, list) else answers
    )


@pytest.fixture
def others(stage: Stage) -> Others:
    iam, control, s3, studio = (
        stage.client(name) for name in ("iam", "s3control", "s3", "sagemaker")
    )
    ana = iam.create_role(
        RoleName="ana", AssumeRolePolicyDocument=trusting("sagemaker.amazonaws.com")
    )["Role"]["Arn"]
    vending = iam.create_role(
        RoleName="vending", AssumeRolePolicyDocument=trusting("access-grants.s3.amazonaws.com")
    )["Role"]["Arn"]
    s3.create_bucket(Bucket="theirs")
    s3.put_object(Bucket="theirs", Key="a.csv", Body=b"1")
    control.create_access_grants_instance(AccountId=ACCOUNT)
    made = {scope: _location(control, scope, vending) for scope in ("s3://theirs/", "s3://")}
    for prefix in ("one/*", "two/*"):
        control.create_access_grant(
            AccountId=ACCOUNT, AccessGrantsLocationId=made["s3://theirs/"], Permission="READ",
            AccessGrantsLocationConfiguration={"S3SubPrefix": prefix},
            Grantee={"GranteeType": "IAM", "GranteeIdentifier": ana},
        )  # fmt: skip
    return Others(stage, _domain(studio, ana), made["s3://"])


def _location(control: Any, scope: str, role: str) -> str:
    made = control.create_access_grants_location(
        AccountId=ACCOUNT, LocationScope=scope, IAMRoleArn=role
    )
    return str(made["AccessGrantsLocationId"])


def _domain(studio: Any, role: str) -> str:
    """A domain of the article's name, with a profile and a space; its id."""
    settings = {"ExecutionRole": role}
    made = studio.create_domain(
        DomainName="Product-Domain", AuthMode="IAM", DefaultUserSettings=settings
    )
    domain = made["DomainArn"].rpartition("/")[2]
    studio.create_user_profile(DomainId=domain, UserProfileName="ana", UserSettings=settings)
    studio.create_space(DomainId=domain, SpaceName="desk")
    until(
        lambda: (
            studio.describe_user_profile(DomainId=domain, UserProfileName="ana")["Status"]
            == "InService"
        )
    )
    until(lambda: studio.describe_space(DomainId=domain, SpaceName="desk")["Status"] == "InService")
    until(lambda: studio.describe_domain(DomainId=domain)["Status"] == "InService")
    return domain


def drop_policy(stage: Stage, bucket: str) -> None:
    body = (ROOT / "policy/article.yaml").read_bytes()
    stage.client("s3").put_object(Bucket=bucket, Key="policy/article.yaml", Body=body)


def at(stage: Stage, data: str) -> set[tuple[str, str]]:
    """Scope and location of each grant for the data bucket."""
    return {
        (it["GrantScope"], it["AccessGrantsLocationId"])
        for it in grants(stage)
        if it["GrantScope"].startswith(f"s3://{data}/")
    }


def test_nothing_of_others_changes_and_the_stacks_own_grants_come_and_go_beside_theirs(
    others: Others,
):
    stage, stack = others.stage, others.stage.stack()
    before, described = stage.things(), others.described()

    assert stack.create(**EXISTING) == "CREATE_COMPLETE", stack.why()
    data, policies = stack.outputs()["DataBucket"], stack.outputs()["PolicyBucket"]
    location = stack.physical("Location")
    drop_policy(stage, policies)
    until(
        lambda: (
            at(stage, data)
            == {(f"s3://{data}/Product/*", location), (f"s3://{data}/Ana/*", location)}
        )
    )
    assert others.described() == described
    assert stack.delete() == "DELETE_COMPLETE", stack.why()
    assert (stage.things(), others.described()) == (before, described)


def test_an_existing_location_is_used_and_stays(others: Others):
    stage, stack = others.stage, others.stage.stack()
    before, described = stage.things(), others.described()

    assert stack.create(**EXISTING, AccessGrantsLocation=others.default) == "CREATE_COMPLETE", (
        stack.why()
    )
    data = stack.outputs()["DataBucket"]
    drop_policy(stage, stack.outputs()["PolicyBucket"])
    until(
        lambda: (
            at(stage, data)
            == {(f"s3://{data}/Product/*", others.default), (f"s3://{data}/Ana/*", others.default)}
        )
    )
    assert (
        stage.client("s3control").list_access_grants_locations(AccountId=ACCOUNT)[
            "AccessGrantsLocationsList"
        ]
        != []
    )
    assert others.described() == described
    assert stack.delete() == "DELETE_COMPLETE", stack.why()
    assert (stage.things(), others.described()) == (before, described)


@pytest.mark.parametrize("name", ["Location", "LoadedDataset"])
def test_a_creation_that_fails_beside_them_leaves_them_as_they_were(others: Others, name):
    stage, stack = others.stage, others.stage.stack()
    before, described = stage.things(), others.described()
    stack.broken_after(name)

    assert stack.create(**EXISTING) == "ROLLBACK_COMPLETE", stack.why()
    assert stage.things() - before == {"cloudformation stacks: grantor"}
    assert others.described() == described


def test_an_instance_that_there_is_already_is_not_made_again_and_not_taken_back(others: Others):
    stack, described = others.stage.stack(), others.described()

    assert stack.create(CreateStudio="false") == "ROLLBACK_COMPLETE"
    assert "AccessGrantsInstanceAlreadyExists" in stack.why()
    assert others.described() == described


def test_a_deletion_that_is_interrupted_beside_them_leaves_them_as_they_were(others: Others):
    stage, stack = others.stage, others.stage.stack()
    before, described = stage.things(), others.described()
    assert stack.create(**EXISTING) == "CREATE_COMPLETE", stack.why()
    drop_policy(stage, stack.outputs()["PolicyBucket"])
    until(lambda: at(stage, stack.outputs()["DataBucket"]))
    stage.fault("s3control", "DeleteAccessGrantsLocation")

    assert stack.delete() == "DELETE_FAILED"
    assert stack.delete() == "DELETE_COMPLETE", stack.why()
    assert (stage.things(), others.described()) == (before, described)
