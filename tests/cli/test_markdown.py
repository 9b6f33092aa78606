"""A plan as a comment on a pull request: it fits into one, and no name in it becomes markup."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grantor.cli.plan import Outlook, markdown
from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.plan import Change, Plan
from grantor.core.snapshot import Authority, Facts, Focus, Wanted
from grantor.reconcile.policies import Intake
from grantor.reconcile.read import Gathered
from grantor.reconcile.report import Report
from grantor.reconcile.run import Judged

NOW = datetime(2026, 11, 24, tzinfo=UTC)
ROLE = "arn:aws:iam::111122223333:role/ana"


def outlook(*, create: list[str] | None = None, delete: list[str] | None = None, **said: list[str]) -> Outlook:
    """What a run would do with grants of these scopes, and what it has to say."""
    plan = Plan(create=tuple(map(change, create or [])), delete=tuple(map(change, delete or [])))
    gathered = Gathered(Facts(NOW), Wanted(), {}, {}, frozenset(), Authority(NOW, Focus(), {}))
    return Outlook("grantor", Judged(Intake({}, {}), gathered, plan, ()), report=replace(Report(), **said))


def change(scope: str) -> Change:
    return Change(Grant(Grantee("IAM", ROLE), Permission.READ, scope), (Reason("policy/a.yaml#team"),))


def test_a_short_plan_stands_open():
    made = markdown(outlook(create=["s3://data/new/*"], delete=["s3://data/old/*"]))

    assert (
        made.replace(outlook(create=["s3://data/new/*"], delete=["s3://data/old/*"]).plan.hash, "HASH")
        == """\
### Grantor, stack `grantor`: 1 grant to create, 1 grant to delete

Plan `HASH`.

<details open><summary>Changes: 2</summary>

| | permission | scope | to | because |
|---|---|---|---|---|
| + | READ | `s3://data/new/*` | `role/ana` | `policy/a.yaml#team` |
| - | READ | `s3://data/old/*` | `role/ana` | `policy/a.yaml#team` |

</details>"""
    )


def test_a_plan_without_changes_is_two_lines():
    made = markdown(outlook()).splitlines()

    assert (made[0], len(made)) == ("### Grantor, stack `grantor`: nothing to change", 3)


def test_a_long_plan_is_folded():
    made = markdown(outlook(create=[f"s3://data/{n:02}/*" for n in range(21)]))

    assert "<details><summary>Changes: 21</summary>" in made


def test_the_longest_plan_fits_into_a_comment_and_says_what_it_lacks():
    scopes = [f"s3://data/{n:05}/*" for n in range(20_000)]
    made = markdown(outlook(create=scopes, rejected=scopes, later=scopes, warnings=scopes, waits=scopes, foreign=scopes))

    assert len(made) < 65_536
    assert made.count("more lines, cut for size") == 6
    assert "### Grantor, stack `grantor`: 20,000 grants to create" in made


@pytest.mark.parametrize(
    ("scope", "shown"),
    [
        ("s3://data/a|b/*", r"`s3://data/a\|b/*`"),
        ("s3://data/a`b/*", "``s3://data/a`b/*``"),
        ("s3://data/`", "`` s3://data/` ``"),
        ("s3://data/@team/<b>/*", "`s3://data/@team/<b>/*`"),
    ],
    ids=["a bar, which parts cells", "a backtick, which ends code", "a backtick at the end", "a mention, and HTML"],
)
def test_no_name_becomes_markup(scope: str, shown: str):
    assert f"| + | READ | {shown} | `role/ana` |" in markdown(outlook(create=[scope]))


def test_sentences_stay_in_their_block_whatever_is_in_them():
    made = markdown(outlook(warnings=["a ```fence``` in a name"]))

    assert "````text\na ```fence``` in a name\n````" in made
