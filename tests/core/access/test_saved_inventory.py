"""A saved inventory is read as it was written, and what it lacks is never taken for empty."""

import json
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest

from grantor.core.access.access_index import Principal
from grantor.core.access.answers import AskedPrincipal
from grantor.core.access.explain import AccessEvidence, Cause, FileFault
from grantor.core.access.inventory_document import encode_inventory, parse_inventory
from grantor.core.access.saved_inventory import (
    InventoryUnreadable,
    SavedFile,
    SavedGrants,
    SavedInventory,
)
from grantor.core.data_buckets import ConnectedBuckets
from grantor.core.diagnostics import Fault, dump_json
from grantor.core.grant import (
    Grant,
    LedgerEntry,
    Location,
    Permission,
    Reason,
    State,
    iam_grantee,
)
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.planning.rendering import Home
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import IamPrincipal, Policy, ProfileName, Suspension
from tests.core.access.random_rules import NOW, TARGETS, make_evidence

ROLE = "arn:aws:iam::111122223333:role/"
ANA, BEN = iam_grantee(f"{ROLE}Lab-ana"), iam_grantee(f"{ROLE}ben")
POLICY = """\
version: 1
owner: data-platform
rules:
  - name: team
    to: {profiles: {domain: Lab}}
    on: s3://data/team/*
    allow: READ
"""
BOUNDS = 'version: 1\nfolders: {policy/: {scopes: ["s3://data/*"], permissions: [READ]}}\n'
READ_TEAM = Grant(ANA, Permission.READ, "s3://data/team/*")
THEIRS = Grant(BEN, Permission.WRITE, "s3://data/inbox/*", "arn:aws:sso::1:application/a")
WAITING = Grant(BEN, Permission.READ, "s3://data/team/*")
TEAM = Reason("policy/lab.yaml#team", ("profile Lab/ana",), NOW + timedelta(days=1))
ENTRIES = {
    READ_TEAM: LedgerEntry(
        READ_TEAM, State.LIVE, frozenset([TEAM]), "id-1", "2026-11-01T00:00:00Z"
    ),
    WAITING: LedgerEntry(
        WAITING, State.INTENDED, frozenset([replace(TEAM, until=None)]), "",
        tried="2026-11-29T00:00:00Z", refusal="the quota is reached",
    ),
}  # fmt: skip


def build_saved(**more: Any) -> SavedInventory:
    inventory = make_evidence(Random(3)).inventory
    values: dict[str, Any] = {
        "inventory": replace(
            inventory,
            unread={"domain Office": "AWS did not answer"},
            reviews={"policy/lab.yaml#team": NOW},
        ),
        "files": (SavedFile("policy/lab.yaml", "v7", POLICY),),
        "bounds_file": SavedFile(BOUNDS_FILE, "v1", BOUNDS),
        "buckets": ConnectedBuckets(("old",), ("older",)),
        "suspensions": (
            Suspension("policy/b.yaml", ProfileName("Lab", "cy"), "a laptop was stolen", NOW),
            Suspension("policy/b.yaml", IamPrincipal(f"{ROLE}eve"), "she has left"),
        ),
        "faults": (FileFault("policy/b.yaml", "line 1: it is no YAML", "v2"),),
        "grants": SavedGrants.collect(ENTRIES, {READ_TEAM: "id-1", THEIRS: "id-2"}),
    }
    return SavedInventory(
        "grantor", Home("aws", "111122223333"), "us-east-1", "data", **values | more
    )


def save(saved: SavedInventory) -> SavedInventory:
    """Write an inventory and read it again."""
    found = parse_inventory(dump_json(encode_inventory(saved)).encode(), "inventory.json")
    assert isinstance(found, SavedInventory)
    return found


def test_an_inventory_is_read_as_it_was_written() -> None:
    written = build_saved()
    read = save(written)
    assert read.inventory == replace(written.inventory, principals=read.inventory.principals)
    assert read.grants.actual == {READ_TEAM: "id-1", THEIRS: "id-2"}
    assert dict(read.grants.entries) == ENTRIES
    assert len(read.grants.entries) == len(ENTRIES)
    for name in ("stack", "home", "region", "data_bucket", "files", "bounds_file", "buckets"):
        assert getattr(read, name) == getattr(written, name)
    assert read.suspensions == written.suspensions
    assert read.faults == written.faults
    assert encode_inventory(read) == json.loads(dump_json(encode_inventory(written)))


def test_an_inventory_without_anything_is_one_too() -> None:
    empty = build_saved(files=(), bounds_file=None, suspensions=(), faults=(), grants=SavedGrants())
    read = save(empty)
    assert read.grants.actual == {}
    assert read.bounds.find("policy/a.yaml").scopes == ("s3://data/*", "s3://old/*")


def test_a_saved_state_answers_by_its_policies_bounds_and_grants() -> None:
    state = save(build_saved()).to_snapshot()
    assert state.as_of == NOW
    answer = state.answer_can(
        AskedPrincipal("", Principal((ANA,))), Permission.READ, "s3://data/team/x"
    )
    assert answer.is_yes
    assert state.sources[TEAM.rule].version == "v7"
    assert state.sources.get("policy/lab.yaml#other") is None
    assert state.sources.get("policy/gone.yaml#x") is None
    assert list(state.sources) == ["policy/lab.yaml#team"]
    assert len(state.sources) == 1
    assert state.evidence.policies[0].owner == "data-platform"
    assert [policy.file for policy in state.evidence.policies[1:]] == ["policy/b.yaml"] * 2
    refused = state.answer_can(
        AskedPrincipal("", Principal((ANA,))), Permission.WRITE, "s3://data/team/x"
    )
    assert Cause.FILE_REJECTED in refused.expected.causes
    assert refused.proposal
    assert refused.proposal.why.startswith("WRITE is outside of the bounds")


@pytest.mark.parametrize("target", [*TARGETS, "s3://data", "s3://data/team/x", "s3://data/*"])
def test_an_inventory_that_is_narrowed_to_a_place_answers_the_same(target: str) -> None:
    evidence = make_evidence(Random(5))
    actual = {grant: f"id-{n}" for n, grant in enumerate(evidence.wanted.grants)}
    whole = Grant(BEN, Permission.READ, "s3://data/p")
    grants = SavedGrants.collect({}, {**actual, whole: "id-w", READ_TEAM: "id-1"})
    inventory = replace(evidence.inventory, locations=(Location("1", "s3://data/p"),))
    saved = build_saved(grants=grants, inventory=inventory)
    narrow = replace(saved, grants=grants.narrow_to_place(target))
    assert narrow.to_snapshot().list_who(target) == saved.to_snapshot().list_who(target)
    mine = replace(saved, grants=grants.narrow_to_grantees([ANA]))
    asked = AskedPrincipal("", Principal((ANA,)))
    assert mine.to_snapshot().list_reach(asked) == saved.to_snapshot().list_reach(asked)


def test_what_other_policies_need_and_nobody_has_saved_is_unread() -> None:
    body = """\
version: 1
rules:
  - {name: a, to: {directory_group: Strangers}, on: "s3://data/a/*", allow: READ}
  - {name: b, to: {profiles: {domain: Lab}}, on: {each_prefix: "s3://data/new/"}, allow: READ}
suspend:
  - {directory_user: eve, because: "she has left"}
"""
    policy = parse_policy("policy/new.yaml", body.encode(), "data")
    assert isinstance(policy, Policy)
    unread = build_saved().find_inventory([policy]).unread
    assert set(unread) == {
        "domain Office",
        "folders s3://data/new/",
        "directory DIRECTORY_GROUP Strangers",
        "directory DIRECTORY_USER eve",
    }
    same = build_saved(files=(SavedFile("policy/new.yaml", "1", body),)).find_inventory([policy])
    assert "directory DIRECTORY_GROUP Strangers" not in same.unread


def test_a_saved_file_that_this_version_cannot_read_is_named() -> None:
    wrong = SavedFile("policy/lab.yaml", "v7", "version: 9\nrules: []\n")
    with pytest.raises(InventoryUnreadable, match=r"policy/lab\.yaml:1"):
        _ = build_saved(files=(wrong,)).policies
    with pytest.raises(InventoryUnreadable, match=r"bounds/bounds\.yaml:1"):
        _ = build_saved(bounds_file=replace(wrong, file=BOUNDS_FILE)).bounds


def change(**members: Any) -> bytes:
    return dump_json({**encode_inventory(build_saved()), **members}).encode()


ROW = [0, "READ", "s3://data/*", "", "id", "live", "", [], "", ""]


@pytest.mark.parametrize(
    ("content", "what", "why"),
    [
        (b"{", "inventory.json is no JSON", "Expecting property name"),
        (b"[" * 100_000, "inventory.json is no JSON", "recursion"),
        (b"[]", "inventory.json is no inventory", "it has no kind"),
        (b'{"kind": "plan"}', "inventory.json is no inventory", "its kind is 'plan'"),
        (change(schema_version=2), "inventory.json has the schema version 2", "reads 1"),
        (change(profiles=[{}]), "inventory.json is no complete inventory", "it lacks 'created'"),
        (change(time="2026-11-30"), "inventory.json is no complete inventory", "has no zone"),
        (change(grant_columns=["x"]), "inventory.json is no complete inventory", "the columns"),
        (change(grants=[ROW[:3]]), "inventory.json is no complete inventory", "zip"),
        (change(grants=[[*ROW[:2], 5, *ROW[3:]]]), "inventory.json is no complete", "column scope"),
        (change(grants=[[99, *ROW[1:]]]), "inventory.json is no complete", "name grantees that"),
        (change(grants=[[0, "ALL", *ROW[2:]]]), "inventory.json is no", "name permissions that"),
        (change(grants=[[*ROW[:5], "new", *ROW[6:]]]), "inventory.json is", "name states that"),
        (change(grants=[[*ROW[:7], [99], "", ""]]), "inventory.json is", "name reasons that"),
        (change(reasons=[[9, [], "", False]]), "inventory.json is no", "name rules that"),
        (change(reasons=[[0, [], "soon", False]]), "inventory.json is no", "isoformat"),
    ],
)
def test_a_document_that_is_no_inventory_is_a_fault(content: bytes, what: str, why: str) -> None:
    found = parse_inventory(content, "inventory.json")
    assert isinstance(found, Fault)
    assert found.what.startswith(what)
    assert why in found.why
    assert found.remedy == "save it again with grantor inventory"


def test_an_evidence_of_saved_policies_is_that_of_the_same_policies() -> None:
    saved = build_saved()
    direct = AccessEvidence(saved.policies, saved.inventory, saved.bounds)
    assert saved.to_snapshot().evidence.wanted == direct.wanted
