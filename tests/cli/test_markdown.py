"""A plan as a comment on a pull request: it fits into one, and no name in it becomes markup."""

from datetime import UTC, datetime
from typing import Any

import pytest

from grantor.cli.plan import PlanView, render_markdown
from grantor.core.diagnostics import Problem
from grantor.core.grant import Grant, Grantee, LedgerEntry, Permission, Reason, State
from grantor.core.planning.approvals import PlanApproval
from grantor.core.planning.owners import RuleOwner
from grantor.core.planning.plan import Action, Change, GrantOnHold, Plan, UnmanagedGrant
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Authority, Focus, Inventory, Snapshot, WantedGrants
from grantor.reconcile.report import Report, render_problems

HOME = Home("aws", "111122223333")
ROLE = "arn:aws:iam::111122223333:role/ana"
NOW = datetime(2026, 11, 30, tzinfo=UTC)


def outlook(
    *, create: list[str] | None = None, delete: list[str] | None = None, **findings: Any
) -> PlanView:
    """What a run would do with grants of these scopes, and what it finds."""
    creates = tuple(change(Action.CREATE, scope) for scope in create or [])
    deletes = tuple(change(Action.DELETE, scope) for scope in delete or [])
    return build_view(Plan(create=creates, delete=deletes), Report(**findings))


def build_view(plan: Plan, report: Report) -> PlanView:
    """A plan in an account that has the grants to delete, and a profile for one role."""
    entries = {
        one.grant: LedgerEntry(one.grant, State.LIVE, frozenset(one.reasons), "id")
        for one in plan.delete
    }
    actual, authority = dict.fromkeys(entries, "id"), Authority.build(NOW, Focus(), {})
    inventory = Inventory(NOW, sharing={ROLE: frozenset(["profile Lab/ana"])})
    snapshot = Snapshot(inventory, WantedGrants(), entries, actual, frozenset(), authority)
    return PlanView("grantor", HOME, plan, report=report, snapshot=snapshot)


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

<details open><summary>Who gains, who loses: 1 person gains and 1 person loses</summary>

| | who | permission | scope | |
|---|---|---|---|---|
| + | `Lab/ana` | READ | `s3://data/new/*` | without end |
| - | `Lab/ana` | READ | `s3://data/old/*` |  |

</details>

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
    assert made.count("more lines, cut for size") == 7
    assert "### Grantor, stack `grantor`: 20,000 grants to create" in made


def test_who_keeps_access_through_another_grant_loses_nothing():
    made = render_markdown(outlook(create=["s3://data/*"], delete=["s3://data/old/*"]))

    assert "Who gains, who loses: 1 person gains and nobody loses</summary>" in made
    assert render_markdown(outlook(create=["s3://a/*"], delete=["s3://a/*"])).splitlines()[4] == (
        "Who gains, who loses: nobody gains and nobody loses."
    )


def test_people_with_the_same_gain_share_a_row_that_names_ten_of_them():
    grantees = [Grantee("IAM", f"{ROLE}{n:02}") for n in range(12)]
    created = [Grant(grantee, Permission.READ, "s3://data/new/*") for grantee in grantees]
    changes = tuple(Change(Action.CREATE, one, ()) for one in created)
    made = render_markdown(build_view(Plan(create=changes), Report()))

    assert "Who gains, who loses: 12 grantees gain and nobody loses</summary>" in made
    assert "`role/ana09`, and 2 more | READ | `s3://data/new/*` | without end |" in made


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
