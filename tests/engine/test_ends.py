"""What ends by its own date goes with the next run, whoever looks, and nobody is asked again."""

from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.triggers import Trigger
from tests.engine.watch import ahead, count_enqueued, fault, struck
from tests.estate import ARTICLE, EVERYTHING, Estate

PRODUCT = {
    "READ s3://data/Product/* to role/role-userA",
    "READ s3://data/Product/* to role/role-userB",
}


def ending(after: timedelta) -> str:
    at = f"{datetime.now(UTC) + after:%Y-%m-%dT%H:%M:%SZ}"
    return ARTICLE.split("  - name: own-folder")[0].replace("READWRITE", f"READ\n    until: {at}")


def trigger(estate: Estate, who: str) -> Trigger:
    return estate.profile_trigger("userA") if who == "a profile" else EVERYTHING[0]


@pytest.mark.parametrize("who", ["everything", "a profile"])
def test_grants_end_with_the_next_run_after_their_time_whoever_looks(
    estate: Estate, who: str
) -> None:
    """TEAM #149, #255, #419: timers that never revoked. Ends are found by looking, never by a timer
    alone.
    """
    estate.policy("product", ending(timedelta(hours=1)))
    assert (estate.run().created, estate.grants()) == (2, PRODUCT)

    estate.run(trigger(estate, who), world=ahead(estate, 3590))
    assert estate.grants() == PRODUCT
    estate.run(trigger(estate, who), world=ahead(estate, 3601))
    assert estate.grants() == (
        set() if who == "everything" else {"READ s3://data/Product/* to role/role-userB"}
    )


@pytest.mark.parametrize(
    ("minutes", "triggers"), [(10, 1), (60, 0)], ids=["before the next scheduled run", "after it"]
)
def test_a_run_enqueues_a_trigger_for_what_ends_before_the_next_scheduled_run(
    estate: Estate, minutes: int, triggers: int
) -> None:
    estate.policy("product", ending(timedelta(minutes=minutes)))
    estate.run()

    assert count_enqueued(estate) == triggers


def test_grants_end_even_if_their_domain_cannot_be_read(estate: Estate) -> None:
    estate.policy("product", ending(timedelta(hours=1)))
    estate.run()
    with struck(
        estate,
        fault(
            "sagemaker/ListUserProfiles",
            "refuse",
            code="AccessDeniedException",
            status=403,
            message="no",
        ),
    ):
        report = estate.run(world=ahead(estate, 3601))

    assert (report.deleted, estate.grants()) == (2, set())


def test_more_ends_at_once_than_the_guard_would_let_go_unasked(estate: Estate) -> None:
    rules = "".join(
        f"""  - name: r{n}
    to: {{role: "{estate.role("auditor")}"}}
    on: s3://{{data_bucket}}/{n}/*
    allow: READ
    until: {datetime.now(UTC) + timedelta(hours=1):%Y-%m-%dT%H:%M:%SZ}
"""
        for n in range(30)
    )
    estate.policy("many", f"version: 1\nrules:\n{rules}")
    assert estate.run().created == 30
    report = estate.run(world=ahead(estate, 3601))

    assert (report.deleted, report.approval.causes, estate.grants()) == (30, (), set())


def test_a_rule_that_lasts_so_long_from_the_making_of_each_profile_ends_for_each_by_itself(
    estate: Estate,
) -> None:
    estate.policy(
        "trial", ARTICLE.split("  - name: own-folder")[0].replace("READWRITE", "READ\n    for: 1d")
    )
    made = estate.client("sagemaker").describe_user_profile(
        DomainId=estate.domain, UserProfileName="userB"
    )["CreationTime"]
    estate.run()
    assert estate.grants() == PRODUCT

    left = (made + timedelta(days=1) - datetime.now(UTC)).total_seconds()
    estate.run(world=ahead(estate, left - 30))
    assert estate.grants() == PRODUCT
    estate.run(world=ahead(estate, left + 1))
    assert estate.grants() == set()


def test_a_later_end_is_taken_over_without_touching_the_grant(estate: Estate) -> None:
    estate.policy("product", ending(timedelta(hours=1)))
    estate.run()
    before = estate.actual()
    estate.policy("product", ending(timedelta(hours=2)))
    estate.run()
    assert estate.actual() == before

    estate.run(world=ahead(estate, 3601))
    assert estate.actual() == before
    estate.run(world=ahead(estate, 7201))
    assert estate.actual() == {}
