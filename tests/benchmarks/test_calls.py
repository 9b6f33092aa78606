"""No run makes more calls than documented. Setups are small here, and large in `make bench`."""

import pytest

from benchmarks.calls import count_calls
from benchmarks.large_estates import create_profiles
from benchmarks.performance_page import PAGE
from harness.figures import Figure, format_figures
from tests.conftest import ACCOUNT
from tests.grantor_setup import DOMAIN, GrantorSetup

EVENT_RUNS = ("profile's event", "new profile's event")
TEAM_POLICY = f"""\
version: 1
rules:
  - name: teams
    to: {{profiles: {{domain: {DOMAIN}}}}}
    on: {{each_prefix: "s3://{{data_bucket}}/teams/"}}
    allow: READ
"""
ONE_RULE = """\
version: 1
rules:
  - name: one
    to: {{role: "{role}"}}
    on: s3://{{data_bucket}}/{name}/*
    allow: READ
"""

ONE_TO = """\
version: 1
rules:
  - {{name: one, to: {{{to}}}, on: "s3://{{data_bucket}}/new/*", allow: READ}}
"""


@pytest.mark.parametrize("profiles", [1, 11])
def test_no_run_makes_more_calls_than_documented_and_an_event_costs_the_same_in_every_setup(
    bare: GrantorSetup, profiles: int
) -> None:
    tally = count_calls(bare, profiles)

    assert [figure.what for figure in tally.figures() if not figure.holds] == []
    assert {one.run: one.access for one in tally.runs if one.run in EVENT_RUNS} == {
        "profile's event": 2,
        "new profile's event": 102,
    }


def test_the_page_shows_what_is_counted(bare: GrantorSetup) -> None:
    shown = [line.split() for line in PAGE.read_text().splitlines()]

    for one in count_calls(bare, 1).runs:
        cells = [str(cell) for cell in one.row()[:7]]
        words = " ".join(cells).split()
        assert [line for line in shown if line[: len(words)] == words], one


def test_an_upload_into_a_folder_with_many_grants_costs_pages_and_not_a_call_for_each(
    bare: GrantorSetup,
) -> None:
    create_profiles(bare, range(60))
    bare.put_policy("teams", TEAM_POLICY)
    services = bare.build_services()
    bare.reconcile(services=services)
    created = bare.reconcile(bare.upload("teams/blue/a.csv"), services=services).created
    bare.reset_call_counts()
    again = bare.reconcile(bare.upload("teams/blue/b.csv"), services=services)

    assert (created, again.done) == (60, [])
    assert bare.count_calls() == {"ListAccessGrants": 1, "ListAccessGrantsLocations": 1}
    assert sum(bare.count_calls("dynamodb").values()) < 10


def test_a_changed_rule_costs_three_transactions_and_one_scan_that_has_what_the_guard_needs(
    bare: GrantorSetup,
) -> None:
    role, services = bare.create_role("auditor"), bare.build_services()
    for name in ("old", "new"):
        bare.reset_call_counts()
        bare.put_policy("one", ONE_RULE.format(role=role, name=name))
        report = bare.reconcile(services=services)

    assert (report.created, report.deleted) == (1, 1)
    assert bare.count_calls("dynamodb") == {
        "PutItem": 3,  # the lease is taken and released, and the run recorded
        "Query": 2,  # accepted versions, pending plans
        "Scan": 1,
        "TransactWriteItems": 3,  # before the create, after it, after the delete
    }


def test_a_warm_run_begins_with_what_the_last_one_needed_and_still_reads_what_this_one_needs(
    bare: GrantorSetup,
) -> None:
    role, services, counts = bare.create_role("auditor"), bare.build_services(), []
    bare.client("iam").create_user(UserName="dora")
    for to in (f"role: '{role}'", f"role: '{role}'", f"user: 'arn:aws:iam::{ACCOUNT}:user/dora'"):
        bare.put_policy("one", ONE_TO.format(to=to))
        bare.reset_call_counts()
        report = bare.reconcile(services=services)
        counts.append(bare.count_calls("iam"))

    assert (report.created, report.deleted, report.failed) == (1, 1, [])
    assert counts == [{"ListRoles": 1}, {"ListRoles": 1}, {"ListRoles": 2, "ListUsers": 1}]


def test_a_figure_over_its_bound_does_not_hold() -> None:
    calls = Figure("calls", 1000, "calls", 999)

    assert not calls.holds
    assert format_figures([calls]) == "calls     1,000 calls  ≤ 999: DOES NOT HOLD"
