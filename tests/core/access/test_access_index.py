"""What the index lists: who reaches a place, all of it or a part, and what a grantee holds."""

import pytest

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.grant import Grant, Grantee, Permission

ANA, BEN = (Grantee("IAM", f"arn:aws:iam::111122223333:role/{name}") for name in ("ana", "ben"))
ALL = Grant(ANA, Permission.READ, "s3://b/*")
TEAM = Grant(BEN, Permission.READWRITE, "s3://b/team/*")
FILE = Grant(ANA, Permission.WRITE, "s3://b/team/x.csv")
OTHER = Grant(BEN, Permission.READ, "s3://other/*")
WHOLE = Grant(BEN, Permission.READ, "s3://whole/")
INDEX = AccessIndex([ALL, TEAM, FILE, OTHER, WHOLE], {WHOLE})


@pytest.mark.parametrize(
    ("target", "covering", "within"),
    [
        ("s3://b/team/x.csv", [FILE, TEAM, ALL], []),
        ("s3://b/team/*", [TEAM, ALL], [FILE]),
        ("s3://b/team/x*", [TEAM, ALL], [FILE]),
        ("s3://b", [ALL], [TEAM, FILE]),
        ("s3://b/", [ALL], [TEAM, FILE]),
        ("s3://b/other", [ALL], []),
        ("s3://whole/x", [WHOLE], []),
        ("s3://nobody/*", [], []),
    ],
)
def test_grants_that_reach_all_of_a_place_are_told_from_those_that_reach_a_part(
    target: str, covering: list[Grant], within: list[Grant]
) -> None:
    assert INDEX.list_covering(target) == covering
    assert INDEX.list_within(target) == within


def test_the_grants_of_a_grantee_are_listed_in_the_order_of_creation() -> None:
    assert INDEX.list_held([ANA]) == [ALL, FILE]
    assert INDEX.list_held([Grantee("IAM", "arn:aws:iam::111122223333:role/nobody")]) == []


def test_an_answer_names_the_other_grants_that_would_serve() -> None:
    answer = INDEX.decide(Principal((ANA,)), Permission.READ, "s3://b/team/x.csv")
    assert (answer.grant, answer.others) == (ALL, ())
    both = INDEX.decide(Principal((ANA, BEN)), Permission.READ, "s3://b/team/x.csv")
    assert (both.grant, both.others) == (TEAM, (ALL,))
