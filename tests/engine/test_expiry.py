"""Grants with an end are deleted by the next run after it, without an approval."""

from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.triggers import Trigger
from tests.engine.helpers import build_fault, build_services_ahead, count_enqueued, injected_faults
from tests.grantor_setup import ARTICLE_POLICY, EVERYTHING, GrantorSetup

PRODUCT = {
    "READ s3://data/Product/* to role/role-userA",
    "READ s3://data/Product/* to role/role-userB",
}


def build_policy_that_ends(after: timedelta) -> str:
    at = f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"
    return ARTICLE_POLICY.split("  - name: own-folder")[0].replace(
        "READWRITE", f"READ\n    until: {at}"
    )


def build_trigger(setup: GrantorSetup, who: str) -> Trigger:
    return setup.build_profile_trigger("userA") if who == "a profile" else EVERYTHING[0]


@pytest.mark.parametrize("who", ["everything", "a profile"])
def test_grants_end_with_the_next_run_after_their_time_whatever_triggered_it(
    setup: GrantorSetup, who: str
) -> None:
    """TEAM #149, #255, #419: timers that never revoked. Ends are found by looking, never by a timer
    alone.
    """
    setup.put_policy("product", build_policy_that_ends(timedelta(hours=1)))
    assert (setup.reconcile().created, setup.describe_grants()) == (2, PRODUCT)

    setup.reconcile(build_trigger(setup, who), services=build_services_ahead(setup, 3590))
    assert setup.describe_grants() == PRODUCT
    setup.reconcile(build_trigger(setup, who), services=build_services_ahead(setup, 3601))
    assert setup.describe_grants() == (
        set() if who == "everything" else {"READ s3://data/Product/* to role/role-userB"}
    )


@pytest.mark.parametrize(
    ("minutes", "triggers"), [(10, 1), (60, 0)], ids=["before the next scheduled run", "after it"]
)
def test_a_run_enqueues_a_trigger_for_what_ends_before_the_next_scheduled_run(
    setup: GrantorSetup, minutes: int, triggers: int
) -> None:
    setup.put_policy("product", build_policy_that_ends(timedelta(minutes=minutes)))
    setup.reconcile()

    assert count_enqueued(setup) == triggers


def test_grants_end_even_if_their_domain_cannot_be_read(setup: GrantorSetup) -> None:
    setup.put_policy("product", build_policy_that_ends(timedelta(hours=1)))
    setup.reconcile()
    with injected_faults(
        setup,
        build_fault(
            "sagemaker/ListUserProfiles",
            "refuse",
            code="AccessDeniedException",
            status=403,
            message="no",
        ),
    ):
        report = setup.reconcile(services=build_services_ahead(setup, 3601))

    assert (report.deleted, setup.describe_grants()) == (2, set())


def test_grants_that_end_need_no_approval_however_many_they_are(setup: GrantorSetup) -> None:
    rules = "".join(
        f"""  - name: r{n}
    to: {{role: "{setup.create_role("auditor")}"}}
    on: s3://{{data_bucket}}/{n}/*
    allow: READ
    until: {datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}
"""
        for n in range(30)
    )
    setup.put_policy("many", f"version: 1\nrules:\n{rules}")
    assert setup.reconcile().created == 30
    report = setup.reconcile(services=build_services_ahead(setup, 3601))

    assert (report.deleted, report.approval.causes, setup.describe_grants()) == (30, (), set())


def test_a_rule_with_a_duration_ends_for_each_profile_counted_from_its_creation(
    setup: GrantorSetup,
) -> None:
    setup.put_policy(
        "trial",
        ARTICLE_POLICY.split("  - name: own-folder")[0].replace("READWRITE", "READ\n    for: 1d"),
    )
    made = setup.client("sagemaker").describe_user_profile(
        DomainId=setup.domain, UserProfileName="userB"
    )["CreationTime"]
    setup.reconcile()
    assert setup.describe_grants() == PRODUCT

    left = (made + timedelta(days=1) - datetime.now(UTC)).total_seconds()
    setup.reconcile(services=build_services_ahead(setup, left - 30))
    assert setup.describe_grants() == PRODUCT
    setup.reconcile(services=build_services_ahead(setup, left + 1))
    assert setup.describe_grants() == set()


def test_a_later_end_is_recorded_without_changing_the_grant(setup: GrantorSetup) -> None:
    setup.put_policy("product", build_policy_that_ends(timedelta(hours=1)))
    setup.reconcile()
    before = setup.list_grants()
    setup.put_policy("product", build_policy_that_ends(timedelta(hours=2)))
    setup.reconcile()
    assert setup.list_grants() == before

    setup.reconcile(services=build_services_ahead(setup, 3601))
    assert setup.list_grants() == before
    setup.reconcile(services=build_services_ahead(setup, 7201))
    assert setup.list_grants() == {}
