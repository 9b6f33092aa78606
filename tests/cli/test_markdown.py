"""A plan as a comment on a pull request: it fits into one, and no name in it becomes markup."""

from typing import Any

import pytest

from grantor.cli.plan import PlanView, render_markdown
from grantor.core.diagnostics import Problem
from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.approvals import PlanApproval
from grantor.core.planning.owners import RuleOwner
from grantor.core.planning.plan import Action, Change, GrantOnHold, Plan, UnmanagedGrant
from grantor.core.planning.rendering import Home
from grantor.reconcile.report import Report, render_problems

HOME = Home("aws", "111122223333")
ROLE = "arn:aws:iam::111122223333:role/ana"


def outlook(
    *, create: list[str] | None = None, delete: list[str] | None = None, **findings: Any
) -> PlanView:
    """What a run would do with grants of these scopes, and what it finds."""
    creates = tuple(change(Action.CREATE, scope) for scope in create or [])
    deletes = tuple(change(Action.DELETE, scope) for scope in delete or [])
    return PlanView(
        "grantor", HOME, Plan(create=creates, delete=deletes), report=Report(**findings)
    )


def change(action: Action, scope: str) -> Change:
    return Change(action, grant(scope), (Reason("policy/a.yaml#team"),))


def grant(scope: str) -> Grant:
    return Grant(Grantee("IAM", ROLE), Permission.READ, scope)


def warning(what: str) -> Problem:
    return Problem("policy/a.yaml", 1, 1, what, "why", "remedy")


def test_a_short_plan_is_shown_unfolded():
    made = render_markdown(outlook(create=["s3://data/new/*"], delete=["s3://data/old/*"]))

    assert (
        made.replace(
            outlook(create=["s3://data/new/*"], delete=["s3://data/old/*"]).plan.hash[:12], "HASH"
        )
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
    made = render_markdown(outlook()).splitlines()

    assert (made[0], len(made)) == ("### Grantor, stack `grantor`: nothing to change", 3)


def test_a_long_plan_is_folded():
    made = render_markdown(outlook(create=[f"s3://data/{n:02}/*" for n in range(21)]))

    assert "<details><summary>Changes: 21</summary>" in made


def test_the_longest_plan_fits_into_a_comment_and_says_what_is_left_out():
    scopes = [f"s3://data/{n:05}/*" for n in range(20_000)]
    findings: dict[str, Any] = {
        "errors": list(map(warning, scopes)),
        "warnings": list(map(warning, scopes)),
        "unread": dict.fromkeys(scopes, "throttled"),
        "on_hold": [GrantOnHold(grant(scope), "why") for scope in scopes],
        "unmanaged": [UnmanagedGrant(grant(scope)) for scope in scopes],
    }
    made = render_markdown(outlook(create=scopes, **findings))

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
    ids=[
        "a bar, which parts cells",
        "a backtick, which ends code",
        "a backtick at the end",
        "a mention, and HTML",
    ],
)
def test_no_name_becomes_markup(scope: str, shown: str):
    assert f"| + | READ | {shown} | `role/ana` |" in render_markdown(outlook(create=[scope]))


def test_sentences_stay_in_their_block_whatever_is_in_them():
    made = render_markdown(outlook(warnings=[warning("a ```fence``` in a name")]))

    assert "````text\npolicy/a.yaml:1:1: a ```fence``` in a name: why; remedy\n````" in made


def test_whom_to_ask_stands_in_the_comment_in_the_plan_and_in_the_alert():
    owner = RuleOwner("data@example.com", "the `team`'s", ("policy/a.yaml#team",))
    view = outlook(create=["s3://data/new/*"], owners=(owner,))
    waiting = Report(approval=PlanApproval("0" * 64, ("it takes much",)), owners=(owner,))

    assert f"<summary>Owners: 1</summary>\n\n```text\n{owner}\n```" in render_markdown(view)
    assert f"owner: {owner}" in list(view.lines())
    assert f"owner: {owner}" in render_problems(waiting, HOME, "grantor")
