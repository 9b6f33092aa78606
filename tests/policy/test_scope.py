"""What a scope covers, and that what is said of a wrong one leads to a right one."""

import re

import pytest

from grantor.core.scope import covers, except_faults, faults, object_faults, whole
from tests.policy.cases import cases


@pytest.mark.parametrize(
    ("outer", "inner", "covered"),
    [
        ("s3://data/*", "s3://data/*", True),
        ("s3://data/*", "s3://data/a/*", True),
        ("s3://data/*", "s3://data/a.csv", True),
        ("s3://data/*", "s3://database/a/*", False),
        ("s3://data/a/*", "s3://data/*", False),
        ("s3://data/a/*", "s3://data/ab/*", False),
        ("s3://data/a*", "s3://data/ab/*", True),
        ("s3://data/a*", "s3://data/a*", True),
        ("s3://data/a/*", "s3://data/a*", False),
        ("s3://data/a/*", "s3://data/a", False),
        ("s3://data/a.csv", "s3://data/a.csv", True),
        ("s3://data/a.csv", "s3://data/a.csv.gz", False),
        ("s3://data/a.csv", "s3://data/*", False),
        ("s3://data/{profile.name}/*", "s3://data/{profile.name}/x/*", True),
        ("s3://data/{profile.name}/*", "s3://data/userA/x/*", False),
    ],
)
def test_a_scope_covers_what_begins_as_it_does_before_its_star(outer: str, inner: str, covered: bool):
    assert covers(outer, inner) is covered


@pytest.mark.parametrize(
    ("written", "one"),
    [
        ("s3://data", "s3://data/*"),
        ("s3://data/", "s3://data/*"),
        ("s3://data/*", "s3://data/*"),
        ("s3://data/a/*", "s3://data/a/*"),
        ("s3://data/a.csv", "s3://data/a.csv"),
        ("s3://{data_bucket}", "s3://{data_bucket}/*"),
    ],
)
def test_a_scope_has_one_spelling(written: str, one: str):
    assert whole(written) == one


@pytest.mark.parametrize(
    "scope",
    [
        "s3://data",
        "s3://data/",
        "s3://data/*",
        "s3://a.b-c.d/x/*",
        "s3://123/x/*",
        "s3://data/a/b/c/*",
        "s3://data/a b/é/*",
        "s3://data/a.csv",
        "s3://data/.x",
        "s3://data/..x/*",
        "s3://data/x../*",
        "s3://data/team=blue/day=1/*",
        "s3://data/" + "a" * 1988 + "/*",
    ],
)
def test_a_sound_scope_has_no_faults(scope: str):
    assert faults(scope) == []


def test_a_scope_has_at_most_two_thousand_characters():
    (fault,) = faults("s3://data/" + "a" * 1989 + "/*")

    assert fault.what == "a scope of 2,001 characters"


def test_an_object_may_look_like_a_folder_only_where_the_rule_says_that_it_is_one():
    assert object_faults("s3://data/README") == []
    assert len(faults("s3://data/README")) == 1


REMEDY = re.compile(r".*; write (?:on: )?(?P<scope>s3://(?!BUCKET|.*NAME)[^ ,]+)(?: .*|, .*)?")
# Where a case has one mistake, what is to be written instead has none left.
MENDED = [
    found["scope"]
    for file, case in cases()
    if file.stem == "scopes" and len(case.said) == 1 and (found := REMEDY.fullmatch(*case.said))
]


def test_most_remedies_for_a_scope_say_the_scope():
    assert len(MENDED) > 30


@pytest.mark.parametrize("scope", MENDED)
def test_the_scope_that_a_remedy_says_is_sound(scope: str):
    assert faults(scope) == [] or object_faults(scope) == []


@pytest.mark.parametrize(
    ("excepted", "remedy"),
    [
        ("s3://data/a", "write s3://data/a/*"),
        ("s3://data/a/", "write s3://data/a/*"),
        ("s3://data/a*", "write s3://data/a/*"),
    ],
)
def test_an_exception_is_a_folder_or_an_object_with_a_dot(excepted: str, remedy: str):
    assert [fault.remedy for fault in except_faults(excepted)] == [remedy]
    assert except_faults("s3://data/a/*") == except_faults("s3://data/a.csv") == []
