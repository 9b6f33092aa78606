"""When rules with `review` end, which are announced, and which a run has to record."""

from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import Location
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.reviews import (
    DueReview,
    find_review_end,
    list_due_reviews,
    list_unrecorded,
)
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy, Rule
from grantor.core.snapshot import Inventory

NOW = datetime(2026, 12, 1, 9, 30, tzinfo=UTC)
TEXT = """\
version: 1
owner: data@example.com
review: 90d
rules:
  - name: audit
    to: {role: "arn:aws:iam::111122223333:role/a"}
    on: s3://data/audit/*
    allow: READ
"""
RULE = "policy/a.yaml#audit"


def parse(text: str) -> Policy:
    found = parse_policy("policy/a.yaml", text.encode(), "data")
    assert isinstance(found, Policy), found
    return found


def read_rule(*more: str) -> Rule:
    return parse("\n".join((TEXT.rstrip(), *(f"    {one}" for one in more)))).rules[0]


def build_inventory(days: int | None) -> Inventory:
    """An inventory of now, in which the rule was reviewed so many days ago."""
    known = {} if days is None else {RULE: NOW - timedelta(days=days)}
    return Inventory(NOW, (Location("1", "s3://data/"),), reviews=known)


def test_a_rule_has_what_its_file_says_unless_it_says_so_itself() -> None:
    assert read_rule().review == timedelta(days=90)
    assert read_rule("review: 2w").review == timedelta(weeks=2)
    assert parse(TEXT.replace("review: 90d\n", "")).rules[0].review is None


@pytest.mark.parametrize(
    ("given", "remedy"),
    [("90h", "90d"), ("0d", "90d"), ("3 weeks", "3w"), ("forever", "90d"), ("[1]", "1")],
)
def test_a_wrong_time_is_named_with_what_to_write(given: str, remedy: str) -> None:
    found = parse_policy("policy/a.yaml", TEXT.replace("90d", given).encode(), "data")
    assert not isinstance(found, Policy)
    assert (found[0].line, found[0].remedy) == (3, f"write review: {remedy}")


def test_a_review_holds_to_the_end_of_its_last_day() -> None:
    end = find_review_end(read_rule(), build_inventory(days=10))
    assert end == datetime(2027, 2, 20, tzinfo=UTC)
    assert (
        find_review_end(parse(TEXT.replace("review: 90d\n", "")).rules[0], Inventory(NOW)) is None
    )


def test_a_rule_that_nobody_has_reviewed_counts_from_now() -> None:
    assert find_review_end(read_rule(), build_inventory(None)) == datetime(2027, 3, 2, tzinfo=UTC)


def test_the_longest_review_does_not_leave_the_calendar() -> None:
    inventory = Inventory(datetime(9998, 1, 1, tzinfo=UTC))
    end = find_review_end(read_rule("review: 9999w"), inventory)
    assert end
    assert end.year == 9999


def test_the_grant_ends_with_the_review_or_before_it() -> None:
    def find_ends(text: str) -> set[datetime | None]:
        wanted = expand_rules([parse(text)], build_inventory(days=10))
        return {reason.until for reasons in wanted.grants.values() for reason in reasons}

    assert find_ends(TEXT) == {datetime(2027, 2, 20, tzinfo=UTC)}
    assert find_ends(f"{TEXT}    until: 2026-12-31\n") == {datetime(2027, 1, 1, tzinfo=UTC)}


def test_a_rule_that_nobody_has_reviewed_for_so_long_gives_nothing_and_is_named() -> None:
    wanted = expand_rules([parse(TEXT)], build_inventory(days=100))
    assert wanted.grants == {}
    assert "because nobody has reviewed it" in wanted.warnings[0].what


@pytest.mark.parametrize(("days", "is_due"), [(70, False), (77, True), (95, True), (120, False)])
def test_a_rule_is_due_for_two_weeks_before_its_end_and_after_it(days: int, is_due: bool) -> None:
    assert bool(list_due_reviews([read_rule()], build_inventory(days))) is is_due


def test_a_rule_that_ends_anyway_is_not_due() -> None:
    assert list_due_reviews([read_rule("until: 2026-11-01")], build_inventory(80)) == ()
    assert list_due_reviews(parse(TEXT.replace("review: 90d\n", "")).rules, Inventory(NOW)) == ()


def test_a_due_review_says_when_whose_and_what_to_do_and_survives_json() -> None:
    (due,) = list_due_reviews([read_rule()], build_inventory(80))
    assert due.describe("grantor") == (
        "review: policy/a.yaml#audit ends at 2026-12-12 00:00Z unless somebody reviews it: "
        "grantor review list --stack grantor; owner: data@example.com"
    )
    nobodys = DueReview(due.end, due.rule, "")
    assert nobodys.describe("grantor").endswith("--stack grantor")
    assert [DueReview.from_json(one.to_json()) for one in (due, nobodys)] == [due, nobodys]


def test_a_run_records_what_it_sees_first() -> None:
    assert list_unrecorded([read_rule()], build_inventory(None)) == (RULE,)
    assert list_unrecorded([read_rule()], build_inventory(5)) == ()
