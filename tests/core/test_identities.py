"""Roles that do not exist, were made again, or cannot be listed; and directories unknown to S3."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grantor.core.grant import (
    Grant,
    Grantee,
    Identity,
    LedgerEntry,
    Location,
    Permission,
    Principals,
    Reason,
    State,
    find_made_again,
    iam_grantee,
)
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.lint import report_principals
from grantor.core.planning.plan import Action, Change, Plan, compute_plan
from grantor.core.planning.required_reads import (
    find_identities,
    find_stale_pairs,
    list_principal_kinds,
    needs_association,
)
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy
from grantor.core.snapshot import (
    NOBODY,
    Authority,
    Focus,
    Hold,
    Inventory,
    Snapshot,
    WantedGrants,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
ACCOUNT = "111122223333"
ANA, BEA = (iam_grantee(f"arn:aws:iam::{ACCOUNT}:role/{name}") for name in ("ana", "bea"))
GROUP = Grantee("DIRECTORY_GROUP", "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a")
GRANT = Grant(ANA, Permission.READ, "s3://data/x/*")
TEAM, LATER = Reason("policy/a.yaml#team"), Reason("policy/a.yaml#later")
ENTRY = LedgerEntry(GRANT, State.LIVE, frozenset({TEAM}), "1")
FILES = {"policy/a.yaml": Mode.AUTHORITATIVE}
ALL, SOME = Focus(), Focus(("profile D/ana",))
OLD, NEW = Identity("AROA1", "AROA1"), Identity("AROA1", "AROA2")


def listed(**ids: str) -> Principals:
    """Roles by name."""
    arns = {f"arn:aws:iam::{ACCOUNT}:role/{name}": unique for name, unique in ids.items()}
    return Principals(ACCOUNT, arns, frozenset({"role"}))


def know(
    identities: dict[Grantee, Identity],
    principals: Principals,
    *,
    withholds: bool,
    focus: Focus = ALL,
) -> Authority:
    first = Authority.build(NOW, focus, FILES, [Hold(TEAM.rule, "", "it is wrong")])
    inventory = Inventory(NOW, principals=principals)
    return first.know(inventory, NOBODY, identities, withholds=withholds)


def plan_for(authority: Authority, reason: Reason = TEAM, **more: dict) -> Plan:
    values = {"wanted": {GRANT: frozenset({reason})}, "entries": {GRANT: ENTRY}}
    values |= {"actual": {GRANT: "1"}, **more}
    return compute_plan(**values, ours=(), authority=authority)


@pytest.mark.parametrize(
    ("principals", "is_other"),
    [
        (listed(ana="AROA1"), False),
        (listed(ana="AROA2"), True),
        (listed(bea="AROA2"), False),
        (Principals(), False),
    ],
    ids=["the same", "another", "gone", "not listed"],
)
def test_a_role_was_made_again_if_it_is_listed_with_another_id(principals, is_other) -> None:
    assert find_made_again({ANA: OLD}, principals) == ({ANA} if is_other else frozenset())
    assert find_made_again({ANA: NEW}, Principals()) == {ANA}


def test_a_stranger_keeps_nothing_although_the_rule_is_on_hold_and_nobody_is_asked() -> None:
    plan = plan_for(know({ANA: OLD}, listed(ana="AROA2"), withholds=True))

    assert [(one.action, one.agreed) for one in plan.changes] == [(Action.DELETE, True)]
    assert [held.grant for held in plan.on_hold] == [GRANT]
    assert "made again" in plan.on_hold[0].why


def test_a_stranger_gets_nothing_new_also_in_a_focused_run() -> None:
    authority = know({ANA: NEW}, Principals(), withholds=True, focus=SOME)
    plan = plan_for(authority, entries={}, actual={})

    assert (plan.changes, [held.grant for held in plan.on_hold]) == ((), [GRANT])


@pytest.mark.parametrize("reason", [TEAM, LATER], ids=["same reasons", "other reasons"])
def test_grants_that_are_made_again_are_deleted_and_created(reason) -> None:
    plan = plan_for(know({ANA: OLD}, listed(ana="AROA2"), withholds=False), reason)

    assert {(one.action, one.agreed, one.grant_id) for one in plan.changes} == {
        (Action.DELETE, True, "1"),
        (Action.CREATE, False, ""),
    }


def test_a_focused_run_makes_nothing_again() -> None:
    assert plan_for(know({ANA: NEW}, Principals(), withholds=False, focus=SOME)).changes == ()


def snapshot_of(
    identities: dict[Grantee, Identity],
    principals: Principals,
    *,
    withholds: bool = True,
    focus: Focus = ALL,
    wanted: bool = True,
) -> Snapshot:
    authority = know(identities, principals, withholds=withholds, focus=focus)
    grants = WantedGrants({GRANT: frozenset({TEAM})} if wanted else {})
    inventory = Inventory(NOW, principals=principals)
    return Snapshot(inventory, grants, {}, {}, frozenset(), authority, identities=identities)


@pytest.mark.parametrize(
    ("identities", "snapshot", "undone", "changed"),
    [
        ({}, {"principals": listed(ana="AROA1")}, (), {ANA: OLD}),
        ({ANA: OLD}, {"principals": listed(ana="AROA1")}, (), {}),
        ({ANA: OLD}, {"principals": listed(ana="AROA2")}, (), {ANA: NEW}),
        ({ANA: NEW}, {"principals": listed(ana="AROA1")}, (), {ANA: OLD}),
        ({ANA: OLD}, {"principals": listed()}, (), {}),
        ({ANA: OLD}, {"principals": Principals()}, (), {}),
        ({BEA: OLD}, {"principals": listed(), "wanted": False}, (), {BEA: None}),
        ({BEA: OLD}, {"principals": listed(), "focus": SOME}, (), {}),
        (
            {ANA: OLD},
            {"principals": listed(ana="AROA2"), "withholds": False},
            (),
            {ANA: Identity("AROA2", "AROA2")},
        ),
        ({ANA: OLD}, {"principals": listed(ana="AROA2"), "withholds": False}, (ANA,), {ANA: NEW}),
    ],
    ids=[
        "first seen",
        "seen again",
        "made again",
        "the first one is back",
        "gone",
        "not listed",
        "not needed any more",
        "not in focus",
        "its grants were made again",
        "some of them were not",
    ],
)
def test_the_ledger_remembers_for_whom_the_grants_are(
    identities, snapshot, undone, changed
) -> None:
    assert find_identities(snapshot_of(identities, **snapshot), (), undone) == changed


def test_who_has_grants_is_remembered_although_no_rule_names_him() -> None:
    snapshot = snapshot_of({ANA: OLD}, listed(), wanted=False)

    assert find_identities(snapshot, [ENTRY], ()) == {}


def read_rules(*rules: str) -> Policy:
    text = "version: 1\nrules:\n" + "".join(
        f"  - {{name: r{number}, to: {to}, on: s3://data/x/*, allow: READ}}\n"
        for number, to in enumerate(rules)
    )
    found = parse_policy("policy/a.yaml", text.encode(), "data")
    assert isinstance(found, Policy), found
    return found


ROLE_RULE = f'{{role: "{ANA.identifier}"}}'
USER_RULE = f'{{user: "arn:aws:iam::{ACCOUNT}:user/ana"}}'
GROUP_RULE = f"{{directory_group: {GROUP.identifier}}}"


@pytest.mark.parametrize(
    ("rules", "kinds", "needs"),
    [
        ([], set(), False),
        ([ROLE_RULE], {"role"}, False),
        (["{profiles: {domain: Lab}}", GROUP_RULE], {"role"}, True),
        ([USER_RULE], {"role", "user"}, False),
        ([GROUP_RULE], set(), True),
    ],
)
def test_a_run_lists_what_its_rules_may_name(rules, kinds, needs) -> None:
    found = read_rules(*rules).rules if rules else ()

    assert (list_principal_kinds(found), needs_association(found)) == (kinds, needs)


def expand(rule: str, focus: Focus = ALL, **inventory: object) -> WantedGrants:
    where = Inventory(NOW, (Location("1", "s3://data"),), **inventory)
    return expand_rules([read_rules(rule)], where, focus)


def test_a_rule_for_a_role_that_does_not_exist_is_warned_of_and_wanted() -> None:
    (warning,) = expand(ROLE_RULE, principals=listed(bea="AROA1")).warnings

    assert f"policy/a.yaml:3:5: rule r0: there is no role {ANA}" in str(warning)
    assert expand(ROLE_RULE, principals=listed()).grants.keys() == {GRANT}
    assert expand(ROLE_RULE, principals=listed(ana="AROA1")).warnings == ()
    assert expand(ROLE_RULE).warnings == ()


def test_a_rule_for_a_group_is_rejected_while_the_instance_knows_no_directory() -> None:
    found = expand(GROUP_RULE, identity_center="")

    assert found.grants == {}
    assert "not associated with IAM Identity Center" in str(found.rejected[0])
    assert [hold.rule for hold in found.on_hold] == ["policy/a.yaml#r0"]
    for center in (None, "arn:aws:sso:::instance/ssoins-1234567890abcdef"):
        assert expand(GROUP_RULE, identity_center=center).rejected == ()


def test_what_could_not_be_listed_and_who_was_made_again_is_reported() -> None:
    wanted = WantedGrants(
        {GRANT: frozenset({TEAM}), replace(GRANT, grantee=BEA): frozenset({LATER})}
    )
    principals = Principals(unread={"role": "AccessDenied"})
    found = report_principals(wanted, principals, {ANA})

    (rejected,) = found.rejected
    assert f"policy/a.yaml:1:1: {ANA} was deleted and made again: it may be " in str(rejected)
    assert "the roles of the account could not be listed: AccessDenied" in str(found.warnings[0])
    assert report_principals(wanted, Principals(), ()) == wanted


def test_a_pair_is_stale_once_no_grant_has_its_subject_and_no_profile_runs_as_its_role() -> None:
    def reason_of(name: str) -> Reason:
        return Reason(TEAM.rule, (f"profile D/{name}",))

    def grant_to(who: Grantee, folder: str) -> Grant:
        return Grant(who, Permission.READ, f"s3://data/{folder}/*")

    kept, changed, gone = (grant_to(ANA, name) for name in ("kept", "changed", "gone"))
    entries = {
        grant: LedgerEntry(grant, State.LIVE, frozenset({reason_of(name)}), "1")
        for grant, name in ((kept, "kept"), (changed, "before"), (gone, "gone"))
    }
    plan = Plan(
        create=(Change(Action.CREATE, grant_to(BEA, "new"), (reason_of("new"),)),),
        update=(Change(Action.UPDATE, changed, (reason_of("after"),)),),
    )
    names = ("kept", "before", "after", "gone", "nobody")
    pairs = {(f"profile D/{name}", ANA) for name in names}
    pairs |= {(f"profile D/{name}", BEA) for name in ("new", "runs", "nobody")}
    snapshot = snapshot_of({}, Principals(), wanted=False)
    sharing = {BEA.identifier: frozenset({"profile D/runs"})}
    snapshot = replace(
        snapshot,
        entries=entries,
        pairs=frozenset(pairs),
        inventory=replace(snapshot.inventory, sharing=sharing),
    )

    assert find_stale_pairs(snapshot, plan, {gone}) == {
        ("profile D/before", ANA),
        ("profile D/gone", ANA),
        ("profile D/nobody", ANA),
        ("profile D/nobody", BEA),
    }
