"""Answers to can, who and reach: as values, as sentences and as documents."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from grantor.core.access.access_index import Principal
from grantor.core.access.answer_text import (
    build_table,
    describe_can,
    encode_can,
    encode_rows,
)
from grantor.core.access.answers import (
    AccessSnapshot,
    AskedPrincipal,
    find_principal,
    find_sources,
)
from grantor.core.access.explain import AccessEvidence
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
from grantor.core.planning.rendering import Home
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
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
        "to grant it, add below rules: in a policy file:",
        "  - name: proposed",
        f'    to: {{role: "{ROLE}ben-2"}}',
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
    assert f'to: {{directory_group: "{GROUP}"}}' in answer.proposal


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
