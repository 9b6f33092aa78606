"""A rule with `review` ends when nobody has signed a review of it for so long."""

from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.planning.reviews import SignedReview
from tests.engine.helpers import build_services_ahead
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

PRODUCT = {
    "READ s3://data/Product/* to role/role-userA",
    "READ s3://data/Product/* to role/role-userB",
}
POLICY = ARTICLE_POLICY.split("  - name: own-folder")[0].replace(
    "READWRITE", "READ\n    review: 90d"
)
DAY = 86_400
RULE = "policy/product.yaml#product-team"


@pytest.fixture
def reviewed(setup: GrantorSetup) -> GrantorSetup:
    setup.put_policy("product", POLICY)
    setup.reconcile()
    assert setup.describe_grants() == PRODUCT
    return setup


def sign(setup: GrantorSetup, days: int) -> None:
    """Sign a review of the rule so many days from now."""
    at = datetime.now(UTC) + timedelta(days=days)
    review = SignedReview(at, "AROA:ana", (RULE,), RULE, "arn", "checked", "0")
    setup.build_services().review_store.record_signed(review)


def test_a_run_about_one_profile_ends_what_nobody_has_reviewed(reviewed: GrantorSetup) -> None:
    trigger = reviewed.build_profile_trigger("userA")
    reviewed.reconcile(trigger, services=build_services_ahead(reviewed, 60 * DAY))
    assert reviewed.describe_grants() == PRODUCT

    reviewed.reconcile(trigger, services=build_services_ahead(reviewed, 92 * DAY))
    assert reviewed.describe_grants() == {"READ s3://data/Product/* to role/role-userB"}


def test_grants_end_when_nobody_has_reviewed_their_rule(reviewed: GrantorSetup) -> None:
    reviewed.reconcile(services=build_services_ahead(reviewed, 89 * DAY))
    assert reviewed.describe_grants() == PRODUCT

    report = reviewed.reconcile(services=build_services_ahead(reviewed, 92 * DAY))
    assert (report.deleted, reviewed.describe_grants()) == (2, set())


def test_a_signed_review_keeps_the_grants_and_moves_their_end(reviewed: GrantorSetup) -> None:
    sign(reviewed, 80)
    report = reviewed.reconcile(services=build_services_ahead(reviewed, 81 * DAY))
    assert (report.updated, report.deleted) == (2, 0)

    again = reviewed.reconcile(services=build_services_ahead(reviewed, 82 * DAY))
    assert again.done == []
    reviewed.reconcile(services=build_services_ahead(reviewed, 160 * DAY))
    assert reviewed.describe_grants() == PRODUCT
    reviewed.reconcile(services=build_services_ahead(reviewed, 173 * DAY))
    assert reviewed.describe_grants() == set()


def test_runs_announce_the_end_two_weeks_before(reviewed: GrantorSetup) -> None:
    early = reviewed.reconcile(services=build_services_ahead(reviewed, 70 * DAY))
    assert early.reviews == ()

    late = reviewed.reconcile(services=build_services_ahead(reviewed, 80 * DAY))
    assert [one.rule for one in late.reviews] == [RULE]
    assert late.needs_action


def test_the_second_run_changes_nothing_also_on_another_day(reviewed: GrantorSetup) -> None:
    for days in (0, 1, 30):
        assert reviewed.reconcile(services=build_services_ahead(reviewed, days * DAY)).done == []


def test_a_lost_table_ends_nobodys_access(reviewed: GrantorSetup) -> None:
    table = reviewed.build_services().table
    for item in list(table.query_partition("review")):
        table.delete_item(item["pk"], item["sk"])

    services = build_services_ahead(reviewed, 200 * DAY)
    assert reviewed.reconcile(services=services).deleted == 0
    assert reviewed.describe_grants() == PRODUCT


def test_a_steward_who_writes_the_rule_again_does_not_renew_it(reviewed: GrantorSetup) -> None:
    reviewed.put_policy("product", f"{POLICY}\n# again\n")
    reviewed.reconcile(services=build_services_ahead(reviewed, 60 * DAY))

    reviewed.reconcile(services=build_services_ahead(reviewed, 92 * DAY))
    assert reviewed.describe_grants() == set()


def test_a_review_that_is_dated_ahead_does_not_count(reviewed: GrantorSetup) -> None:
    sign(reviewed, 1000)
    reviewed.reconcile(services=build_services_ahead(reviewed, 92 * DAY))
    assert reviewed.describe_grants() == set()
