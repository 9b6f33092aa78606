"""What a scope covers, and that the remedy for a wrong one is a valid one."""

import re

import pytest

from grantor.core.grant import covers
from grantor.core.scope import (
    find_exception_faults,
    find_object_faults,
    find_scope_faults,
    normalize_scope,
)
from tests.policy.corpus import read_corpus


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
def test_a_scope_covers_keys_that_start_like_it(outer: str, inner: str, covered: bool):
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
    assert normalize_scope(written) == one


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
def test_a_valid_scope_has_no_faults(scope: str):
    assert find_scope_faults(scope) == []


def test_a_scope_has_at_most_two_thousand_characters():
    (fault,) = find_scope_faults("s3://data/" + "a" * 1989 + "/*")

    assert fault.what == "the scope has 2,001 characters"


def test_only_object_accepts_a_name_that_looks_like_a_folder():
    assert find_object_faults("s3://data/README") == []
    assert len(find_scope_faults("s3://data/README")) == 1


REMEDY = re.compile(r".*; write (?:on: )?(?P<scope>s3://(?!BUCKET|.*NAME)[^ ,]+)(?: .*|, .*)?")
# Where a case has one mistake, what is to be written instead has none left.
MENDED = [
    found["scope"]
    for file, case in read_corpus()
    if file.stem == "scopes"
    and len(case.expected) == 1
    and (found := REMEDY.fullmatch(*case.expected))
]


def test_most_remedies_for_a_scope_contain_a_scope():
    assert len(MENDED) > 30


@pytest.mark.parametrize("scope", MENDED)
def test_the_scope_that_a_remedy_suggests_is_valid(scope: str):
    assert find_scope_faults(scope) == [] or find_object_faults(scope) == []


@pytest.mark.parametrize(
    ("excepted", "remedy"),
    [
        ("s3://data/a", "write s3://data/a/*"),
        ("s3://data/a/", "write s3://data/a/*"),
        ("s3://data/a*", "write s3://data/a/*"),
    ],
)
def test_an_exception_is_a_folder_or_an_object_with_a_dot(excepted: str, remedy: str):
    assert [fault.remedy for fault in find_exception_faults(excepted)] == [remedy]
    assert find_exception_faults("s3://data/a/*") == find_exception_faults("s3://data/a.csv") == []
