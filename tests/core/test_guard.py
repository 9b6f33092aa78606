"""What needs a person's approval, and what never does."""

import pytest

from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.guard import Before, guard
from grantor.core.planning.plan import Change, Plan

ANA = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")


def taking(count: int) -> Plan:
    changes = [
        Change(Grant(ANA, Permission.READ, f"s3://data/{n}/*"), (Reason("policy/a.yaml#team"),), str(n)) for n in range(count)
    ]
    return Plan(delete=tuple(changes))


@pytest.mark.parametrize(
    ("deletes", "owned", "rules", "found", "refused"),
    [
        (20, 20, 1, {"D": 9}, []),
        (21, 84, 1, {"D": 9}, []),
        (21, 83, 1, {"D": 9}, ["it takes away 21 of 83 grants: more than 20 and more than 25%"]),
        (1, 1000, 0, {"D": 9}, ["the policy files hold no rule at all"]),
        (1, 1000, 1, {"D": 0}, ["Studio domain D has no profile, and had 9"]),
        (1, 1000, 1, {"New": 0}, []),
        (0, 1000, 0, {"D": 0}, []),
    ],
    ids=["small", "a quarter", "more than a quarter", "no rule", "no profile", "never had one", "nothing taken"],
)  # fmt: skip
def test_a_plan_that_takes_much_away_at_once_is_refused(deletes, owned, rules, found, refused) -> None:
    assert list(guard(taking(deletes), Before(owned, {"D": 9}), rules, found)) == refused


def test_creating_is_never_refused() -> None:
    changes = [Change(Grant(ANA, Permission.READ, f"s3://data/{n}/*"), ()) for n in range(1000)]

    assert guard(Plan(create=tuple(changes)), Before(0, {"D": 9}), 0, {"D": 0}) == ()
