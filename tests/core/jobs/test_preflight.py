"""Which grants a job needs before it is started, as S3A was measured to ask for them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import Grant, Grantee, Permission
from grantor.core.jobs.decide import PreflightAnswer, check_grants, check_suspension, find_unmet
from grantor.core.planning.rendering import Home
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import IamPrincipal, Policy, ProfileName, Start, Suspension
from tests.core.jobs.starts import ROLE, START

HOME = Home("aws", "111122223333")

READ, WRITE, BOTH = Permission.READ, Permission.WRITE, Permission.READWRITE
OWN = [(BOTH, "s3://data/UserA/*")]
STAGING = replace(
    START, job=replace(START.job, arguments=(("access", "staged"), ("max_quarantine", "3")))
)
HINT = (
    "The grants that it holds are enough for a job that stages: "
    "write `arguments: {access: staged}` in the policy file."
)


def grants(*held: tuple[Permission, str], role: str = ROLE, through: str = "") -> list[Grant]:
    return [Grant(Grantee("IAM", role), permission, scope, through) for permission, scope in held]


@pytest.mark.parametrize(
    ("held", "lacking"),
    [
        (grants(*OWN), 0),
        (grants((READ, "s3://data/UserA/abalone.csv*"), (BOTH, "s3://data/UserA/*")), 0),
        (grants((READ, "s3://data/*"), (BOTH, "s3://data/UserA/out*")), 0),
        (
            grants(
                (READ, "s3://data/UserA/abalone.csv"),
                (READ, "s3://data/UserA/abalone.csv/*"),
                (BOTH, "s3://data/Us*"),
            ),
            0,
        ),
        ([], 3),
        (grants(*OWN, role=ROLE + "-2"), 3),
        (grants(*OWN, through="arn:aws:sso::111122223333:application/a"), 3),
        (grants((WRITE, "s3://data/*")), 3),
        (grants((READ, "s3://data/*")), 1),
        (grants((READ, "s3://data/*"), (WRITE, "s3://data/*")), 1),
        (grants((READ, "s3://data/UserA/abalone.csv"), (BOTH, "s3://data/UserA/o*")), 1),
        (grants((BOTH, "s3://data/UserA/output/*"), (READ, "s3://data/UserA/a*")), 0),
        (grants((BOTH, "s3://data/UserA/output/runs/*"), (READ, "s3://data/UserA/a*")), 1),
        (grants((BOTH, "s3://data/UserAB/*")), 3),
    ],
    ids=[
        "one grant above both",
        "a grant of the input's own",
        "a scope that ends inside a name",
        "key and everything below it apart",
        "none",
        "another's",
        "through an application",
        "writing only",
        "reading only",
        "READ and WRITE as two grants",
        "an input's exact key",
        "a grant on the very output",
        "the output lies above the grant",
        "a name that begins alike",
    ],
)
def test_the_missing_permissions_of_a_role(held: list[Grant], lacking: int) -> None:
    assert len(find_unmet(START, held)) == lacking


@pytest.mark.parametrize(
    ("held", "wanted", "unread", "answer"),
    [
        (grants(*OWN), [], [], PreflightAnswer.OK),
        (grants(*OWN), [], ["no matter"], PreflightAnswer.OK),
        ([], grants(*OWN), [], PreflightAnswer.NOT_YET),
        (grants((READ, "s3://data/*")), grants(*OWN), [], PreflightAnswer.NOT_YET),
        ([], [], ["the domain could not be read"], PreflightAnswer.NOT_YET),
        ([], grants((READ, "s3://data/*")), [], PreflightAnswer.MISSING),
        ([], [], [], PreflightAnswer.MISSING),
    ],
    ids=[
        "held",
        "held, and something is unread",
        "a rule gives it",
        "a rule gives the rest",
        "nobody knows",
        "a rule gives half",
        "no rule",
    ],
)
def test_the_decision_of_the_preflight(held, wanted, unread, answer: PreflightAnswer) -> None:
    assert check_grants(START, held, wanted, unread).answer is answer


def test_a_missing_permission_is_described_with_a_rule_that_would_grant_it() -> None:
    found = check_grants(START, grants((READ, "s3://data/*")), [], home=HOME)

    assert found.sentence == (
        "profile userA of Product-Domain (role/sagemaker-usera-role) "
        "lacks READWRITE on s3://data/UserA/output/*. "
        "To grant it, add below `rules:` in policy/article.yaml:\n"
        "  - name: abalone-1\n"
        '    to: {profiles: {domain: "Product-Domain", names: ["userA"]}}\n'
        '    on: "s3://data/UserA/output/*"\n'
        "    allow: READWRITE"
    )


APART = grants(
    (READ, "s3://data/UserA/abalone.csv"),
    (READ, "s3://data/UserA/output/*"),
    (WRITE, "s3://data/UserA/out*"),
)


@pytest.mark.parametrize(
    ("held", "lacking"),
    [
        (grants(*OWN), []),
        (APART, []),
        (APART[:2], ["WRITE on s3://data/UserA/output/*"]),
        (APART[::2], ["READ on s3://data/UserA/output/*"]),
        (APART[1:], ["READ on s3://data/UserA/abalone.csv"]),
    ],
    ids=[
        "one grant above both",
        "each apart",
        "nothing to write with",
        "nothing to look with",
        "nothing to read with",
    ],
)
def test_a_job_that_stages_needs_less(held: list[Grant], lacking: list[str]) -> None:
    assert [str(need) for need in find_unmet(STAGING, held)] == lacking


def test_a_role_that_could_stage_gets_a_hint() -> None:
    assert check_grants(START, APART, []).sentence.endswith("\n" + HINT)
    assert HINT not in check_grants(START, APART[1:], []).sentence


@pytest.mark.parametrize(
    "profile", ["Product-Domain/userA", ""], ids=["a profile", "a role of its own"]
)
@pytest.mark.parametrize(
    "folder", ["s3://data/In put/", "s3://data/UserA/"], ids=["another folder", "the same folder"]
)
@pytest.mark.parametrize("start", [START, STAGING], ids=["S3A", "staging"])
def test_the_proposed_rules_are_valid_and_grant_what_is_missing(
    start: Start, profile: str, folder: str
) -> None:
    start = replace(start, profile=profile, input=f"{folder}abalone.csv")
    proposed = check_grants(start, [], []).sentence.partition("\n")[2]
    policy = parse_policy("policy/a.yaml", f"version: 1\nrules:\n{proposed}\n".encode(), "data")

    assert isinstance(policy, Policy), policy
    assert find_unmet(start, grants(*((rule.allow, rule.on) for rule in policy.rules))) == ()


def test_a_missing_role_or_profile_is_described_with_the_reason() -> None:
    assert check_grants(START, [], grants(*OWN)).sentence.endswith(
        "on s3://data/UserA/output/* yet, although a rule grants it"
    )
    assert check_grants(START, [], [], ["the domain was busy"]).sentence.endswith(
        "on s3://data/UserA/output/* yet: the domain was busy"
    )


NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize("who", [IamPrincipal(ROLE), ProfileName("Product-Domain", "userA")])
@pytest.mark.parametrize("hours", [None, 1, 0])
def test_nothing_starts_as_a_suspended_role_or_profile(
    who: IamPrincipal | ProfileName, hours: int | None
) -> None:
    until = None if hours is None else NOW + timedelta(hours=hours)
    start = replace(START, profile="Product-Domain/userA")
    suspension = Suspension("policy/s.yaml", who, "lost laptop", until, 3)

    found = check_suspension(start, [suspension], NOW, HOME)

    if hours == 0:
        assert (found.answer, found.sentence) == (PreflightAnswer.OK, "")
    else:
        assert found.answer is PreflightAnswer.MISSING
        assert found.sentence.endswith("is suspended by policy/s.yaml, line 3: lost laptop")


def test_a_job_with_a_role_of_its_own_starts_although_a_profile_is_suspended() -> None:
    suspension = Suspension("policy/s.yaml", ProfileName("Product-Domain", "userB"), "x")
    start = replace(START, profile="")
    assert check_suspension(start, [suspension], NOW, HOME).answer is PreflightAnswer.OK
