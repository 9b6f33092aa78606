"""Whom a suspension concerns, what it takes away whatever is on hold, and when it asks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.grant import (
    Grant,
    LedgerEntry,
    Location,
    Permission,
    Reason,
    State,
    iam_grantee,
    profile_subject,
)
from grantor.core.planning.expand import expand_rules
from grantor.core.planning.lint import warn_of_unmanaged
from grantor.core.planning.plan import Plan, UnmanagedGrant, compute_plan
from grantor.core.planning.rendering import (
    Home,
    decode_change,
    describe_change,
    describe_horizon,
    encode_change,
)
from grantor.core.planning.required_reads import list_suspended_names, list_suspended_profiles
from grantor.core.planning.suspensions import explain_review, review_suspensions
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    Mode,
    Policy,
    ProfileName,
    ProfileSelector,
    Rule,
    Suspension,
    parse_suspended,
)
from grantor.core.snapshot import Authority, Focus, Hold, Inventory, Profile, WantedGrants

ACCOUNT, NOW = "arn:aws:iam::111122223333:", datetime(2026, 11, 24, 12, tzinfo=UTC)
HOME, FILE = Home("aws", "111122223333"), "policy/s.yaml"
ID = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
ANA, BEN, CY = (Profile("Lab", name, f"{ACCOUNT}role/{name}") for name in ("ana", "ben", "cy"))
GROUP, AUDITOR = (
    DirectoryName("DIRECTORY_GROUP", "auditors"),
    IamPrincipal(f"{ACCOUNT}role/auditor"),
)
OWN = Rule(
    "policy/a.yaml", "own", ProfileSelector(("Lab",), each=True),
    "s3://data/{profile.folder}/*", Permission.READ,
)  # fmt: skip
TEAM = Rule("policy/b.yaml", "team", ProfileSelector(("Lab",)), "s3://data/team/*", Permission.READ)
AUDIT = Rule("policy/b.yaml", "audit", AUDITOR, "s3://data/audit/*", Permission.READ)
READERS = Rule("policy/b.yaml", "readers", GROUP, "s3://data/team/*", Permission.READ)


def suspend(*who: str | IamPrincipal | DirectoryName, **more) -> tuple[Suspension, ...]:
    named = (ProfileName("Lab", one) if isinstance(one, str) else one for one in who)
    return tuple(
        Suspension(more.get("file", FILE), one, "lost laptop", more.get("until"), line)
        for line, one in enumerate(named, 3)
    )


def world(*profiles: Profile, **more) -> Inventory:
    sharing: dict[str, frozenset[str]] = {}
    for one in profiles:
        sharing[one.role] = sharing.get(one.role, frozenset()) | {one.subject}
    facts = {"directory": {("DIRECTORY_GROUP", "auditors"): ID}} | more
    return Inventory(
        NOW, (Location("1", "s3://data"),), profiles, frozenset({"Lab"}), sharing=sharing, **facts
    )


def expand(suspensions: tuple[Suspension, ...], inventory: Inventory, *rules: Rule, **more):
    policies = [
        Policy(FILE, (), suspensions=suspensions),
        *(Policy(rule.file, (rule,)) for rule in rules or (OWN, TEAM)),
    ]
    return expand_rules(policies, inventory, more.get("focus", Focus()))


def holders(wanted: WantedGrants) -> set[str]:
    return {grant.grantee.identifier.removeprefix(ACCOUNT) for grant in wanted.grants}


@pytest.mark.parametrize("focus", [Focus(), Focus(("profile Lab/ana", "profile Lab/ben"))])
def test_no_rule_of_any_file_gives_a_suspended_profile_anything(focus: Focus) -> None:
    found = expand(suspend("ben"), world(ANA, BEN, CY), focus=focus)
    assert holders(found) == ({"role/ana"} if focus.subjects else {"role/ana", "role/cy"})
    assert (found.on_hold, found.rejected, found.warnings) == ((), (), ())


def test_roles_and_directory_names_are_suspended_as_rules_name_them() -> None:
    rules = (AUDIT, READERS)
    assert holders(expand((), world(), *rules)) == {"role/auditor", ID}
    assert holders(expand(suspend(AUDITOR), world(), *rules)) == {ID}
    assert holders(expand(suspend(GROUP), world(), *rules)) == {"role/auditor"}
    assert list_suspended_names(suspend(GROUP, DirectoryName("DIRECTORY_USER", ID), "ana")) == {
        ("DIRECTORY_GROUP", "auditors")
    }
    assert list_suspended_profiles(suspend("ana", AUDITOR)) == {"profile Lab/ana"}


def test_a_suspension_that_has_ended_suspends_nobody_and_is_named() -> None:
    found = expand(suspend("ben", until=NOW), world(ANA, BEN))
    assert holders(found) == {"role/ana", "role/ben"}
    assert [one.what for one in found.warnings] == [
        "suspension of profile Lab/ben: it ended at 2026-11-24 12:00Z"
    ]
    assert holders(expand(suspend("ben", until=NOW + timedelta(seconds=1)), world(ANA, BEN))) == {
        "role/ana"
    }


def test_a_directory_name_that_nobody_has_is_an_error_and_one_not_read_is_not() -> None:
    unknown = suspend(DirectoryName("DIRECTORY_GROUP", "auditor"))
    (problem,) = expand(unknown, world()).rejected
    assert "did you mean auditors?" in problem.remedy
    unread = world(unread={"directory DIRECTORY_GROUP auditor": "no answer"})
    assert expand(unknown, unread).rejected == ()


def test_a_shared_role_suspends_all_who_run_as_it_and_names_some_of_them() -> None:
    shared = [replace(one, role=BEN.role) for one in (ANA, CY)]
    more = [replace(BEN, name=f"x{number}") for number in range(3)]
    found = expand(suspend("ben"), world(BEN, *shared, *more))
    assert holders(found) == set()
    names = "profile Lab/ana, profile Lab/cy, profile Lab/x0 and others"
    assert [one.what for one in found.warnings] == [
        f"suspension of profile Lab/ben: {ACCOUNT}role/ben is also the role of {names}"
    ]
    (warning,) = expand(suspend("ben"), world(BEN, shared[0])).warnings
    assert warning.what.endswith("is also the role of profile Lab/ana")


def test_a_name_that_no_profile_has_is_named_unless_its_domain_was_not_read() -> None:
    (warning,) = expand(suspend("bem"), world(ANA)).warnings
    assert "there is no profile Lab/bem" in warning.what
    unread = world(ANA, unread={"domain Lab": "no answer"})
    assert expand(suspend("bem"), unread).warnings == ()


GRANT = Grant(iam_grantee(BEN.role), Permission.READ, "s3://data/Ben/*")
REASON = Reason(OWN.id, (profile_subject("Lab", "ben"),), additive=True)
HOLD = Hold(OWN.id, "", "it is wrong")


def plan_of(authority: Authority, reason: Reason = REASON, wanted=None) -> Plan:
    entry = LedgerEntry(GRANT, State.LIVE, frozenset({reason}), "id")
    return compute_plan(wanted or {}, {GRANT: entry}, {GRANT: "id"}, (), authority)


def authority(suspensions=(), *profiles: Profile, files=None, **more) -> Authority:
    inventory, focus = world(*profiles), more.get("focus", Focus())
    found = expand(suspensions, inventory).suspended
    first = Authority.build(NOW, focus, files or {}, (HOLD,))
    return first.know(inventory, found, {}, withholds=True)


def test_a_suspension_takes_what_is_on_hold_additive_unread_and_out_of_focus() -> None:
    (delete,) = plan_of(authority(suspend("ben"), BEN, focus=Focus(("profile Lab/ana",)))).delete
    assert (delete.agreed, delete.suspended_by) == (True, f"{FILE}#profile Lab/ben")
    assert describe_change(delete, HOME) == (
        "- READ s3://data/Ben/* to role/ben, suspended by policy/s.yaml#profile Lab/ben, until now "
        "because policy/a.yaml#own for profile Lab/ben (additive)"
    )
    assert decode_change(encode_change(delete))._replace(agreed=True) == delete
    assert plan_of(authority((), BEN)).delete == ()


def test_a_suspended_profile_that_was_not_read_loses_what_its_reasons_name() -> None:
    (delete,) = plan_of(authority(suspend("ben"))).delete
    assert delete.suspended_by == f"{FILE}#profile Lab/ben"


def test_a_role_that_its_profile_no_longer_runs_as_is_never_on_hold() -> None:
    moved = replace(BEN, role=f"{ACCOUNT}role/quarantine")
    (delete,) = plan_of(authority((), moved)).delete
    assert (delete.agreed, delete.suspended_by) == (True, "")
    assert plan_of(authority((), ANA)).delete == ()
    folder = Reason(OWN.id, ("prefix s3://data/Ben/",))
    assert plan_of(authority((), moved), folder).delete == ()


def test_a_moved_role_keeps_what_another_reason_gives() -> None:
    moved = replace(BEN, role=f"{ACCOUNT}role/quarantine")
    other = frozenset({Reason(AUDIT.id)})
    plan = plan_of(authority((), moved), wanted={GRANT: other})
    assert (plan.delete, [change.reasons for change in plan.update]) == ((), [tuple(other)])


def review(new, inventory: Inventory, recent=(), outside=()):
    suspended = expand((*new, *recent), inventory).suspended
    return review_suspensions(new, recent, outside, suspended, inventory)


MANY = [Profile("Lab", f"p{number}", f"{ACCOUNT}role/p{number}") for number in range(9)]
NAMES = [one.name for one in MANY]


@pytest.mark.parametrize(
    ("new", "recent", "people"),
    [(0, 0, 0), (5, 0, 0), (6, 0, 6), (2, 3, 0), (2, 4, 6), (0, 6, 0)],
)
def test_more_than_five_people_within_a_day_ask(new: int, recent: int, people: int) -> None:
    earlier = suspend(*NAMES[new : new + recent], file="policy/earlier.yaml")
    found = review(suspend(*NAMES[:new]), world(*MANY), earlier)
    assert (len(found.people), len(explain_review(found))) == (people, bool(people))
    assert len(found.agreed) == (0 if people else new)


def test_the_reason_names_some_of_the_people() -> None:
    names = "profile Lab/p0, profile Lab/p1, profile Lab/p2 and others"
    assert explain_review(review(suspend(*NAMES[:6]), world(*MANY))) == (
        f"it suspends 6 people within a day: {names}; more than 5",
    )


def test_everybody_who_runs_as_a_role_counts() -> None:
    shared = [replace(one, role=AUDITOR.arn) for one in MANY]
    assert len(review(suspend(AUDITOR), world(*shared)).people) == 9
    assert review(suspend(AUDITOR), world()).people == ()


def test_a_file_that_suspends_everybody_keeps_no_other_file_from_its_effect() -> None:
    weapon, one = suspend(*NAMES[:6]), suspend(NAMES[8], file="policy/z.yaml")
    found = review((*weapon, *one), world(*MANY))
    assert (len(found.people), found.agreed) == (7, one)
    assert review(weapon, world(*MANY)).agreed == ()


def test_a_suspension_of_nobody_needs_no_approval_even_beside_many() -> None:
    nobody = suspend("gone", file="policy/z.yaml")
    assert review((*suspend(*NAMES[:6]), *nobody), world(*MANY)).agreed == nobody


def test_people_outside_of_the_bounds_of_the_file_ask() -> None:
    new = suspend("p0", "p1")
    found = review(new, world(*MANY), outside=new[:1])
    assert (found.people, found.agreed) == ((), ())
    assert explain_review(found) == (
        "policy/s.yaml:3 suspends profile Lab/p0, outside of the bounds of this file",
    )


@pytest.mark.parametrize(
    ("scopes", "what"),
    [
        (["s3://data/x/*"], "1 unmanaged grant of whom it suspends still gives access: "),
        (
            ["s3://data/x/*", "s3://data/y/*"],
            "2 unmanaged grants of whom it suspends still give access: ",
        ),
    ],
)
def test_unmanaged_grants_of_whoever_is_suspended_are_named(scopes: list[str], what: str) -> None:
    found = expand(suspend("ben"), world(BEN)).suspended
    grants = [replace(GRANT, scope=scope) for scope in scopes]
    others = [replace(GRANT, grantee=iam_grantee(ANA.role))]
    (problem,) = warn_of_unmanaged(map(UnmanagedGrant, [*grants, *others]), found)
    assert what in problem.what
    assert (problem.file, problem.line) == (FILE, 3)


def test_the_horizon_names_the_command_that_shortens_it() -> None:
    assert describe_horizon(NOW, "grantor") == (
        "credentials that were vended for the deleted grants can live until "
        "2026-11-24T12:00:00Z; grantor end-sessions --stack grantor ends them"
    )


def test_a_file_of_suspensions_is_parsed() -> None:
    text = f"""version: 1
vars: {{domain: Lab}}
suspend:
  - profile: "{{domain}}/ben"
    because: lost laptop
    until: 2027-01-01
  - role: {AUDITOR.arn}
    because: "key in a repository"
  - directory_group: auditors
    because: "?"
"""
    found = parse_policy(FILE, text.encode())
    assert isinstance(found, Policy)
    assert [(one.name, one.because, one.line) for one in found.suspensions] == [
        ("profile Lab/ben", "lost laptop", 4),
        (AUDITOR.arn, "key in a repository", 7),
        ("directory_group auditors", "?", 9),
    ]
    assert found.suspensions[0].until == datetime(2027, 1, 2, tzinfo=UTC)
    assert (found.rules, found.mode) == ((), Mode.AUTHORITATIVE)


@pytest.mark.parametrize(
    "who",
    [
        ProfileName("Lab", "ana"),
        IamPrincipal(f"{ACCOUNT}role/ana"),
        DirectoryName("DIRECTORY_GROUP", "data team"),
    ],
)
def test_the_name_of_a_suspension_names_whom_it_is_for(who):
    suspension = Suspension(FILE, who, "ticket 4711")

    assert parse_suspended(suspension.name) == who
