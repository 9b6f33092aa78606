"""The tests of a policy file run in the function that keeps everybody's grants: they cannot hold it
up.
"""

import sys
from types import FrameType

from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from grantor.settings import MAX_TEST_STEPS


def write_file(rules: int, people: int, times: int, question: str) -> bytes:
    """A policy file with so many rules for so many people, asked about at so many times."""
    listed = "".join(
        f"  - {{name: r{number}, to: {{each_profile: {{domain: D}}}}, "
        f'on: "s3://data/{{profile.folder}}/{number}/*", allow: READ, until: 2027-03-31}}\n'
        for number in range(rules)
    )
    given = ", ".join(f"D/p{number}: {{}}" for number in range(people))
    tests = "".join(
        f"  - {{{question}, at: 2027-01-{1 + number // 24:02}T{number % 24:02}:00Z}}\n"
        for number in range(times)
    )
    return f"version: 1\nrules:\n{listed}given: {{profiles: {{{given}}}}}\ntests:\n{tests}".encode()


def count_expansions(policy: Policy) -> int:
    """How often a run expands a rule for a person while it runs the tests of this file."""
    count = 0

    def note_call(frame: FrameType, event: str, _: object) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == "_expand_profile"

    sys.setprofile(note_call)
    try:
        find_test_problems(policy)
    finally:
        sys.setprofile(None)
    return count


def test_tests_that_would_take_minutes_are_refused_before_they_run() -> None:
    body = write_file(100, 400, 300, "cannot: p0 READ s3://data/P1/x")
    found = parse_policy("policy/slow.yaml", body, "data")

    assert isinstance(found, tuple)
    assert [problem.what for problem in found] == [
        "the tests have 12,000,000 steps: rules by names by times"
    ]


def test_tests_that_are_taken_expand_few_rules_whether_they_pass_or_fail() -> None:
    """At one time or at several; because of a rule; all of them pass, or all of them fail."""
    for rules, people, times, question in (
        (10, 50, 1, "cannot: p0 READ s3://data/P1/x"),
        (2, 20, 10, "cannot: p0 READ s3://data/P1/x"),
        (2, 20, 3, "cannot: p0 READ s3://data/P1/x, because: r0"),
        (10, 50, 1, "can: p0 READ s3://data/P1/x"),
        (2, 20, 10, "can: p0 READ s3://data/P1/x"),
    ):
        policy = parse_policy("policy/a.yaml", write_file(rules, people, times, question), "data")
        assert isinstance(policy, Policy), policy
        assert policy.tests
        most = policy.tests.count_steps(rules) + MAX_TEST_STEPS
        assert 0 < count_expansions(policy) <= most
