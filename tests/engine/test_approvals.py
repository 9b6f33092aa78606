"""The guard: a plan with many deletions requires an approval. One alert contains the command that
approves exactly this plan.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.conftest import ACCOUNT
from tests.engine.helpers import (
    OTHER_FILE_GRANTS,
    AlertInbox,
    assert_run_changes_nothing,
    assert_settled,
    build_rules,
    build_services_ahead,
    expected_grants,
    find_report_lines,
)
from tests.grantor_setup import ARTICLE_POLICY, DOMAIN, HOME, GrantorSetup


@pytest.mark.parametrize(
    ("before", "after", "waits"),
    [
        (30, 5, True),
        (30, 9, True),
        (30, 10, False),
        (85, 64, False),
        (83, 62, True),
        (20, 1, False),
    ],
    ids=["25 of 30", "21 of 30", "20 of 30", "21 of 85", "21 of 83", "19 of 20"],
)
def test_deleting_more_than_twenty_grants_and_more_than_a_quarter_requires_an_approval(
    setup: GrantorSetup, before: int, after: int, waits: bool
) -> None:
    """octodns #61, #808: a percentage alone is useless on small sets, a number alone on large ones."""
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(before))
    setup.reconcile()
    setup.put_policy("many", build_rules(after))
    report = setup.reconcile()

    assert (report.approval.is_pending, setup.describe_grants()) == (
        waits,
        expected_grants(before if waits else after),
    )


def test_a_plan_that_requires_an_approval_changes_nothing_and_names_the_command_that_approves_it(
    thirty_grants: GrantorSetup,
) -> None:
    """octodns #785, octodns-sync #98: nobody could tell how to pass the threshold."""
    before = thirty_grants.list_grants()
    thirty_grants.put_policy("many", build_rules(5))
    report = thirty_grants.reconcile()

    why, how, who = find_report_lines(report, "approval")
    assert (
        why
        == f"plan {report.approval.hash[:12]} requires an approval: it deletes 25 of 31 grants: more than 20 and more than 25%"
    )
    assert (
        how
        == f"to approve exactly this plan: grantor approve {report.approval.hash} --because TEXT --stack grantor"
    )
    assert who.startswith("author unknown: no event of CloudTrail has said who wrote policy/many")
    assert (report.done, report.accepted, thirty_grants.list_grants()) == ([], {}, before)
    assert [
        (plan.hash, plan.count_changes())
        for plan in thirty_grants.build_services().run_store.list_pending_plans()
    ] == [(report.approval.hash, 25)]


def test_an_approval_is_requested_once_and_not_by_every_sweep(thirty_grants: GrantorSetup) -> None:
    alerts = AlertInbox(thirty_grants)
    thirty_grants.put_policy("many", build_rules(5))
    report = thirty_grants.reconcile()
    assert alerts.read_new() == [
        (
            "Grantor grantor: a plan requires an approval",
            "\n".join(find_report_lines(report, "approval")),
        )
    ]

    for _ in range(3):
        assert thirty_grants.reconcile().approval == report.approval
    thirty_grants.reconcile(thirty_grants.build_profile_trigger("userA"))
    assert alerts.read_new() == []
    thirty_grants.reconcile(services=build_services_ahead(thirty_grants, 24 * 3600 + 60))
    assert len(alerts.read_new()) == 1


def test_runs_that_see_different_parts_of_one_problem_alert_once(
    thirty_grants: GrantorSetup,
) -> None:
    """A run for one profile sees less of what is wrong than a sweep does, and says nothing new by
    that.
    """
    alerts = AlertInbox(thirty_grants)
    thirty_grants.put_policy("own", ARTICLE_POLICY)
    thirty_grants.put_policy("wrong", "version: 2\n")
    thirty_grants.create_profile("guest", role="role-userA")
    for _ in range(2):
        thirty_grants.reconcile()
        thirty_grants.reconcile(thirty_grants.build_profile_trigger("guest"))
        thirty_grants.reconcile(thirty_grants.build_profile_trigger("userB"))

    assert [subject for subject, _ in alerts.read_new()] == [
        "Grantor grantor: a policy file has errors"
    ]


def test_an_approved_plan_is_applied_by_the_next_run(thirty_grants: GrantorSetup) -> None:
    thirty_grants.put_policy("many", build_rules(5))
    waiting = thirty_grants.reconcile()
    thirty_grants.decide(waiting)
    report = thirty_grants.reconcile()

    assert (report.deleted, report.approval.is_pending, list(report.accepted)) == (
        25,
        False,
        ["policy/many.yaml"],
    )
    assert report.approval.hash == waiting.approval.hash
    assert find_report_lines(report, "approved") == [
        f"plan {waiting.approval.hash[:12]} was approved by AROAANA:ana, because: it is meant"
    ]
    assert_settled(thirty_grants, expected_grants(5) | OTHER_FILE_GRANTS)


def test_the_approval_of_another_plan_has_no_effect(thirty_grants: GrantorSetup) -> None:
    thirty_grants.put_policy("many", build_rules(6))
    other = thirty_grants.reconcile()
    thirty_grants.decide(other)
    thirty_grants.put_policy("many", build_rules(5))
    report = thirty_grants.reconcile()

    assert (
        report.approval.hash != other.approval.hash,
        report.done,
        report.approval.is_pending,
    ) == (True, [], True)
    assert thirty_grants.describe_grants() == expected_grants(30) | OTHER_FILE_GRANTS


def test_an_approval_expires_if_no_run_has_computed_its_plan_for_a_day(
    thirty_grants: GrantorSetup,
) -> None:
    """The function's own record tells the time, not what the approver's client wrote."""
    thirty_grants.put_policy("many", build_rules(5))
    waiting = thirty_grants.reconcile()
    thirty_grants.decide(waiting)
    report = thirty_grants.reconcile(services=build_services_ahead(thirty_grants, 24 * 3600 + 60))

    assert report.approval.is_pending
    assert report.approval.nonce != waiting.approval.nonce


def test_drift_from_the_accepted_version_is_repaired_while_a_new_version_waits(
    thirty_grants: GrantorSetup,
) -> None:
    """Argo CD #15058, #3465: heal to what was approved, gate what is new."""
    thirty_grants.put_policy("many", build_rules(5).replace("/04/", "/new/"))
    thirty_grants.reconcile()
    gone = [
        grant_id
        for grant, grant_id in thirty_grants.list_grants().items()
        if "READ s3://data/0" in describe_grant(grant, HOME)
    ][:3]
    for grant_id in gone:
        thirty_grants.client("s3control").delete_access_grant(
            AccountId=ACCOUNT, AccessGrantId=grant_id
        )
    report = thirty_grants.reconcile()

    assert (report.created, report.deleted, report.approval.is_pending) == (3, 0, True)
    assert thirty_grants.describe_grants() == expected_grants(30) | OTHER_FILE_GRANTS


def test_a_new_profile_gets_the_grants_of_the_accepted_version_while_a_new_one_waits(
    thirty_grants: GrantorSetup,
) -> None:
    thirty_grants.put_policy("article", ARTICLE_POLICY)
    thirty_grants.reconcile()
    thirty_grants.put_policy("many", build_rules(2))
    assert thirty_grants.reconcile().approval.is_pending
    thirty_grants.create_profile("userC")
    thirty_grants.reconcile(thirty_grants.build_profile_trigger("userC"))

    assert {g for g in thirty_grants.describe_grants() if "userC" in g} == {
        "READWRITE s3://data/Product/* to role/role-userC",
        "READWRITE s3://data/UserC/* to role/role-userC",
    }
    assert expected_grants(30) < thirty_grants.describe_grants()


def test_deleted_grants_are_created_again_without_an_approval_however_many_they_are(
    thirty_grants: GrantorSetup,
) -> None:
    for grant_id in thirty_grants.list_grants().values():
        thirty_grants.client("s3control").delete_access_grant(
            AccountId=ACCOUNT, AccessGrantId=grant_id
        )
    report = thirty_grants.reconcile()

    assert (report.created, report.approval.causes) == (31, ())
    assert_run_changes_nothing(thirty_grants)


@pytest.mark.parametrize("count", [1, 30], ids=["one grant", "thirty grants"])
def test_an_empty_policy_bucket_deletes_no_grant_without_an_approval(
    setup: GrantorSetup, count: int
) -> None:
    """Argo CD, "allow-empty": the absence of everything is more likely a mistake than a wish."""
    setup.create_role("auditor")
    setup.put_policy("many", build_rules(count))
    setup.reconcile()
    setup.delete_policy("many")
    report = setup.reconcile()

    assert "the policy files contain no rules" in report.approval.causes
    assert setup.describe_grants() == expected_grants(count)
    setup.decide(report)
    assert setup.reconcile().deleted == count
    assert_run_changes_nothing(setup)


def test_a_domain_without_profiles_deletes_no_grant_without_an_approval(
    setup: GrantorSetup,
) -> None:
    """ssosync #236, #159, #194: members removed in one run and put back by the next."""
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    before = setup.list_grants()
    setup.wait_for_profiles("userA", "userB")
    for name in ("userA", "userB"):
        setup.delete_profile(name)
    report = setup.reconcile()

    assert f"Studio domain {DOMAIN} has lost all its profiles; it had 2" in report.approval.causes
    assert setup.list_grants() == before
    assert setup.reconcile().approval == report.approval
    setup.decide(report)
    assert setup.reconcile().deleted == 4


def test_the_trigger_of_the_last_deleted_profile_revokes_its_grants_without_an_approval(
    setup: GrantorSetup,
) -> None:
    """One that says itself that it goes is no list that came back empty."""
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    setup.wait_for_profiles("userA", "userB")
    for name in ("userA", "userB"):
        setup.delete_profile(name)
        assert setup.reconcile(setup.build_profile_trigger(name)).deleted == 2

    assert_settled(setup, set())
