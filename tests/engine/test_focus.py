"""A run for one profile or folder has the same result as a full run, and changes no other grants."""

import json

import pytest

from grantor.core.planning.rendering import describe_grantee
from grantor.core.triggers import Trigger
from sandbox.testing.helpers import call_control
from tests.conftest import ACCOUNT
from tests.engine.helpers import (
    assert_run_changes_nothing,
    assert_settled,
    describe_confirmed_grants,
)
from tests.grantor_setup import (
    ARTICLE_POLICY,
    DATA,
    EVERYTHING,
    HOME,
    GrantorSetup,
    describe_changes,
)

TEAMS = """\
version: 1
rules:
  - name: team-folders
    to: {profiles: {domain: Product-Domain, tags: {team: "{prefix.name}"}}}
    on: {each_prefix: "s3://{data_bucket}/teams/"}
    allow: READWRITE
  - name: team-results
    to: {each_profile: {domain: Product-Domain, names: ["u*"]}}
    on: {each_prefix: "s3://{data_bucket}/teams/", scope: "s3://{data_bucket}/results/{prefix.name}/{profile.name}/*"}
    allow: READ
"""


def create_profile(setup: GrantorSetup) -> Trigger:
    setup.create_profile("userC", team="blue")
    return setup.build_profile_trigger("userC")


def delete_profile(setup: GrantorSetup) -> Trigger:
    setup.delete_profile("userB")
    return setup.build_profile_trigger("userB")


def change_role(setup: GrantorSetup) -> Trigger:
    settings = {"ExecutionRole": setup.create_role("role-new")}
    setup.wait_for_profiles("userA")
    setup.client("sagemaker").update_user_profile(
        DomainId=setup.domain, UserProfileName="userA", UserSettings=settings
    )
    return setup.build_profile_trigger("userA")


def take_over_role(setup: GrantorSetup) -> Trigger:
    setup.create_profile("userD", role="role-userA")
    return setup.build_profile_trigger("userD")


def create_profile_with_same_folder(setup: GrantorSetup) -> Trigger:
    setup.create_profile("UserA", role="role-twin")
    return setup.build_profile_trigger("UserA")


def create_folder(setup: GrantorSetup) -> Trigger:
    return setup.upload("teams/red/2026/a.csv")


def empty_folder(setup: GrantorSetup) -> Trigger:
    setup.client("s3").delete_object(Bucket=DATA, Key="teams/blue/a.csv")
    return Trigger("data", (f"data s3://{DATA}/teams/blue/",))


def name_unknown_profile(setup: GrantorSetup) -> Trigger:
    return setup.build_profile_trigger("nobody")


STEPS = [
    create_profile,
    delete_profile,
    change_role,
    take_over_role,
    create_profile_with_same_folder,
    create_folder,
    empty_folder,
    name_unknown_profile,
]


@pytest.fixture
def before(setup: GrantorSetup) -> GrantorSetup:
    """Two files, two profiles, one team folder, all in force."""
    setup.put_policy("article", ARTICLE_POLICY)
    setup.put_policy("teams", TEAMS)
    setup.upload("teams/blue/a.csv")
    setup.wait_for_profiles("userA", "userB")
    setup.reconcile()
    return setup


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
def test_a_focused_run_leaves_nothing_for_a_full_run(before: GrantorSetup, step) -> None:
    trigger = step(before)
    report = before.reconcile(trigger)
    assert (report.focus == ("everything",), report.is_finished) == (False, True)
    after = before.describe_grants()

    assert (
        before.reconcile().done,
        before.describe_grants(),
        describe_confirmed_grants(before),
    ) == ([], after, after)


PAIRS = [
    (folder, person)
    for folder in (create_folder, empty_folder)
    for person in STEPS
    if "folder" not in person.__name__
]


@pytest.mark.parametrize(
    "steps", PAIRS, ids=[f"{one.__name__}-{two.__name__}" for one, two in PAIRS]
)
def test_a_run_focused_on_a_folder_and_a_profile_leaves_nothing_for_a_full_run(
    before: GrantorSetup, steps
) -> None:
    """What one of the two looks at in part, the other needs in whole."""
    report = before.reconcile(*[step(before) for step in steps])
    assert len(report.focus) == 2
    after = before.describe_grants()

    assert (
        before.reconcile().done,
        before.describe_grants(),
        describe_confirmed_grants(before),
    ) == ([], after, after)


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
def test_a_focused_run_creates_the_same_grants_as_a_full_run(before: GrantorSetup, step) -> None:
    """The other way round: one setup, the same step, and only a sweep afterwards."""
    trigger = step(before)
    before.reconcile(*EVERYTHING)
    after = before.describe_grants()

    assert (before.reconcile(trigger).done, before.describe_grants()) == ([], after)


def test_a_run_for_one_profile_lists_and_changes_the_grants_of_its_role_alone(
    before: GrantorSetup,
) -> None:
    trigger = create_profile(before)
    before.reset_call_counts()
    report = before.reconcile(trigger)
    touched = {
        describe_grantee(grant.grantee, HOME)
        for grant, entry in before.read_ledger().items()
        if entry.run == report.run_id
    }

    assert touched == {"role/role-userC"}
    assert before.count_calls() == {
        "ListAccessGrantsLocations": 1,
        "ListAccessGrants": 1,
        "CreateAccessGrant": 4,
    }


def test_a_run_for_one_profile_costs_the_same_among_many_as_among_few(before: GrantorSetup) -> None:
    """hashicorp/terraform #7388: one read for each of everything that there is."""
    theirs = {"GranteeType": "IAM", "GranteeIdentifier": before.create_role("somebody")}
    location = {"AccountId": ACCOUNT, "AccessGrantsLocationId": before.find_location_id()}
    grants = [
        {
            **location,
            "AccessGrantsLocationConfiguration": {"S3SubPrefix": f"{n}/*"},
            "Permission": "READ",
            "Grantee": theirs,
        }
        for n in range(5_000)
    ]
    call_control(before.sandbox, "grants", "POST", grants)
    trigger = create_profile(before)
    before.reset_call_counts()
    report = before.reconcile(trigger)

    assert (report.created, before.count_calls()) == (
        4,
        {"ListAccessGrantsLocations": 1, "ListAccessGrants": 1, "CreateAccessGrant": 4},
    )


def test_drift_without_an_event_is_repaired_by_the_sweep_and_not_by_another_trigger(
    before: GrantorSetup,
) -> None:
    theirs = next(
        grant_id for grant, grant_id in before.list_grants().items() if "UserB" in str(grant)
    )
    before.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=theirs)
    assert before.reconcile(before.build_profile_trigger("userA")).done == []

    assert describe_changes(before.reconcile().done) == [
        "+ READWRITE s3://data/UserB/* to role/role-userB, because policy/article.yaml#own-folder for profile Product-Domain/userB, again: somebody deleted it"
    ]
    assert_run_changes_nothing(before)


def test_a_trigger_about_a_deleted_domain_causes_a_full_run(before: GrantorSetup) -> None:
    report = before.reconcile(Trigger("profile", ("profile d-000000000000/userA",)))

    assert (report.focus, report.done) == (("everything",), [])


def test_triggers_about_several_subjects_cause_one_run(before: GrantorSetup) -> None:
    triggers = [create_profile(before), create_folder(before), delete_profile(before)]
    report = before.reconcile(*triggers)

    assert report.focus == (
        "prefix s3://data/teams/red/",
        "profile Product-Domain/userB",
        "profile Product-Domain/userC",
    )
    assert_settled(before, before.describe_grants())
    assert json.dumps(report.to_document("grantor"))
