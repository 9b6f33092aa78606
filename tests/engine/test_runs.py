"""One run of the engine, from the files to the grants, on the sandbox."""

from datetime import UTC, datetime, timedelta

from grantor.reconcile.report import Report
from tests.grantor_setup import ARTICLE_POLICY, GrantorSetup

FOUR = {
    "READWRITE s3://data/Product/* to role/role-userA",
    "READWRITE s3://data/Product/* to role/role-userB",
    "READWRITE s3://data/UserA/* to role/role-userA",
    "READWRITE s3://data/UserB/* to role/role-userB",
}


def test_runs_that_start_within_one_second_are_in_the_history_in_order() -> None:
    began = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    reports = [
        Report.begin(began + timedelta(microseconds=later))
        for later in (0, 1, 15, 16, 4_096, 70_000, 999_999)
    ]

    assert len({report.timestamp for report in reports}) == 1
    assert [report.run_id for report in reports] == sorted(report.run_id for report in reports)


def test_a_policy_file_becomes_grants_and_running_again_changes_nothing(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("article", ARTICLE_POLICY)

    first = setup.reconcile()
    assert (first.created, list(first.accepted), setup.describe_grants()) == (
        4,
        ["policy/article.yaml"],
        FOUR,
    )
    setup.reset_call_counts()
    second = setup.reconcile()
    assert setup.count_calls() == {"ListAccessGrants": 1, "ListAccessGrantsLocations": 1}
    assert (second.done, second.is_finished, setup.describe_grants()) == ([], True, FOUR)
