"""Changes that fail or get no response: the others are made, no grant is left unmanaged, and a run
without faults repairs the rest.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from sandbox.testing.helpers import make_user
from tests.conftest import ACCOUNT
from tests.engine.helpers import (
    AlertInbox,
    assert_run_changes_nothing,
    assert_settled,
    build_fault,
    build_impatient_services,
    count_enqueued,
    injected_faults,
)
from tests.engine.policy_change import (
    AFTER,
    BEFORE,
    KEPT,
    NEW,
    OLD,
    TEAM_A,
    TEAM_B,
    UNMANAGED,
    list_unmanaged_grants,
    run_impatiently,
)
from tests.grantor_setup import HOME, GrantorSetup

ALL, NOTHING = AFTER, BEFORE
DENIED = {"code": "AccessDenied", "status": 403, "message": "no"}
CHANGES = {
    "CreateAccessGrant fails": (
        build_fault("s3control/CreateAccessGrant", "error"),
        BEFORE - {OLD},
    ),
    "CreateAccessGrant is done and never answered": (
        build_fault("s3control/CreateAccessGrant", "lost"),
        ALL,
    ),
    "half of each of CreateAccessGrant's answers": (
        build_fault("s3control/CreateAccessGrant", "cut"),
        ALL,
    ),
    "CreateAccessGrant is throttled": (
        build_fault("s3control/CreateAccessGrant", "throttle"),
        BEFORE - {OLD},
    ),
    "CreateAccessGrant knows no grantee": (
        build_fault("s3control/CreateAccessGrant", "invalid-grantee"),
        BEFORE - {OLD},
    ),
    "CreateAccessGrant fails after one": (
        build_fault("s3control/CreateAccessGrant", "error", after=1),
        BEFORE - {OLD} | {NEW},
    ),
    "CreateAccessGrant is denied": (
        build_fault("s3control/CreateAccessGrant", "refuse", **DENIED),
        BEFORE - {OLD},
    ),
    "DeleteAccessGrant fails": (build_fault("s3control/DeleteAccessGrant", "error"), ALL | {OLD}),
    "DeleteAccessGrant is done and never answered": (
        build_fault("s3control/DeleteAccessGrant", "lost"),
        ALL,
    ),
    "half of each of DeleteAccessGrant's answers": (
        build_fault("s3control/DeleteAccessGrant", "cut"),
        ALL,
    ),
    "DeleteAccessGrant is denied": (
        build_fault("s3control/DeleteAccessGrant", "refuse", **DENIED),
        ALL | {OLD},
    ),
    "EventBridge takes no event": (build_fault("events/PutEvents", "error"), ALL),
    "SNS takes no message": (build_fault("sns/Publish", "error"), ALL),
    "SQS takes no trigger": (build_fault("sqs/SendMessage", "error"), ALL),
}


@pytest.mark.parametrize(("rule", "then"), CHANGES.values(), ids=CHANGES)
def test_a_failing_change_does_not_stop_the_others(
    changed_setup: GrantorSetup, rule: dict, then: set[str]
) -> None:
    """octoDNS stops at its first failing zone; ldap2pg #422: what failed in between lived on
    unmanaged.
    """
    with injected_faults(changed_setup, rule):
        run_impatiently(changed_setup)

    assert changed_setup.describe_grants() == then | {UNMANAGED}
    assert list_unmanaged_grants(changed_setup) == {UNMANAGED}
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_a_grant_for_a_role_that_s3_does_not_know_yet_is_retried_by_a_trigger_of_the_run(
    changed_setup: GrantorSetup,
) -> None:
    with injected_faults(
        changed_setup, build_fault("s3control/CreateAccessGrant", "invalid-grantee", times=2)
    ):
        report = changed_setup.reconcile()

    assert [deferred.cause for deferred in report.deferred] == [
        "the grantee is not known to S3 yet"
    ] * 2
    assert (report.created, count_enqueued(changed_setup)) == (1, 1)
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_at_the_quota_an_alert_is_sent_and_the_changes_that_fit_are_applied(
    changed_setup: GrantorSetup,
) -> None:
    """cloud-platform #1810, #4608: near the quota, and nobody learned of it."""
    alerts = AlertInbox(changed_setup)
    changed_setup.set_switches(grants_quota=6)
    report = changed_setup.reconcile()

    assert (report.created, report.deleted, len(changed_setup.describe_grants())) == (1, 1, 5)
    assert {failed.code for failed in report.failed} == {"AccessGrantsQuotaExceededError"}
    assert [subject for subject, _ in alerts.read_new()] == [
        "Grantor grantor: AWS refused a change"
    ]
    assert {KEPT, TEAM_A, TEAM_B, UNMANAGED} < changed_setup.describe_grants()
    assert_settled(changed_setup, AFTER, {UNMANAGED})


def test_an_alert_is_sent_although_the_event_bus_is_down_and_repeated_if_it_was_not_accepted(
    changed_setup: GrantorSetup,
) -> None:
    """external-dns #5703: what was not done was said to nobody."""
    alerts = AlertInbox(changed_setup)
    changed_setup.put_policy("wrong", "version: 2\n")
    with injected_faults(changed_setup, build_fault("sns/Publish", "error")):
        run_impatiently(changed_setup)
    assert alerts.read_new() == []
    with injected_faults(changed_setup, build_fault("events/PutEvents", "error")):
        run_impatiently(changed_setup)

    assert len(alerts.read_new()) == 1
    changed_setup.reconcile()
    assert alerts.read_new() == []


def test_a_run_that_cannot_enqueue_is_still_published_and_its_triggers_stay_pending(
    changed_setup: GrantorSetup,
) -> None:
    failing = (
        build_fault("s3control/CreateAccessGrant", "refuse", **DENIED, times=1),
        build_fault("s3control/CreateAccessGrant", "error", after=1),
    )
    alerts = AlertInbox(changed_setup)
    with injected_faults(changed_setup, *failing, build_fault("sqs/SendMessage", "error")):
        assert run_impatiently(changed_setup) is not None

    assert [subject for subject, _ in alerts.read_new()] == [
        "Grantor grantor: AWS refused a change"
    ]
    changed_setup.reconcile(changed_setup.build_profile_trigger("nobody"))
    assert changed_setup.describe_grants() == AFTER | {UNMANAGED}


def test_the_history_has_a_run_although_the_event_bus_was_down(changed_setup: GrantorSetup) -> None:
    before = len(changed_setup.build_services().run_store.list_runs(10))
    with injected_faults(changed_setup, build_fault("events/PutEvents", "error")):
        run_impatiently(changed_setup)

    assert len(changed_setup.build_services().run_store.list_runs(10)) == before + 1
    assert (
        changed_setup.build_services().run_store.list_runs(1)[0].document["counts"]["created"] == 3
    )


def test_a_grant_that_somebody_else_deletes_first_counts_as_deleted(
    changed_setup: GrantorSetup,
) -> None:
    gone = next(
        grant_id
        for grant, grant_id in changed_setup.list_grants().items()
        if describe_grant(grant, HOME) == OLD
    )
    services = build_impatient_services(changed_setup)

    def faster(**_: object) -> None:
        changed_setup.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=gone)

    services.clients.s3control.meta.events.register(
        "before-call.s3-control.DeleteAccessGrant", faster
    )
    report = changed_setup.reconcile(services=services)

    assert (report.deleted, report.failed, report.deferred) == (1, [], [])
    assert_run_changes_nothing(changed_setup)


def test_deleting_a_missing_grant_succeeds_although_the_permission_depends_on_its_tag(
    changed_setup: GrantorSetup,
) -> None:
    """The function's role may delete only what carries our tag, and what is gone carries none."""
    tagged = {"StringEquals": {"aws:ResourceTag/grantor:stack": "grantor"}}
    _, keys = make_user(
        changed_setup.sandbox,
        {"NotAction": "s3:DeleteAccessGrant", "Resource": "*"},
        {"Action": "s3:DeleteAccessGrant", "Resource": "*", "Condition": tagged},
    )
    with injected_faults(
        changed_setup, build_fault("s3control/DeleteAccessGrant", "lost", times=1)
    ):
        report = changed_setup.reconcile(services=changed_setup.build_services(keys))

    assert (report.deleted, report.failed, changed_setup.describe_grants()) == (
        1,
        [],
        AFTER | {UNMANAGED},
    )
    assert_settled(changed_setup, AFTER, {UNMANAGED})
