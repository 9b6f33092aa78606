"""Which plans require an approval, and which never do."""

import pytest

from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.plan import Action, Baseline, Change, Plan, judge_plan

ANA = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")


def build_deleting_plan(count: int) -> Plan:
    changes = [
        Change(
            Action.DELETE,
            Grant(ANA, Permission.READ, f"s3://data/{n}/*"),
            (Reason("policy/a.yaml#team"),),
            str(n),
        )
        for n in range(count)
    ]
    return Plan(delete=tuple(changes))


@pytest.mark.parametrize(
    ("deletes", "owned", "rules", "found", "refused"),
    [
        (20, 20, 1, {"D": 9}, []),
        (21, 84, 1, {"D": 9}, []),
        (21, 83, 1, {"D": 9}, ["it deletes 21 of 83 grants: more than 20 and more than 25%"]),
        (1, 1000, 0, {"D": 9}, ["the policy files contain no rules"]),
        (1, 1000, 1, {"D": 0}, ["Studio domain D has lost all its profiles; it had 9"]),
        (1, 1000, 1, {"New": 0}, []),
        (0, 1000, 0, {"D": 0}, []),
    ],
    ids=[
        "small",
        "a quarter",
        "more than a quarter",
        "no rule",
        "no profile",
        "never had one",
        "nothing taken",
    ],
)
def test_a_plan_with_many_deletes_requires_an_approval(
    deletes, owned, rules, found, refused
) -> None:
    assert (
        list(judge_plan(build_deleting_plan(deletes), Baseline(owned, {"D": 9}), rules, found))
        == refused
    )


def test_creating_never_requires_an_approval() -> None:
    changes = [
        Change(Action.CREATE, Grant(ANA, Permission.READ, f"s3://data/{n}/*"), ())
        for n in range(1000)
    ]

    assert judge_plan(Plan(create=tuple(changes)), Baseline(0, {"D": 9}), 0, {"D": 0}) == ()
