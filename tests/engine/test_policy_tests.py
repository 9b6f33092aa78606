"""A policy file is followed only if its own tests pass; a file of tests alone is never followed."""

from grantor.reconcile import policies
from tests.engine.helpers import assert_run_changes_nothing, assert_settled
from tests.grantor_setup import GrantorSetup

ROLE = "arn:aws:iam::000000000000:role/auditor"
FILE = f"""\
version: 1
rules:
  - name: audit
    to: {{role: "{ROLE}"}}
    on: s3://{{data_bucket}}/SCOPE/*
    allow: READ
    until: 2099-12-31
tests:
  - can: {ROLE} READ s3://{{data_bucket}}/one/a.csv
    because: audit
  - cannot: {ROLE} WRITE s3://{{data_bucket}}/one/a.csv
"""
GOOD, FAILING = FILE.replace("SCOPE", "one"), FILE.replace("SCOPE", "two")
OTHER = f"""\
version: 1
rules:
  - {{name: write, to: {{role: "{ROLE}"}}, on: "s3://{{data_bucket}}/one/*", allow: WRITE}}
"""
ONE, BOTH = (
    "READ s3://data/one/* to role/auditor",
    "WRITE s3://data/one/* to role/auditor",
)


def test_a_file_whose_tests_fail_is_rejected_and_its_last_accepted_version_stays(
    setup: GrantorSetup,
) -> None:
    setup.create_role("auditor")
    setup.put_policy("audit", GOOD)
    assert_settled(setup, {ONE})
    setup.put_policy("audit", FAILING)
    report = setup.reconcile()

    assert setup.describe_grants() == {ONE}
    assert report.accepted == {}
    (problem,) = report.errors
    assert str(problem) == (
        f"policy/audit.yaml:9:10: the test fails: {ROLE} cannot READ s3://data/one/a.csv: "
        "no rule gives it; correct the rule or the test"
    )
    setup.put_policy("audit", GOOD + "# again\n")
    assert_settled(setup, {ONE})


def test_a_first_version_whose_tests_fail_gives_nothing(setup: GrantorSetup) -> None:
    setup.create_role("auditor")
    setup.put_policy("audit", FAILING)
    report = setup.reconcile()

    assert (setup.describe_grants(), report.accepted) == (set(), {})
    assert [problem.line for problem in report.errors] == [9]


def test_what_other_files_give_neither_fails_a_file_nor_passes_it(setup: GrantorSetup) -> None:
    """The tests say that nobody writes; another file lets somebody, and that is its own matter."""
    setup.create_role("auditor")
    setup.put_policy("audit", GOOD)
    assert_settled(setup, {ONE})
    setup.put_policy("other", OTHER)

    assert_settled(setup, {ONE, BOTH})


def test_only_a_new_version_is_tested(setup: GrantorSetup) -> None:
    setup.create_role("auditor")
    policies._run_tests_cached.cache_clear()
    setup.put_policy("audit", GOOD)
    assert_settled(setup, {ONE})
    tested = policies._run_tests_cached.cache_info().misses
    policies._run_tests_cached.cache_clear()  # as in an environment that has just started
    policies._parse_cached.cache_clear()
    assert_run_changes_nothing(setup)

    assert tested == 1
    assert policies._run_tests_cached.cache_info().misses == 0


def test_a_file_of_tests_alone_is_named_and_never_followed(setup: GrantorSetup) -> None:
    """Whatever is in it: here, rules that would give something, and tests that fail."""
    setup.create_role("auditor")
    setup.put_policy("audit", GOOD)
    setup.put_policy("all.test", FAILING)
    report = setup.reconcile()

    assert setup.describe_grants() == {ONE}
    assert (report.errors, list(report.accepted)) == ([], ["policy/audit.yaml"])
    (warning,) = (one for one in report.warnings if "all.test" in one.file)
    assert str(warning) == (
        "policy/all.test.yaml:1:1: no run reads this file: its name says that it has tests alone, which "
        "grantor test runs beside the policy files; delete it here, or write its rules, if it has any, "
        "as policy/all.yaml"
    )
