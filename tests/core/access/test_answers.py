"""Answers to can, who and reach: as values, as sentences and as documents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from grantor.core.access.access_index import Principal
from grantor.core.access.answer_text import (
    build_table,
    describe_can,
    describe_causes,
    describe_fault,
    describe_moment,
    describe_rule,
    encode_can,
    encode_rows,
)
from grantor.core.access.answers import (
    AccessSnapshot,
    AskedPrincipal,
    CanAnswer,
    RuleSource,
    find_principal,
    find_sources,
    foresee_grants,
)
from grantor.core.access.explain import AccessEvidence, Cause, FileFault, explain_access
from grantor.core.access.proposed_rule import propose_access
from grantor.core.diagnostics import Fault
from grantor.core.grant import (
    Grant,
    Grantee,
    LedgerEntry,
    Location,
    Permission,
    State,
    iam_grantee,
)
from grantor.core.planning.bounds import Bounds, FileBounds
from grantor.core.planning.rendering import Home
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Mode, Policy
from grantor.core.snapshot import Authority, Focus, Inventory, Profile, Snapshot

NOW = datetime(2026, 11, 30, tzinfo=UTC)
HOME = Home("aws", "111122223333")
ROLE = "arn:aws:iam::111122223333:role/"
GROUP = "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"
POLICY = """\
version: 1
owner: data-platform
rules:
  - name: team
    to: {profiles: {domain: Lab}}
    on: s3://data/team/*
    allow: READ
  - name: own-folder
    to: {each_profile: {domain: Lab}}
    on: s3://data/{profile.folder}/*
    allow: READWRITE
    until: 2026-12-31
suspend:
  - {profile: Lab/cy, because: "a laptop was stolen"}
"""
OWN_FOLDER = "(line 8 of version v7, owner data-platform)"
PROFILES = (
    Profile("Lab", "ana", f"{ROLE}ana", NOW),
    Profile("Lab", "ben", f"{ROLE}ben", NOW),
    Profile("Lab", "cy", f"{ROLE}cy", NOW),
    Profile("Office", "ben", f"{ROLE}ben-2", NOW),
)
INVENTORY = Inventory(
    NOW,
    (Location("1", "s3://data/"),),
    PROFILES,
    frozenset({"Lab", "Office"}),
    directory={("DIRECTORY_GROUP", "auditors"): GROUP},
    sharing={profile.role: frozenset([profile.subject]) for profile in PROFILES},
)
UNMANAGED = Grant(iam_grantee(f"{ROLE}ana"), Permission.WRITE, "s3://data/inbox/*")
FORMER = Grant(iam_grantee(f"{ROLE}ana"), Permission.READ, "s3://data/former/*")


def build_state(refused: bool = False) -> AccessSnapshot:
    """A state in which ana has her grants and ben's own folder is missing."""
    policy = parse_policy("policy/lab.yaml", POLICY.encode(), "data")
    assert isinstance(policy, Policy)
    evidence = AccessEvidence((policy,), INVENTORY)
    entries = {
        grant: LedgerEntry(grant, State.LIVE, reasons, f"id-{n}", "2026-11-01T00:00:00Z")
        for n, (grant, reasons) in enumerate(evidence.wanted.grants.items())
    }
    missing = next(grant for grant in entries if grant.scope == "s3://data/Ben/*")
    gone = entries.pop(missing)
    actual = {grant: entry.id for grant, entry in entries.items()}
    reasons = entries[next(iter(entries))].reasons
    entries[FORMER] = LedgerEntry(FORMER, State.LIVE, reasons, "id-f")
    if refused:
        refusal = {"tried": "2026-11-29T00:00:00Z", "refusal": "the quota is reached"}
        entries[missing] = replace(gone, state=State.INTENDED, id="", **refusal)
    snapshot = Snapshot(
        INVENTORY,
        evidence.wanted,
        entries,
        {**actual, UNMANAGED: "id-u", FORMER: "id-f"},
        frozenset(),
        Authority.build(NOW, Focus(), {}),
    )
    return AccessSnapshot(snapshot, evidence, find_sources(policy.rules, {"policy/lab.yaml": "v7"}))


STATE = build_state()


def ask(who: str, permission: str, target: str, state: AccessSnapshot = STATE) -> list[str]:
    found = find_principal(who, INVENTORY)
    assert isinstance(found, AskedPrincipal)
    answer = state.answer_can(found, Permission(permission), target)
    assert encode_can(answer, state.sources)["answer"] == ("yes" if answer.is_yes else "no")
    return list(describe_can(answer, state.sources, HOME))


def test_a_yes_says_through_which_grant_by_which_rule_until_when_and_with_what_scope() -> None:
    assert ask("ana", "READ", "s3://data/Ana/x.csv") == [
        "yes: profile Lab/ana (role/ana) may READ s3://data/Ana/x.csv",
        "through: READWRITE s3://data/Ana/* to role/ana, until 2027-01-01 00:00Z",
        f"because: policy/lab.yaml#own-folder {OWN_FOLDER} for profile Lab/ana",
        "credentials: for s3://data/Ana/*",
    ]


def test_an_unmanaged_grant_and_one_that_no_rule_gives_any_more_say_so() -> None:
    unmanaged = ask("ana", "WRITE", "s3://data/inbox/x")
    assert unmanaged[2].startswith("because: the grant is unmanaged")
    former = ask("ana", "READ", "s3://data/former/x")
    assert former[-2].startswith("warning: no rule gives it now")


@pytest.mark.parametrize(
    ("who", "target", "because"),
    [
        ("Lab/ben", "s3://data/Ben/x", "because: the next run creates the grant: READWRITE"),
        ("Lab/cy", "s3://data/team/x", "because: a suspension takes everything"),
        ("Office/ben", "s3://data/team/x", "because: no rule gives it"),
        (f"{ROLE}stranger", "s3://data/team/x", "because: no rule gives it"),
        ("directory_group:auditors", "s3://data/team/x", "because: no rule gives it"),
        ("directory_user:eve", "s3://data/team/x", "because: no rule gives it"),
    ],
)
def test_a_no_says_why_not(who: str, target: str, because: str) -> None:
    lines = ask(who, "READ", target)
    assert lines[0].startswith("no: ")
    assert lines[1].startswith(because)


def test_a_no_proposes_a_rule_unless_a_suspension_would_take_it_away() -> None:
    assert ask("Office/ben", "READ", "s3://data/team/x")[2:] == [
        "ask: data-platform",
        "to grant it, add below rules: in a policy file of policy/:",
        "  - name: proposed",
        '    to: {profiles: {domain: "Office", names: ["ben"]}}',
        '    on: {object: "s3://data/team/x"}',
        "    allow: READ",
    ]
    assert not any("to grant it" in line for line in ask("cy", "READ", "s3://data/team/x"))


def test_a_grant_that_s3_refuses_is_a_no_with_what_s3_says() -> None:
    lines = ask("Lab/ben", "READ", "s3://data/Ben/x", build_state(refused=True))
    assert lines[1].startswith("because: S3 has refused the grant since 2026-11-29T00:00:00Z: the")


def test_a_grant_that_a_run_is_making_is_a_no_for_now() -> None:
    state = build_state(refused=True)
    entries = {grant: replace(entry, refusal="") for grant, entry in state.snapshot.entries.items()}
    state = replace(state, snapshot=replace(state.snapshot, entries=entries))
    lines = ask("Lab/ben", "READ", "s3://data/Ben/x", state)
    assert lines[1].startswith("because: a run is creating the grant: ")


def test_a_rule_on_hold_is_named_with_what_could_not_be_read() -> None:
    unread = replace(INVENTORY, unread={"domain Lab": "AWS did not answer"}, profiles=())
    evidence = replace(STATE.evidence, inventory=unread)
    state = replace(STATE, evidence=evidence, snapshot=replace(STATE.snapshot, actual={}))
    lines = ask("ana", "READ", "s3://data/team/x", state)
    assert any(line.startswith("on hold: policy/lab.yaml#team: ") for line in lines)


@pytest.mark.parametrize(
    ("text", "what"),
    [("nobody", "there is no profile nobody"), ("ben", "several profiles are called ben")],
)
def test_a_name_that_is_nobodys_or_several_peoples_is_refused(text: str, what: str) -> None:
    found = find_principal(text, INVENTORY)
    assert isinstance(found, Fault)
    assert found.what == what


def test_who_lists_those_who_reach_everything_then_those_who_reach_a_part() -> None:
    rows = STATE.list_who("s3://data/team/*")
    assert [(row.grant.scope, row.is_whole) for row in rows] == [("s3://data/team/*", True)] * 2
    writers = STATE.list_who("s3://data/*", Permission.WRITE)
    assert {row.grant.scope for row in writers} == {"s3://data/Ana/*", "s3://data/inbox/*"}
    assert not any(row.is_whole for row in writers)


def test_reach_is_a_table_with_profiles_rules_and_ends() -> None:
    ana = find_principal("ana", INVENTORY)
    assert isinstance(ana, AskedPrincipal)
    rows = STATE.list_reach(ana)
    table = list(build_table(rows, STATE.subjects, HOME))
    assert table[1] == (
        "READWRITE", "s3://data/Ana/*", "role/ana", "Lab/ana", "policy/lab.yaml#own-folder",
        "2026-11-01T00:00:00Z", "2027-01-01T00:00:00Z",
    )  # fmt: skip
    assert table[3][4] == "unmanaged"
    grants = encode_rows("reach", {}, rows, STATE.sources)["grants"]
    assert [one["managed"] for one in grants] == [True, True, False, True]
    assert grants[0]["reasons"][0]["owner"] == "data-platform"


def test_a_session_of_the_directory_is_proposed_a_rule_for_the_person_it_acts_for() -> None:
    group = Grantee("DIRECTORY_GROUP", GROUP)
    who = AskedPrincipal("x", Principal((iam_grantee(f"{ROLE}web"), group)))
    answer = STATE.answer_can(who, Permission.READ, "s3://data/x")
    assert answer.proposal
    assert f'to: {{directory_group: "{GROUP}"}}' in answer.proposal.text


def test_the_next_day_an_ended_rule_is_the_cause() -> None:
    late = replace(INVENTORY, now=NOW + timedelta(days=60))
    state = replace(
        STATE,
        evidence=replace(STATE.evidence, inventory=late),
        snapshot=replace(STATE.snapshot, actual={}),
    )
    assert ask("ana", "READ", "s3://data/Ana/x", state)[1] == (
        f"because: policy/lab.yaml#own-folder {OWN_FOLDER} has ended"
    )


RULES = """\
version: 1
owner: lab-leads
rules:
  - name: ended
    to: {profiles: {domain: Lab}}
    on: s3://data/ended/*
    allow: READ
    until: 2026-11-01
  - name: excepting
    to: {profiles: {domain: Lab, except: [ana]}}
    on: s3://data/excepting/*
    allow: READ
  - name: teams
    to: {profiles: {domain: Lab}}
    on: {each_prefix: s3://data/teams/}
    allow: READ
  - name: shared
    to: {profiles: {domain: Lab, names: [ana]}}
    on: s3://data/shared/*
    allow: READ
"""
BOUNDS = Bounds({"policy/": FileBounds("policy/", ("s3://data/*",), ("111122223333",), ("READ",))})


def explain(target: str, permission: Permission = Permission.READ, **more: Any) -> CanAnswer:
    """Explain why ana gets nothing, by RULES within BOUNDS, in an inventory with a difference."""
    policy = parse_policy("policy/rules.yaml", RULES.encode(), "data")
    assert isinstance(policy, Policy)
    faults = more.pop("faults", ())
    inventory = replace(INVENTORY, **more)
    evidence = AccessEvidence((policy,), inventory, BOUNDS, faults)
    wanted, authority = evidence.wanted, Authority.build(NOW, Focus(), {})
    snapshot = Snapshot(inventory, wanted, {}, {}, frozenset(), authority)
    state = AccessSnapshot(snapshot, evidence, find_sources(policy.rules, {}))
    ana = find_principal("Lab/ana", INVENTORY)
    assert isinstance(ana, AskedPrincipal)
    return state.answer_can(ana, permission, target)


SHARED = {f"{ROLE}ana": frozenset(["profile Lab/ana", "profile Lab/dora"])}
REJECTED = FileFault("policy/new.yaml", "line 3: unknown key 'alow'", "v1")


@pytest.mark.parametrize(
    ("target", "more", "causes", "line"),
    [
        ("s3://data/nowhere/x", {}, [Cause.NO_RULE], "because: no rule gives it"),
        ("s3://data/ended/x", {}, [Cause.ENDED], "because: policy/rules.yaml#ended (line 4"),
        ("s3://data/excepting/x", {}, [Cause.EXCEPTED], "because: policy/rules.yaml#excepting"),
        ("s3://data/shared/x", {"sharing": SHARED}, [Cause.SHARED_ROLE], "because: policy/rules"),
        (
            "s3://data/teams/blue/x",
            {"unread": {"folders s3://data/teams/": "AWS did not answer"}},
            [Cause.ON_HOLD],
            "because: what would give it is on hold",
        ),
        (
            "s3://data/nowhere/x",
            {"faults": (REJECTED,)},
            [Cause.NO_RULE, Cause.FILE_REJECTED],
            "because: no rule gives it",
        ),
    ],
)
def test_every_cause_of_a_no_is_found(
    target: str, more: dict[str, Any], causes: list[Cause], line: str
) -> None:
    answer = explain(target, **more)
    lines = list(describe_can(answer, {}, HOME))
    assert list(answer.expected.causes) == causes
    assert lines[0].startswith("no: profile Lab/ana")
    assert lines[1].startswith(line.partition(" (")[0])
    assert encode_can(answer, {})["expected"]["causes"] == [str(cause) for cause in causes]


def test_a_suspension_and_bounds_are_causes_too() -> None:
    assert explain("s3://data/shared/x", Permission.READ).expected.grant
    outside = explain("s3://data/nowhere/x", Permission.WRITE)
    assert outside.proposal
    assert outside.proposal.folder == ""
    lines = list(describe_can(outside, {}, HOME))
    assert lines[2] == "ask: your data steward"
    assert lines[3].startswith("in the way: WRITE is outside of the bounds: ")
    suspended = ask("Lab/cy", "READ", "s3://data/team/x")
    assert suspended[1].startswith("because: a suspension takes everything")


def test_a_file_that_is_not_in_force_is_named_with_its_mistake() -> None:
    answer = explain("s3://data/nowhere/x", faults=(REJECTED,))
    lines = list(describe_can(answer, {}, HOME))
    assert lines[2:4] == [
        "because: a file that is not in force as it stands may give it",
        "file: policy/new.yaml: line 3: unknown key 'alow'; its version v1 is in force",
    ]
    fault = encode_can(answer, {})["expected"]["faults"][0]
    assert fault == {"file": REJECTED.file, "why": REJECTED.why, "version": "v1"}
    assert describe_fault(replace(REJECTED, version="")).endswith("; nothing of it is")


def test_whoever_owns_the_closest_rules_is_asked() -> None:
    answer = explain("s3://data/excepting/x")
    assert answer.proposal
    assert answer.proposal.owners == ("lab-leads",)
    assert encode_can(answer, {}, NOW)["owners"] == ["lab-leads"]


def test_a_profile_with_a_shared_role_is_proposed_a_rule_that_accepts_that() -> None:
    answer = explain("s3://data/nowhere/x", sharing=SHARED)
    assert answer.proposal
    assert answer.proposal.folder == "policy/"
    assert answer.proposal.text.endswith("    shared_role: accepted")


def test_a_place_that_no_location_covers_is_in_the_way() -> None:
    bounds = Bounds.build_default("111122223333", "elsewhere")
    evidence = replace(STATE.evidence, bounds=bounds)
    proposed = propose_access(
        evidence, Principal((iam_grantee(f"{ROLE}ana"),)), Permission.READ, "s3://elsewhere/x"
    )
    assert proposed.folder == ""
    assert "location" in proposed.why


def test_a_place_that_no_rule_can_name_is_in_the_way() -> None:
    answer = explain("s3://data/{profile.name}/x")
    assert answer.proposal
    assert answer.proposal.folder == ""
    assert answer.proposal.why


def test_a_grant_that_no_rule_gives_stays_as_long_as_its_rule_is_on_hold() -> None:
    unread = replace(INVENTORY, unread={"domain Lab": "AWS did not answer"}, profiles=())
    state = replace(STATE, evidence=replace(STATE.evidence, inventory=unread))
    lines = ask("ana", "READ", "s3://data/team/x", state)
    assert lines[0].startswith("yes: ")
    assert lines[-2].startswith("warning: its rule is on hold, so the grant stays as it is")


def test_a_grant_that_only_an_additive_file_keeps_says_so() -> None:
    kept = {
        reason: replace(reason, additive=True) for reason in STATE.snapshot.entries[FORMER].reasons
    }
    entry = replace(STATE.snapshot.entries[FORMER], reasons=frozenset(kept.values()))
    snapshot = replace(STATE.snapshot, entries={**STATE.snapshot.entries, FORMER: entry})
    lines = ask("ana", "READ", "s3://data/former/x", replace(STATE, snapshot=snapshot))
    assert lines[-2] == "warning: no rule gives it any more; its additive file keeps it"


def test_of_the_past_no_rules_are_known() -> None:
    past = replace(STATE, knows_rules=False, as_of=NOW)
    assert ask("Office/ben", "READ", "s3://data/team/x", past)[1:] == [
        "because: no grant of then gives it"
    ]
    assert len(ask("ana", "READ", "s3://data/former/x", past)) == 4
    assert describe_moment(NOW) == "as of: 2026-11-30T00:00:00Z"


def test_a_wide_table_says_where_each_rule_stands() -> None:
    rows = STATE.list_who("s3://data/*")
    head, *cells = build_table(rows, STATE.subjects, HOME, STATE.sources)
    assert head[-5:] == ("reaches", "line", "version", "owner", "id")
    own = next(row for row in cells if row[1] == "s3://data/Ana/*")
    assert own[-5:-1] == ("part", "8", "v7", "data-platform")
    unmanaged = next(row for row in cells if row[1] == UNMANAGED.scope)
    assert unmanaged[-5:] == ("part", "", "", "", "id-u")


def test_after_a_run_the_grants_are_those_of_its_plan() -> None:
    wanted = STATE.evidence.wanted
    ended = replace(INVENTORY, now=NOW + timedelta(days=60))
    authority = Authority.build(ended.now, Focus(), {"policy/lab.yaml": Mode.AUTHORITATIVE})
    later = AccessEvidence(STATE.evidence.policies, ended)
    snapshot = replace(STATE.snapshot, inventory=ended, wanted=later.wanted, authority=authority)
    after = foresee_grants(snapshot)
    assert set(after.actual) == {*later.wanted.grants, UNMANAGED}
    assert set(after.entries) == set(later.wanted.grants)
    now = foresee_grants(replace(STATE.snapshot, wanted=wanted, authority=authority))
    assert {grant for grant, found in now.actual.items() if not found} == {
        grant for grant in wanted.grants if grant.scope == "s3://data/Ben/*"
    }


def test_a_rule_of_an_unknown_line_is_named_by_what_is_known() -> None:
    assert describe_rule("a#b", {"a#b": RuleSource("a#b", 0, "v1")}) == "a#b (version v1)"
    assert describe_rule("a#b", {"a#b": RuleSource("a#b", 0)}) == "a#b"


def test_a_file_with_too_many_grants_gives_nothing_wherever_somebody_asks() -> None:
    narrow = FileBounds("policy/", ("s3://data/*",), ("111122223333",), grants=3)
    evidence = replace(STATE.evidence, bounds=Bounds({"policy/": narrow}))
    assert len(STATE.evidence.wanted.grants) > narrow.grants
    asked = Principal((iam_grantee(f"{ROLE}ana"),)), Permission.READ, "s3://data/team/x"
    assert evidence.crowded == {"policy/lab.yaml"}
    assert explain_access(evidence, *asked).causes == (Cause.OUT_OF_BOUNDS,)
    roomy = replace(evidence, bounds=Bounds({"policy/": replace(narrow, grants=9)}))
    assert explain_access(roomy, *asked).grant


def test_a_rule_for_an_application_gives_nothing_without_it() -> None:
    application = (
        "arn:aws:sso::111122223333:application/ssoins-1234567890abcdef/apl-1234567890abcdef"
    )
    body = f"""\
version: 1
rules:
  - name: reports
    to: {{directory_group: auditors}}
    on: s3://data/reports/*
    allow: READ
    application: {application}
"""
    policy = parse_policy("policy/reports.yaml", body.encode(), "data")
    assert isinstance(policy, Policy), policy
    evidence = AccessEvidence((policy,), INVENTORY)
    group = Grantee("DIRECTORY_GROUP", GROUP)
    asked = Permission.READ, "s3://data/reports/x"
    found = explain_access(evidence, Principal((group,)), *asked)
    assert found.causes == (Cause.APPLICATION,)
    assert list(describe_causes(found, {})) == [
        "policy/reports.yaml#reports gives it to sessions of another application"
    ]
    assert explain_access(evidence, Principal((group,), application), *asked).grant
