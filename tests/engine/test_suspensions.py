"""Whoever is suspended gets nothing from any file, and loses what they have without asking; a
suspension of many asks, because a kill switch must not become a weapon.
"""

import json

import pytest

from tests.engine.helpers import (
    assert_run_changes_nothing,
    assert_settled,
    build_fault,
    build_impatient_services,
    build_rules,
    build_services_ahead,
    find_report_lines,
    injected_faults,
)
from tests.grantor_setup import ARTICLE_POLICY, DOMAIN, POLICIES, GrantorSetup

ADDITIVE = ARTICLE_POLICY.replace("version: 1\n", "version: 1\nmode: additive\n")
OF_USER = {
    x: {
        f"READWRITE s3://data/{folder}/* to role/role-user{x}" for folder in ("Product", f"User{x}")
    }
    for x in "AB"
}


def suspend(*names: str, because: str = "laptop stolen", **more: str) -> str:
    """A policy file that suspends these profiles and does nothing else."""
    entries = [{"profile": f"{DOMAIN}/{name}", "because": because, **more} for name in names]
    return json.dumps({"version": 1, "suspend": entries})


@pytest.fixture
def granted(setup: GrantorSetup) -> GrantorSetup:
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    return setup


def test_a_suspended_profile_loses_everything_at_once_and_gets_nothing_until_it_is_lifted(
    granted: GrantorSetup,
) -> None:
    granted.put_policy("suspensions/b", suspend("userB"))
    report = granted.reconcile()

    assert (granted.describe_grants(), report.deleted) == (OF_USER["A"], 2)
    assert not report.approval.is_pending
    assert report.done[0].suspended_by == "policy/suspensions/b.yaml#profile Product-Domain/userB"
    assert granted.reconcile(granted.build_profile_trigger("userB")).done == []
    assert_settled(granted, OF_USER["A"])

    granted.delete_policy("suspensions/b")
    assert granted.reconcile().created == 2
    assert_settled(granted, OF_USER["A"] | OF_USER["B"])


def test_a_suspension_outranks_rules_of_every_file_and_names_roles_too(
    granted: GrantorSetup,
) -> None:
    granted.create_role("auditor")
    granted.put_policy("many", build_rules(30))
    granted.reconcile()
    role = "arn:aws:iam::000000000000:role/auditor"
    entry = {"role": role, "because": "key found in a repository"}
    granted.put_policy("s", json.dumps({"version": 1, "suspend": [entry]}))

    report = granted.reconcile()

    assert (report.deleted, report.approval.is_pending) == (30, False)
    assert_settled(granted, OF_USER["A"] | OF_USER["B"])


def test_grants_of_an_additive_file_and_its_leftovers_go_too(setup: GrantorSetup) -> None:
    setup.put_policy("a", ADDITIVE)
    setup.reconcile()
    setup.delete_policy("a")
    setup.reconcile()
    setup.put_policy("s", suspend("userB"))

    assert setup.reconcile().deleted == 2
    assert setup.describe_grants() == OF_USER["A"]


def test_grants_on_hold_and_of_a_wrong_or_unread_file_go_too(granted: GrantorSetup) -> None:
    granted.put_policy("a", "version: 1\nrules: wrong")
    granted.put_policy("s", suspend("userB"))
    assert granted.reconcile().deleted == 2
    with injected_faults(granted, build_fault("sagemaker/ListUserProfiles", "error")):
        granted.put_policy("s", suspend("userB", "userA"))
        assert granted.reconcile(services=build_impatient_services(granted)).deleted == 2
    assert granted.describe_grants() == set()


def test_a_suspended_profile_that_moves_takes_the_suspension_with_it(
    granted: GrantorSetup,
) -> None:
    granted.put_policy("s", suspend("userB"))
    granted.reconcile()
    granted.wait_for_profiles("userB")
    granted.client("sagemaker").update_user_profile(
        DomainId=granted.domain,
        UserProfileName="userB",
        UserSettings={"ExecutionRole": granted.create_role("role-userA")},
    )
    granted.wait_for_profiles("userB")

    report = granted.reconcile(granted.build_profile_trigger("userA"))

    assert (report.deleted, granted.describe_grants()) == (2, set())
    warnings = find_report_lines(granted.reconcile(), "warning")
    assert any("is also the role of profile Product-Domain/userA" in line for line in warnings)


def test_a_wrong_version_and_an_unreadable_file_keep_the_suspension(
    granted: GrantorSetup,
) -> None:
    granted.put_policy("s", suspend("userB"))
    granted.reconcile()
    granted.put_policy("s", "version: 1\nsuspend: nobody")
    assert granted.reconcile().done == []
    granted.put_policy("s", suspend("userB"))
    granted.put_policy("a", ARTICLE_POLICY + "# another version\n")
    granted.reconcile()

    fault = build_fault("s3/GetObject", "cut", key="policy/s.yaml")
    with injected_faults(granted, fault):
        report = granted.reconcile(services=granted.build_services())
    assert (report.done, granted.describe_grants()) == ([], OF_USER["A"])


def test_a_suspension_ends_by_itself(granted: GrantorSetup) -> None:
    granted.put_policy("s", suspend("userB", until="2035-01-01"))
    report = granted.reconcile()
    assert granted.describe_grants() == OF_USER["A"]
    assert report.next_end is not None
    assert report.next_end.year == 2035

    later = build_services_ahead(granted, 20 * 365 * 86_400)
    assert granted.reconcile(services=later).created == 2


def test_six_people_at_once_ask_and_five_do_not(setup: GrantorSetup) -> None:
    names = [f"user{number:02}" for number in range(6)]
    for name in names:
        setup.create_profile(name)
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    before = setup.describe_grants()

    setup.put_policy("s", suspend(*names))
    report = setup.reconcile()
    assert report.approval.is_pending
    assert "suspends 6 people" in report.approval.causes[0]
    assert setup.describe_grants() == before

    setup.put_policy("s", suspend(*names[:5]))
    report = setup.reconcile()
    assert (report.approval.is_pending, report.deleted) == (False, 10)
    # The sixth on the same day asks, in whichever file it is.
    setup.put_policy("t", suspend(names[5]))
    assert setup.reconcile().approval.is_pending


def test_a_shared_role_counts_everybody_who_runs_as_it(setup: GrantorSetup) -> None:
    for number in range(6):
        setup.create_profile(f"team{number}", "team-role")
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    setup.put_policy("s", suspend("team0"))

    report = setup.reconcile()

    assert report.approval.is_pending or "READWRITE s3://data/Product/* to role/team-role" not in (
        setup.describe_grants()
    )


def test_a_suspension_does_not_wait_for_the_approval_of_something_else(
    thirty_grants: GrantorSetup,
) -> None:
    setup = thirty_grants
    setup.put_policy("a", ARTICLE_POLICY)
    setup.reconcile()
    setup.put_policy("many", ARTICLE_POLICY.replace("product-team", "team"))  # thirty deletes
    setup.put_policy("s", suspend("userB"))
    flood = [f"new{number}" for number in range(8)]
    for name in flood:
        setup.create_profile(name)

    report = setup.reconcile()

    assert report.approval.is_pending
    assert not {each for each in setup.describe_grants() if each.endswith("role-userB")}
    assert report.deleted == 2


def test_people_outside_of_the_bounds_of_the_file_ask(granted: GrantorSetup) -> None:
    bounds = "version: 1\nfolders:\n  policy/teams/: {suspend: [Product-Domain/userA]}\n"
    granted.client("s3").put_object(Bucket=POLICIES, Key="bounds/bounds.yaml", Body=bounds.encode())
    granted.put_policy("teams/s", suspend("userB"))
    report = granted.reconcile()
    assert report.approval.is_pending
    assert any("outside of the bounds of this file" in one for one in report.approval.causes)
    assert granted.describe_grants() == OF_USER["A"] | OF_USER["B"]

    granted.put_policy("teams/s", suspend("userA"))
    assert (granted.reconcile().deleted, granted.describe_grants()) == (2, OF_USER["B"])


def test_unmanaged_grants_of_whoever_is_suspended_are_named_and_stay(
    granted: GrantorSetup,
) -> None:
    role = granted.create_role("role-userB")
    granted.create_unmanaged_grant("elsewhere/*", role)
    granted.put_policy("s", suspend("userB"))

    report = granted.reconcile()

    assert granted.describe_grants() == OF_USER["A"] | {
        "READ s3://data/elsewhere/* to role/role-userB"
    }
    lines = find_report_lines(report, "warning")
    assert any("1 unmanaged grant" in line and "role-userB" in line for line in lines)


def test_a_suspension_that_names_nobody_is_named(granted: GrantorSetup) -> None:
    granted.put_policy("s", suspend("userC"))
    lines = find_report_lines(granted.reconcile(), "warning")
    assert any("there is no profile Product-Domain/userC" in line for line in lines)
    assert_run_changes_nothing(granted)
