"""The guard: what would take away a great deal waits for a person, who is alerted once, with the
very command that approves it.
"""

import re
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.conftest import ACCOUNT
from tests.engine.watch import ELSE, Calls, ahead, at_rest, grants, quiet, rules, said
from tests.estate import ARTICLE, DOMAIN, HOME, Estate


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
def test_more_than_twenty_and_more_than_a_quarter_wait(
    estate: Estate, before: int, after: int, waits: bool
) -> None:
    """octodns #61, #808: a percentage alone is useless on small sets, a number alone on large ones."""
    estate.role("auditor")
    estate.policy("many", rules(before))
    estate.run()
    estate.policy("many", rules(after))
    report = estate.run()

    assert (report.approval.is_pending, estate.grants()) == (
        waits,
        grants(before if waits else after),
    )


def test_a_refused_plan_changes_nothing_and_names_the_command_that_lets_exactly_it_pass(
    thirty: Estate,
) -> None:
    """octodns #785, octodns-sync #98: nobody could tell how to pass the threshold."""
    before = thirty.actual()
    thirty.policy("many", rules(5))
    report = thirty.run()

    why, how = said(report, "approval")
    assert (
        why
        == f"plan {report.approval.hash[:12]} requires an approval: it takes away 25 of 31 grants: more than 20 and more than 25%"
    )
    assert (
        how
        == f"to approve exactly this plan: grantor approve {report.approval.hash} --stack grantor"
    )
    assert (report.done, report.accepted, thirty.actual()) == ([], {}, before)
    assert [
        (plan.hash, len(plan.document["changes"]))
        for plan in thirty.world().run_store.list_pending_plans()
    ] == [(report.approval.hash, 25)]


def test_a_person_is_called_once_for_it_and_not_by_every_sweep(thirty: Estate) -> None:
    calls = Calls(thirty)
    thirty.policy("many", rules(5))
    report = thirty.run()
    assert calls.new() == [
        ("Grantor grantor: a plan requires an approval", "\n".join(said(report, "approval")))
    ]

    for _ in range(3):
        assert thirty.run().approval == report.approval
    thirty.run(thirty.profile_trigger("userA"))
    assert calls.new() == []
    thirty.run(world=ahead(thirty, 24 * 3600 + 60))
    assert len(calls.new()) == 1


def test_what_each_run_sees_of_the_same_trouble_calls_nobody_twice(thirty: Estate) -> None:
    """A run for one profile sees less of what is wrong than a sweep does, and says nothing new by
    that.
    """
    calls = Calls(thirty)
    thirty.policy("own", ARTICLE)
    thirty.policy("wrong", "version: 2\n")
    thirty.profile("guest", role="role-userA")
    for _ in range(2):
        thirty.run()
        thirty.run(thirty.profile_trigger("guest"))
        thirty.run(thirty.profile_trigger("userB"))

    assert [subject for subject, _ in calls.new()] == ["Grantor grantor: a policy file has errors"]


def test_an_approved_plan_is_carried_out_by_the_next_run(thirty: Estate) -> None:
    thirty.policy("many", rules(5))
    waiting = thirty.run()
    thirty.world().run_store.record_approval(waiting.approval.hash, "ana", datetime.now(UTC))
    report = thirty.run()

    assert (report.deleted, report.approval.is_pending, list(report.accepted)) == (
        25,
        False,
        ["policy/many.yaml"],
    )
    assert (report.approval.hash, report.approval.approved_by) == (waiting.approval.hash, "ana")
    assert re.fullmatch(
        rf"plan {waiting.approval.hash[:12]} was approved by ana at .*Z",
        said(report, "approved")[0],
    )
    at_rest(thirty, grants(5) | ELSE)


def test_the_approval_of_another_plan_does_not_help(thirty: Estate) -> None:
    thirty.policy("many", rules(6))
    other = thirty.run()
    thirty.world().run_store.record_approval(other.approval.hash, "ana", datetime.now(UTC))
    thirty.policy("many", rules(5))
    report = thirty.run()

    assert (
        report.approval.hash != other.approval.hash,
        report.done,
        report.approval.is_pending,
    ) == (True, [], True)
    assert thirty.grants() == grants(30) | ELSE


def test_an_approval_is_over_after_a_day(thirty: Estate) -> None:
    thirty.policy("many", rules(5))
    waiting = thirty.run()
    thirty.world().run_store.record_approval(
        waiting.approval.hash, "ana", datetime.now(UTC) - timedelta(days=1, minutes=1)
    )

    assert thirty.run().approval.is_pending


def test_drift_from_what_was_accepted_is_healed_while_a_new_version_waits(thirty: Estate) -> None:
    """Argo CD #15058, #3465: heal to what was approved, gate what is new."""
    thirty.policy("many", rules(5).replace("/04/", "/new/"))
    thirty.run()
    gone = [
        grant_id
        for grant, grant_id in thirty.actual().items()
        if "READ s3://data/0" in describe_grant(grant, HOME)
    ][:3]
    for grant_id in gone:
        thirty.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant_id)
    report = thirty.run()

    assert (report.created, report.deleted, report.approval.is_pending) == (3, 0, True)
    assert thirty.grants() == grants(30) | ELSE


def test_a_profile_that_comes_gets_its_accepted_grants_while_a_new_version_waits(
    thirty: Estate,
) -> None:
    thirty.policy("article", ARTICLE)
    thirty.run()
    thirty.policy("many", rules(2))
    assert thirty.run().approval.is_pending
    thirty.profile("userC")
    thirty.run(thirty.profile_trigger("userC"))

    assert {g for g in thirty.grants() if "userC" in g} == {
        "READWRITE s3://data/Product/* to role/role-userC",
        "READWRITE s3://data/UserC/* to role/role-userC",
    }
    assert grants(30) < thirty.grants()


def test_so_many_grants_that_somebody_deleted_are_made_again_without_asking(thirty: Estate) -> None:
    for grant_id in thirty.actual().values():
        thirty.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=grant_id)
    report = thirty.run()

    assert (report.created, report.approval.causes) == (31, ())
    quiet(thirty)


@pytest.mark.parametrize("count", [1, 30], ids=["one grant", "thirty grants"])
def test_an_empty_policy_bucket_takes_nothing_away_unasked(estate: Estate, count: int) -> None:
    """Argo CD, "allow-empty": the absence of everything is more likely a mistake than a wish."""
    estate.role("auditor")
    estate.policy("many", rules(count))
    estate.run()
    estate.no_policy("many")
    report = estate.run()

    assert "the policy files contain no rules" in report.approval.causes
    assert estate.grants() == grants(count)
    estate.world().run_store.record_approval(report.approval.hash, "ana", datetime.now(UTC))
    assert estate.run().deleted == count
    quiet(estate)


def test_a_domain_that_has_lost_every_profile_takes_nothing_away_unasked(estate: Estate) -> None:
    """ssosync #236, #159, #194: members removed in one run and put back by the next."""
    estate.policy("article", ARTICLE)
    estate.run()
    before = estate.actual()
    estate.settle("userA", "userB")
    for name in ("userA", "userB"):
        estate.no_profile(name)
    report = estate.run()

    assert f"Studio domain {DOMAIN} has no profiles, and had 2" in report.approval.causes
    assert estate.actual() == before
    assert estate.run().approval == report.approval
    estate.world().run_store.record_approval(report.approval.hash, "ana", datetime.now(UTC))
    assert estate.run().deleted == 4


def test_the_last_profile_that_leaves_a_domain_is_let_go_by_its_own_trigger(estate: Estate) -> None:
    """One that says itself that it goes is no list that came back empty."""
    estate.policy("article", ARTICLE)
    estate.run()
    estate.settle("userA", "userB")
    for name in ("userA", "userB"):
        estate.no_profile(name)
        assert estate.run(estate.profile_trigger(name)).deleted == 2

    at_rest(estate, set())
