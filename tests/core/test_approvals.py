"""Who may approve a plan, and who has: decisions, authors, nonces."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.planning.approvals import (
    Authors,
    Decision,
    PendingPlan,
    PlanApproval,
    digest_versions,
    find_authors,
    judge_decisions,
)
from grantor.core.planning.rendering import describe_approval_given, describe_approval_needed
from grantor.core.triggers import PolicyWrite

NOW = datetime(2026, 11, 24, 10, tzinfo=UTC)
AT = "2026-11-24T10:00:00Z"
ASKED = PlanApproval("a" * 64, ("it deletes 25 grants",), nonce="n1")
ANA = Decision("AROA1:ana", "n1", True, "we agreed on it", "arn:ana", "d1")
BEN = Decision("AROA1:ben", "n1", False, "not before Monday", "arn:ben", "d2")
EVA = Decision("AROA1:eva", "n1", True, "it is Monday", "arn:eva", "d3", frozenset({"d2"}))
WRITE = PolicyWrite("policy/a.yaml", "v2", "2026-11-24T09:00:00Z", "AROA2:ana")
PLAN = PendingPlan("a" * 64, "n1", AT, AT, (), {}, digest_versions({"policy/a.yaml": "v2"}))


def judge(*decisions: Decision, authors: Authors | None = None) -> PlanApproval:
    return judge_decisions(ASKED, decisions, authors or Authors(), AT)


def test_one_approval_is_enough() -> None:
    approval = judge(ANA)

    assert (approval.is_pending, approval.approved_by, approval.because, approval.approved_at) == (
        False,
        "AROA1:ana",
        "we agreed on it",
        AT,
    )


def test_without_causes_no_approval_is_asked_for() -> None:
    assert not PlanApproval("a" * 64).is_pending


@pytest.mark.parametrize("nonce", ["n2", ""])
def test_an_approval_with_another_nonce_does_not_count(nonce: str) -> None:
    assert judge(replace(ANA, nonce=nonce)).is_pending


def test_nothing_counts_before_a_run_has_recorded_the_plan() -> None:
    asked = replace(ASKED, nonce="")

    assert judge_decisions(asked, [replace(ANA, nonce="")], Authors(), AT).is_pending


def test_a_rejection_outranks_an_approval_that_does_not_name_it() -> None:
    approval = judge(ANA, BEN)

    assert (approval.is_pending, approval.is_rejected, approval.rejections) == (True, True, (BEN,))


def test_an_approval_may_stand_despite_a_rejection() -> None:
    approval = judge(ANA, BEN, EVA)

    assert (approval.is_pending, approval.rejections) == (False, ())


def test_a_rejection_after_that_counts_again() -> None:
    assert judge(EVA, replace(BEN, id="d4")).is_rejected


@pytest.mark.parametrize(
    ("principal", "arn"),
    [
        ("AROA1:ana", ""),
        ("AROA9:ana@example.org", "arn:aws:sts::1:assumed-role/Writers/ana@example.org"),
        ("AROA9:ANA@EXAMPLE.ORG", ""),
        ("AIDA9", "arn:aws:iam::1:user/people/ana@example.org"),
        ("AROA9:ana", "arn:aws:sts::1:assumed-role/AWSReservedSSO_Writers_0a1b/ana"),
    ],
    ids=["same id", "same address", "other case", "user", "identity center"],
)
def test_an_author_does_not_approve_what_they_wrote(principal: str, arn: str) -> None:
    user = ANA.user if principal.endswith(":ana") else "AROA1:ana@example.org"
    write = replace(WRITE, principal=principal, arn=arn)
    approval = judge(replace(ANA, user=user), authors=Authors((write,)))

    assert (approval.is_pending, [write for _, write in approval.refused]) == (True, [write])


@pytest.mark.parametrize(
    ("principal", "arn"),
    [
        ("AROA9:ana", "arn:aws:sts::1:assumed-role/Writers/ana"),
        ("AROA9:ben@example.org", ""),
        ("AIDA9", "arn:aws:iam::1:user/ana"),
        ("AIDA9", ""),
        ("000000000000", "arn:aws:iam::000000000000:root"),
    ],
    ids=["a name anybody can choose", "another address", "another user", "no name", "root"],
)
def test_another_author_is_no_obstacle(principal: str, arn: str) -> None:
    write = replace(WRITE, principal=principal, arn=arn)

    assert not judge(ANA, authors=Authors((write,))).is_pending


def test_an_author_may_reject_what_they_wrote() -> None:
    write = replace(WRITE, principal=BEN.user)

    assert judge(BEN, authors=Authors((write,))).is_rejected


def test_whoever_has_written_since_the_accepted_version_is_an_author() -> None:
    accepted = {"policy/a.yaml": "2026-11-24T08:00:00Z"}
    before, between, other = (
        replace(WRITE, version="v0", at="2026-11-24T07:00:00Z", principal="AROA2:before"),
        replace(WRITE, version="v1", at="2026-11-24T08:30:00Z", principal="AROA2:between"),
        replace(WRITE, file="policy/b.yaml"),
    )
    found = find_authors({"policy/a.yaml": "v2"}, accepted, [before, between, WRITE, other])

    assert found == Authors((between, WRITE), ())


def test_a_version_of_which_no_event_tells_has_no_known_author() -> None:
    between = replace(WRITE, version="v1")
    found = find_authors({"policy/a.yaml": "v2", "policy/b.yaml": ""}, {}, [between])

    assert found == Authors((between,), ("policy/a.yaml", "policy/b.yaml"))


def test_the_author_of_a_deletion_is_known_by_its_time() -> None:
    deleted = replace(WRITE, version="")

    assert find_authors({"policy/a.yaml": ""}, {}, [deleted]) == Authors((deleted,), ())


@pytest.mark.parametrize(
    ("recorded", "later", "same"),
    [
        ({"policy/a.yaml": "v2"}, timedelta(hours=23), True),
        ({}, timedelta(0), True),
        ({"policy/a.yaml": "v3"}, timedelta(0), False),
        ({"policy/a.yaml": "v2"}, timedelta(days=1, seconds=1), False),
    ],
    ids=["as recorded", "accepted meanwhile", "another version", "not computed for a day"],
)
def test_the_nonce_stays_while_the_same_plan_is_pending(
    recorded: dict[str, str], later: timedelta, same: bool
) -> None:
    new = replace(PLAN, nonce="n2", brought=digest_versions(recorded))
    kept = new.go_on_with(PLAN, NOW + later)

    assert kept.nonce == ("n1" if same else "n2")
    assert kept.brought == (PLAN.brought if same else new.brought)
    assert new.go_on_with(None, NOW) == new


def test_the_document_of_an_approval_holds_its_values() -> None:
    refused = replace(ANA, nonce="", id="", despite=frozenset(), approves=True)
    write = PolicyWrite("policy/a.yaml", "v2", "", ANA.user)
    for approval in (
        judge(EVA, BEN),
        judge(BEN),
        judge(ANA, authors=Authors((write,), ("policy/b.yaml",))),
    ):
        read = PlanApproval.from_json(approval.to_json())
        assert read.to_json() == approval.to_json()
    assert read.refused == ((refused, write),)


def test_an_approval_of_version_0_2_0_can_be_read() -> None:
    value = {"causes": [], "hash": None, "approved_by": "arn:ana", "approved_at": AT}

    assert PlanApproval.from_json(value).approved_by == "arn:ana"


def test_the_sentences_say_who_what_and_why() -> None:
    write = replace(WRITE, principal=ANA.user)
    refused = [*describe_approval_needed(judge(ANA, authors=Authors((write,))), "grantor")]
    rejected = [*describe_approval_needed(judge(BEN), "grantor")]

    assert describe_approval_given(judge(ANA)) == (
        "plan aaaaaaaaaaaa was approved by AROA1:ana (arn:ana, as the client says), because: "
        "we agreed on it"
    )
    assert refused[2] == (
        "the approval by AROA1:ana (arn:ana, as the client says) does not count: AROA1:ana wrote "
        "policy/a.yaml version v2, which this plan brings into force; another person must approve it"
    )
    assert rejected[0] == (
        "plan aaaaaaaaaaaa was rejected by AROA1:ben (arn:ben, as the client says), because: "
        "not before Monday"
    )
    assert "--despite-rejection" in rejected[2]


def test_an_alert_is_about_one_decision() -> None:
    write = replace(WRITE, principal=ANA.user)
    seen = [ASKED, judge(ANA), judge(BEN), judge(ANA, authors=Authors((write,)))]

    assert len({tuple(one.key) for one in (*seen, replace(ASKED, nonce="n2"))}) == 5
    assert judge(BEN).key == replace(judge(BEN), causes=("it deletes 26 grants",)).key


def test_every_change_of_a_pending_plan_counts() -> None:
    counts = {"to_create": 3, "to_delete": 2, "to_update": 1, "unmanaged": 9}

    assert replace(PLAN, counts=counts).count_changes() == 6


@given(st.permutations([ANA, BEN, EVA, replace(ANA, user="AROA1:zoe", nonce="n2")]))
def test_the_order_of_what_people_say_does_not_matter(said: Sequence[Decision]) -> None:
    assert judge(*said) == judge(ANA, BEN, EVA)
