"""Whatever can't be changed, or is changed and not answered: the rest goes on, nothing is left
unmanaged, and a clean run puts it right.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from sandbox.testing.helpers import make_user
from tests.conftest import ACCOUNT
from tests.engine.change import AFTER, BEFORE, KEPT, NEW, OLD, THEIRS, A, B, run, unmanaged
from tests.engine.watch import Calls, at_rest, count_enqueued, fault, hasty, quiet, struck
from tests.estate import HOME, Estate

ALL, NOTHING = AFTER, BEFORE
DENIED = {"code": "AccessDenied", "status": 403, "message": "no"}
CHANGES = {
    "CreateAccessGrant fails": (fault("s3control/CreateAccessGrant", "error"), BEFORE - {OLD}),
    "CreateAccessGrant is done and never answered": (
        fault("s3control/CreateAccessGrant", "lost"),
        ALL,
    ),
    "half of each of CreateAccessGrant's answers": (
        fault("s3control/CreateAccessGrant", "cut"),
        ALL,
    ),
    "CreateAccessGrant is throttled": (
        fault("s3control/CreateAccessGrant", "throttle"),
        BEFORE - {OLD},
    ),
    "CreateAccessGrant knows no grantee": (
        fault("s3control/CreateAccessGrant", "invalid-grantee"),
        BEFORE - {OLD},
    ),
    "CreateAccessGrant fails after one": (
        fault("s3control/CreateAccessGrant", "error", after=1),
        BEFORE - {OLD} | {NEW},
    ),
    "CreateAccessGrant is denied": (
        fault("s3control/CreateAccessGrant", "refuse", **DENIED),
        BEFORE - {OLD},
    ),
    "DeleteAccessGrant fails": (fault("s3control/DeleteAccessGrant", "error"), ALL | {OLD}),
    "DeleteAccessGrant is done and never answered": (
        fault("s3control/DeleteAccessGrant", "lost"),
        ALL,
    ),
    "half of each of DeleteAccessGrant's answers": (
        fault("s3control/DeleteAccessGrant", "cut"),
        ALL,
    ),
    "DeleteAccessGrant is denied": (
        fault("s3control/DeleteAccessGrant", "refuse", **DENIED),
        ALL | {OLD},
    ),
    "EventBridge takes no event": (fault("events/PutEvents", "error"), ALL),
    "SNS takes no message": (fault("sns/Publish", "error"), ALL),
    "SQS takes no trigger": (fault("sqs/SendMessage", "error"), ALL),
}


@pytest.mark.parametrize(("rule", "then"), CHANGES.values(), ids=CHANGES)
def test_what_cannot_be_changed_holds_up_only_itself(
    changing: Estate, rule: dict, then: set[str]
) -> None:
    """octoDNS stops at its first failing zone; ldap2pg #422: what failed in between lived on
    unmanaged.
    """
    with struck(changing, rule):
        run(changing)

    assert changing.grants() == then | {THEIRS}
    assert unmanaged(changing) == {THEIRS}
    at_rest(changing, AFTER, {THEIRS})


def test_a_role_that_s3_does_not_know_yet_is_tried_again_by_a_trigger_of_the_run(
    changing: Estate,
) -> None:
    with struck(changing, fault("s3control/CreateAccessGrant", "invalid-grantee", times=2)):
        report = changing.run()

    assert [deferred.cause for deferred in report.deferred] == [
        "the grantee is not known to S3 yet"
    ] * 2
    assert (report.created, count_enqueued(changing)) == (1, 1)
    at_rest(changing, AFTER, {THEIRS})


def test_a_quota_that_is_reached_is_said_and_what_fits_is_done(changing: Estate) -> None:
    """cloud-platform #1810, #4608: near the quota, and nobody learned of it."""
    calls = Calls(changing)
    changing.switches(grants_quota=6)
    report = changing.run()

    assert (report.created, report.deleted, len(changing.grants())) == (1, 1, 5)
    assert {failed.code for failed in report.failed} == {"AccessGrantsQuotaExceededError"}
    assert [subject for subject, _ in calls.new()] == ["Grantor grantor: AWS refused a change"]
    assert {KEPT, A, B, THEIRS} < changing.grants()
    at_rest(changing, AFTER, {THEIRS})


def test_a_person_is_called_though_the_bus_is_down_and_again_if_the_call_was_not_taken(
    changing: Estate,
) -> None:
    """external-dns #5703: what was not done was said to nobody."""
    calls = Calls(changing)
    changing.policy("wrong", "version: 2\n")
    with struck(changing, fault("sns/Publish", "error")):
        run(changing)
    assert calls.new() == []
    with struck(changing, fault("events/PutEvents", "error")):
        run(changing)

    assert len(calls.new()) == 1
    changing.run()
    assert calls.new() == []


def test_a_run_that_cannot_enqueue_is_published_all_the_same_and_its_triggers_stay_pending(
    changing: Estate,
) -> None:
    failing = (
        fault("s3control/CreateAccessGrant", "refuse", **DENIED, times=1),
        fault("s3control/CreateAccessGrant", "error", after=1),
    )
    calls = Calls(changing)
    with struck(changing, *failing, fault("sqs/SendMessage", "error")):
        assert run(changing) is not None

    assert [subject for subject, _ in calls.new()] == ["Grantor grantor: AWS refused a change"]
    changing.run(changing.profile_trigger("nobody"))
    assert changing.grants() == AFTER | {THEIRS}


def test_the_history_has_a_run_though_the_bus_was_down(changing: Estate) -> None:
    before = len(changing.world().run_store.list_runs(10))
    with struck(changing, fault("events/PutEvents", "error")):
        run(changing)

    assert len(changing.world().run_store.list_runs(10)) == before + 1
    assert changing.world().run_store.list_runs(1)[0].document["counts"]["created"] == 3


def test_a_grant_that_somebody_deletes_while_the_run_is_about_to_is_gone_all_the_same(
    changing: Estate,
) -> None:
    gone = next(
        grant_id
        for grant, grant_id in changing.actual().items()
        if describe_grant(grant, HOME) == OLD
    )
    world = hasty(changing)

    def faster(**_: object) -> None:
        changing.client("s3control").delete_access_grant(AccountId=ACCOUNT, AccessGrantId=gone)

    world.clients.s3control.meta.events.register("before-call.s3-control.DeleteAccessGrant", faster)
    report = changing.run(world=world)

    assert (report.deleted, report.failed, report.deferred) == (1, [], [])
    quiet(changing)


def test_a_grant_that_is_gone_already_is_gone_though_the_right_to_delete_hangs_on_its_tag(
    changing: Estate,
) -> None:
    """The function's role may delete only what carries our tag, and what is gone carries none."""
    tagged = {"StringEquals": {"aws:ResourceTag/grantor:stack": "grantor"}}
    _, keys = make_user(
        changing.sandbox,
        {"NotAction": "s3:DeleteAccessGrant", "Resource": "*"},
        {"Action": "s3:DeleteAccessGrant", "Resource": "*", "Condition": tagged},
    )
    with struck(changing, fault("s3control/DeleteAccessGrant", "lost", times=1)):
        report = changing.run(world=changing.world(keys))

    assert (report.deleted, report.failed, changing.grants()) == (1, [], AFTER | {THEIRS})
    at_rest(changing, AFTER, {THEIRS})
