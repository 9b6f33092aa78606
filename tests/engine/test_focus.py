"""A run for one profile or one folder comes to the same as a run over everything, and touches
nobody else.
"""

import json

import pytest

from grantor.core.planning.rendering import describe_grantee
from grantor.core.triggers import Trigger
from sandbox.testing.helpers import call_control
from tests.conftest import ACCOUNT
from tests.engine.watch import at_rest, ledger, quiet
from tests.estate import ARTICLE, DATA, EVERYTHING, HOME, Estate, sentences

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


def comes(estate: Estate) -> Trigger:
    estate.profile("userC", team="blue")
    return estate.profile_trigger("userC")


def goes(estate: Estate) -> Trigger:
    estate.no_profile("userB")
    return estate.profile_trigger("userB")


def changes_its_role(estate: Estate) -> Trigger:
    settings = {"ExecutionRole": estate.role("role-new")}
    estate.settle("userA")
    estate.client("sagemaker").update_user_profile(
        DomainId=estate.domain, UserProfileName="userA", UserSettings=settings
    )
    return estate.profile_trigger("userA")


def takes_over_a_role(estate: Estate) -> Trigger:
    estate.profile("userD", role="role-userA")
    return estate.profile_trigger("userD")


def gets_a_twin(estate: Estate) -> Trigger:
    estate.profile("UserA", role="role-twin")
    return estate.profile_trigger("UserA")


def makes_a_folder(estate: Estate) -> Trigger:
    return estate.upload("teams/red/2026/a.csv")


def empties_a_folder(estate: Estate) -> Trigger:
    estate.client("s3").delete_object(Bucket=DATA, Key="teams/blue/a.csv")
    return Trigger("data", (f"data s3://{DATA}/teams/blue/",))


def is_never_there(estate: Estate) -> Trigger:
    return estate.profile_trigger("nobody")


STEPS = [
    comes,
    goes,
    changes_its_role,
    takes_over_a_role,
    gets_a_twin,
    makes_a_folder,
    empties_a_folder,
    is_never_there,
]


@pytest.fixture
def before(estate: Estate) -> Estate:
    """Two files, two profiles, one team folder, all in force."""
    estate.policy("article", ARTICLE)
    estate.policy("teams", TEAMS)
    estate.upload("teams/blue/a.csv")
    estate.settle("userA", "userB")
    estate.run()
    return estate


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
def test_a_run_for_what_has_changed_leaves_nothing_for_a_run_over_everything(
    before: Estate, step
) -> None:
    trigger = step(before)
    report = before.run(trigger)
    assert (report.focus == ("everything",), report.is_finished) == (False, True)
    after = before.grants()

    assert (before.run().done, before.grants(), ledger(before)) == ([], after, after)


PAIRS = [
    (folder, person)
    for folder in (makes_a_folder, empties_a_folder)
    for person in STEPS
    if "folder" not in person.__name__
]


@pytest.mark.parametrize(
    "steps", PAIRS, ids=[f"{one.__name__}-{two.__name__}" for one, two in PAIRS]
)
def test_a_run_for_a_folder_and_a_profile_together_leaves_nothing_either(
    before: Estate, steps
) -> None:
    """What one of the two looks at in part, the other needs in whole."""
    report = before.run(*[step(before) for step in steps])
    assert len(report.focus) == 2
    after = before.grants()

    assert (before.run().done, before.grants(), ledger(before)) == ([], after, after)


@pytest.mark.parametrize("step", STEPS, ids=[step.__name__ for step in STEPS])
def test_it_comes_to_the_very_grants_that_a_run_over_everything_would(before: Estate, step) -> None:
    """The other way round: one estate, the same step, and only a sweep afterwards."""
    trigger = step(before)
    before.run(*EVERYTHING)
    after = before.grants()

    assert (before.run(trigger).done, before.grants()) == ([], after)


def test_a_run_for_one_profile_lists_and_changes_the_grants_of_its_role_alone(
    before: Estate,
) -> None:
    trigger = comes(before)
    before.forget_calls()
    report = before.run(trigger)
    touched = {
        describe_grantee(grant.grantee, HOME)
        for grant, entry in before.entries().items()
        if entry.run == report.run_id
    }

    assert touched == {"role/role-userC"}
    assert before.calls() == {
        "ListAccessGrantsLocations": 1,
        "ListAccessGrants": 1,
        "CreateAccessGrant": 4,
    }


def test_a_run_for_one_profile_costs_the_same_among_many_as_among_few(before: Estate) -> None:
    """hashicorp/terraform #7388: one read for each of everything that there is."""
    theirs = {"GranteeType": "IAM", "GranteeIdentifier": before.role("somebody")}
    location = {"AccountId": ACCOUNT, "AccessGrantsLocationId": before.location()}
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
    trigger = comes(before)
    before.forget_calls()
    report = before.run(trigger)

    assert (report.created, before.calls()) == (
        4,
        {"ListAccessGrantsLocations": 1, "ListAccessGrants": 1, "CreateAccessGrant": 4},
    )


def test_drift_without_an_event_is_healed_by_the_sweep_and_not_by_another_trigger(
    before: Estate,
) -> None:
    theirs = next(grant_id for grant, grant_id in before.actual().items() if "UserB" in str(grant))
    before.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=theirs)
    assert before.run(before.profile_trigger("userA")).done == []

    assert sentences(before.run().done) == [
        "+ READWRITE s3://data/UserB/* to role/role-userB, because policy/article.yaml#own-folder for profile Product-Domain/userB"
    ]
    quiet(before)


def test_a_trigger_about_a_deleted_domain_looks_at_everything(before: Estate) -> None:
    report = before.run(Trigger("profile", ("profile d-000000000000/userA",)))

    assert (report.focus, report.done) == (("everything",), [])


def test_triggers_about_several_become_one_run_for_all_of_them(before: Estate) -> None:
    triggers = [comes(before), makes_a_folder(before), goes(before)]
    report = before.run(*triggers)

    assert report.focus == (
        "prefix s3://data/teams/red/",
        "profile Product-Domain/userB",
        "profile Product-Domain/userC",
    )
    at_rest(before, before.grants())
    assert json.dumps(report.to_document("grantor"))
