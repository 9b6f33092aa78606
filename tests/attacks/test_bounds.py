"""What stewards, data writers, profile administrators and taggers cannot give or keep, whatever they
write: the bounds are somebody else's.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from grantor.aws.clients import RetryableError
from grantor.aws.s3 import PolicyFile, PolicyFiles
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.triggers import Trigger
from tests.conftest import Sandbox
from tests.grantor_setup import DOMAIN, POLICIES, GrantorSetup, set_up_grantor

OWN, FOREIGN = "arn:aws:iam::000000000000:role/auditor", "arn:aws:iam::666666666666:role/auditor"


@pytest.fixture(scope="module")
def bounds_sandbox(start_sandbox: Callable[..., Sandbox]) -> Sandbox:
    return start_sandbox()


@pytest.fixture
def setup(bounds_sandbox: Sandbox, tmp_path: Path) -> GrantorSetup:
    made = set_up_grantor(bounds_sandbox, tmp_path)
    made.create_role("auditor")
    return made


def give(scope: str = "s3://{data_bucket}/a/*", role: str = OWN, allow: str = "READ") -> str:
    """A policy of one rule."""
    return f"version: 1\nrules:\n  - {{name: r, to: {{role: '{role}'}}, on: '{scope}', allow: {allow}}}\n"


def each_profile(domain: str) -> str:
    """A policy that gives each profile of a domain its own folder."""
    to = f"{{each_profile: {{domain: {domain}}}}}"
    on = "s3://{data_bucket}/{profile.folder}/*"
    return f"version: 1\nrules:\n  - {{name: own, to: {to}, on: '{on}', allow: READ}}\n"


@pytest.mark.parametrize(
    "policy",
    [
        pytest.param(give("s3://{data_bucket}/*", FOREIGN, "READWRITE"), id="a foreign account"),
        pytest.param(give("s3://other-bucket/*"), id="another bucket"),
    ],
)
def test_a_steward_gives_nothing_outside_of_the_defaults(setup: GrantorSetup, policy: str):
    setup.put_policy("a", policy)
    report = setup.reconcile()

    assert setup.list_grants() == {}
    assert [problem.file for problem in report.errors] == ["policy/a.yaml"]


def test_an_approver_widens_the_bounds_at_once(setup: GrantorSetup):
    setup.put_bounds("  policy/: {scopes: ['s3://{data_bucket}/b/*']}\n")
    setup.put_policy("a", give())
    refused = setup.reconcile()
    setup.put_bounds("  policy/: {scopes: ['s3://{data_bucket}/*']}\n")
    allowed = setup.reconcile(Trigger("policy", ("everything",)))

    assert (len(refused.errors), refused.done) == (1, [])
    assert (allowed.errors, len(setup.list_grants())) == ([], 1)
    assert setup.reconcile().done == []


def test_bounds_that_are_narrowed_revoke_what_lies_outside(setup: GrantorSetup):
    setup.put_policy("a", give())
    setup.reconcile()
    setup.put_bounds("  policy/: {scopes: ['s3://{data_bucket}/b/*']}\n")
    report = setup.reconcile()

    assert (setup.list_grants(), len(report.errors)) == ({}, 1)
    assert report.accepted.keys() == {BOUNDS_FILE}


def test_a_wrong_bounds_file_opens_nothing_and_closes_nothing(setup: GrantorSetup):
    setup.put_bounds("  policy/: {scopes: ['s3://{data_bucket}/a/*']}\n")
    setup.put_policy("a", give())
    setup.reconcile()
    setup.put_policy("b", give("s3://{data_bucket}/b/*"))
    setup.put_bounds("  policy/: {scope: everything}\n")
    report = setup.reconcile()

    assert {grant.scope for grant in setup.list_grants()} == {"s3://data/a/*"}
    assert {problem.file for problem in report.errors} == {BOUNDS_FILE, "policy/b.yaml"}


def test_a_first_bounds_file_that_is_wrong_leaves_the_defaults_in_force(setup: GrantorSetup):
    setup.put_policy("a", give())
    setup.put_bounds("  policy/: {scopes: []}\n")
    report = setup.reconcile()

    assert len(setup.list_grants()) == 1
    assert {problem.file for problem in report.errors} == {BOUNDS_FILE}


class BlindToBounds(PolicyFiles):
    """Policy files of a bucket that does not give the bounds file, or only its old versions."""

    knows_versions = False

    def read_file(self, key: str, version: str = "") -> PolicyFile:
        if key == BOUNDS_FILE and not (version and self.knows_versions):
            raise RetryableError("the bucket does not answer")
        return super().read_file(key, version)


@pytest.mark.parametrize("knows_versions", [True, False])
def test_bounds_that_cannot_be_read_are_not_the_defaults(setup: GrantorSetup, knows_versions: bool):
    setup.put_bounds("  policy/: {scopes: ['s3://{data_bucket}/a/*']}\n")
    setup.put_policy("a", give())
    setup.reconcile()
    setup.put_policy("b", give("s3://{data_bucket}/b/*"))
    setup.put_policy("c", give("s3://{data_bucket}/a/c/*"))
    setup.delete_policy("a")
    services = setup.build_services()
    services.policy_files = BlindToBounds(services.clients.s3, POLICIES)
    services.policy_files.knows_versions = knows_versions
    report = setup.reconcile(services=services)

    scope = "s3://data/a/c/*" if knows_versions else "s3://data/a/*"
    assert {grant.scope for grant in setup.list_grants()} == {scope}
    assert BOUNDS_FILE in report.unread


def test_bounds_that_are_deleted_give_way_to_the_defaults(setup: GrantorSetup):
    setup.put_bounds("  policy/: {scopes: ['s3://{data_bucket}/b/*']}\n")
    setup.put_policy("a", give())
    setup.reconcile()
    setup.client("s3").delete_object(Bucket=POLICIES, Key=BOUNDS_FILE)
    report = setup.reconcile()

    assert {grant.scope for grant in setup.list_grants()} == {"s3://data/a/*"}
    assert report.removed_files == (BOUNDS_FILE,)


def test_a_team_steps_out_of_its_bounds_only_in_its_own_folder(setup: GrantorSetup):
    setup.put_bounds(
        "  policy/blue/: {scopes: ['s3://{data_bucket}/blue/*'], permissions: [READ]}\n"
    )
    setup.put_policy("blue/a", give("s3://{data_bucket}/red/*"))
    setup.put_policy("blue/b", give("s3://{data_bucket}/blue/*", allow="WRITE"))
    setup.put_policy("blue/c", give("s3://{data_bucket}/blue/*"))
    setup.put_policy("red", give("s3://{data_bucket}/red/x/*"))
    report = setup.reconcile()

    assert {grant.scope for grant in setup.list_grants()} == {
        "s3://data/blue/*",
        "s3://data/red/x/*",
    }
    assert {problem.file for problem in report.errors} == {
        "policy/blue/a.yaml",
        "policy/blue/b.yaml",
    }


def test_a_file_in_another_folder_of_the_bucket_is_no_policy_file(setup: GrantorSetup):
    body = give().encode()
    setup.client("s3").put_object(Bucket=POLICIES, Key="bounds/more.yaml", Body=body)
    setup.client("s3").put_object(Bucket=POLICIES, Key="a.yaml", Body=body)

    assert setup.reconcile().errors == []
    assert setup.list_grants() == {}


def test_a_person_with_one_folder_does_not_make_1500_grants(setup: GrantorSetup):
    setup.put_policy("a", give("x").replace("'x'", "{each_prefix: 's3://{data_bucket}/teams/'}"))
    setup.upload("teams/blue/x")
    setup.reconcile()
    for number in range(250):
        trigger = setup.upload(f"teams/{number:04}/x")
    focused, full = setup.reconcile(trigger), setup.reconcile()

    assert {grant.scope for grant in setup.list_grants()} == {"s3://data/teams/blue/*"}
    assert [focused.done, full.done] == [[], []]
    assert "more than 200 folders" in full.errors[0].what


@pytest.mark.parametrize("name", ["ana", "Ana"])
@pytest.mark.parametrize("focused", [True, False])
def test_a_profile_in_another_domain_does_not_get_the_folder_of_its_namesake(
    setup: GrantorSetup, name: str, focused: bool
):
    setup.create_profile("ana")
    setup.wait_for_profiles("ana")
    setup.put_policy("a", each_profile(DOMAIN))
    setup.put_policy("b", each_profile("Other"))
    setup.reconcile()
    made = setup.client("sagemaker").create_domain(
        DomainName="Other",
        AuthMode="IAM",
        DefaultUserSettings={"ExecutionRole": setup.create_role("domain-default")},
        VpcId="vpc-1",
        SubnetIds=["subnet-1"],
    )
    other = replace(setup, domain=made["DomainArn"].rpartition("/")[2])
    other.create_profile(name, "role-of-the-namesake")
    other.wait_for_profiles(name)
    report = setup.reconcile(*([other.build_profile_trigger(name)] if focused else []))

    holders = {grant.grantee.identifier.rpartition("/")[2] for grant in setup.list_grants()}
    assert holders == {"role-ana", "role-userA", "role-userB"}
    assert f"profile Other/{name}" in "".join(problem.what for problem in report.errors)
    assert setup.reconcile().done == []


def test_an_additive_rule_that_is_gone_gives_nothing_for_the_first_time(setup: GrantorSetup):
    missing = OWN.replace("auditor", "later")
    setup.put_policy("a", "mode: additive\n" + give(role=missing))
    assert len(setup.reconcile().deferred) == 1
    setup.delete_policy("a")
    setup.reconcile()
    setup.create_role("later")
    setup.reconcile()

    assert setup.list_grants() == {}


def test_a_leftover_that_somebody_deletes_stays_deleted_and_is_named_before(setup: GrantorSetup):
    setup.put_policy("a", "mode: additive\n" + give())
    setup.reconcile()
    setup.delete_policy("a")
    named = setup.reconcile()
    ((_, grant_id),) = setup.list_grants().items()
    setup.client("s3control").delete_access_grant(AccountId="000000000000", AccessGrantId=grant_id)
    setup.reconcile()
    setup.reconcile()

    assert [one.what for one in named.warnings if "leftover: READ s3://data/a/*" in one.what]
    assert setup.list_grants() == {}


def test_a_tag_that_is_taken_away_is_no_reason(setup: GrantorSetup):
    setup.put_policy("a", each_profile(DOMAIN).replace("{profile.folder}", "{profile.tags.team}"))
    setup.create_profile("ana", team="blue")
    setup.wait_for_profiles("ana")
    setup.reconcile()
    assert len(setup.list_grants()) == 1
    arn = f"arn:aws:sagemaker:us-east-1:000000000000:user-profile/{setup.domain}/ana"
    setup.client("sagemaker").delete_tags(ResourceArn=arn, TagKeys=["team"])
    report = setup.reconcile()

    assert (setup.list_grants(), report.on_hold) == ({}, [])
    assert any("{profile.tags.team} has no value" in one.what for one in report.warnings)
