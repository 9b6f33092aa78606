"""Sentences never hide whose identity a grantee is."""

from dataclasses import replace

import pytest

from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.approvals import Authors, PlanApproval
from grantor.core.planning.plan import (
    Action,
    Change,
    DeferredChange,
    FailedChange,
    GrantOnHold,
    Plan,
    UnmanagedGrant,
)
from grantor.core.planning.rendering import (
    Home,
    describe_approval_given,
    describe_approval_needed,
    describe_change,
    describe_deferred,
    describe_failed,
    describe_grantee,
    describe_on_hold,
    describe_plan,
    describe_unmanaged,
    describe_unread,
    truncate_lines,
)

HOME = Home("aws", "111122223333")
OWN = "arn:aws:iam::111122223333:role/ana"
TEAM = (Reason("policy/a.yaml#team"),)


def read_grant(identifier: str, kind: str = "IAM", application: str = "") -> Grant:
    return Grant(Grantee(kind, identifier), Permission.READ, "s3://data/x/*", application)


@pytest.mark.parametrize(
    ("kind", "identifier", "shown"),
    [
        ("IAM", OWN, "role/ana"),
        ("IAM", "arn:aws:iam::111122223333:user/teams/ana", "user/teams/ana"),
        ("IAM", "arn:aws:iam::999999999999:role/ana", "arn:aws:iam::999999999999:role/ana"),
        ("IAM", "arn:aws-cn:iam::111122223333:role/ana", "arn:aws-cn:iam::111122223333:role/ana"),
        ("DIRECTORY_USER", "9067642a-1", "directory_user 9067642a-1"),
        ("DIRECTORY_GROUP", "9067642a-2", "directory_group 9067642a-2"),
    ],
    ids=["own role", "own user", "another account", "another partition", "user", "group"],
)
def test_only_identities_of_the_own_account_and_partition_are_shortened(
    kind: str, identifier: str, shown: str
) -> None:
    assert describe_grantee(Grantee(kind, identifier), HOME) == shown


def test_text_of_a_grantee_alone_has_its_account() -> None:
    assert str(Grantee("IAM", OWN)) == OWN
    assert OWN in str(read_grant(OWN))


@pytest.mark.parametrize("action", Action)
def test_every_sentence_shows_another_account(action: Action) -> None:
    own, theirs = (
        Change(action, read_grant(f"arn:aws:iam::{account}:role/ana"), TEAM)
        for account in ("111122223333", "999999999999")
    )
    sentences = [
        (
            describe_change(change, HOME),
            describe_failed(FailedChange(change, "AccessDenied", "no"), HOME),
            describe_deferred(DeferredChange(change, "not yet", change.grant), HOME),
            describe_on_hold(GrantOnHold(change.grant, "unread"), HOME),
            describe_unmanaged(UnmanagedGrant(change.grant), HOME),
            describe_unmanaged(UnmanagedGrant(change.grant, TEAM), HOME),
        )
        for change in (own, theirs)
    ]

    assert all("999999999999" in sentence for sentence in sentences[1])
    assert not any("111122223333" in sentence for sentence in sentences[0])


def test_changes_without_reasons_say_so() -> None:
    sentences = [
        describe_change(Change(action, read_grant(OWN), ()), HOME)
        for action in Action
        if action not in (Action.CREATE, Action.UPDATE)
    ]

    assert [sentence.partition("because ")[2] for sentence in sentences] == [
        "of any rule",
        "of no rule",
        "of no rule",
    ]


def test_an_application_is_shown() -> None:
    change = Change(
        Action.CREATE,
        read_grant("9067642a-1", "DIRECTORY_USER", "arn:aws:sso::1:application/a"),
        TEAM,
    )

    assert describe_plan(Plan(create=(change,)), HOME) == [
        (
            "+ READ s3://data/x/* to directory_user 9067642a-1 "
            "through arn:aws:sso::1:application/a, because policy/a.yaml#team"
        )
    ]


def test_what_is_deferred_says_what_it_waits_for() -> None:
    change = Change(Action.DELETE, read_grant(OWN), TEAM)

    assert describe_deferred(DeferredChange(change, "throttled"), HOME).endswith(
        "policy/a.yaml#team: throttled"
    )
    assert describe_deferred(
        DeferredChange(change, "its replacement is created first", read_grant(OWN)), HOME
    ).endswith(
        ": its replacement is created first; READ s3://data/x/* to role/ana does not exist yet"
    )


def test_an_approval_is_asked_for_by_the_full_hash() -> None:
    plan_hash = "0123456789abcdef" * 4
    approval = PlanApproval(plan_hash, ("it deletes much", "no rule is left"))

    assert list(describe_approval_needed(approval, "grantor")) == [
        "plan 0123456789ab requires an approval: it deletes much; no rule is left",
        f"to approve exactly this plan: grantor approve {plan_hash} --because TEXT --stack grantor",
    ]
    given = replace(approval, approved_by="AROA1:ana", because="we agreed on it")
    assert describe_approval_given(given) == (
        "plan 0123456789ab was approved by AROA1:ana, because: we agreed on it"
    )


def test_what_could_not_be_read_says_why() -> None:
    assert (
        describe_unread("domain Lab", "AccessDenied: no")
        == "domain Lab could not be read: AccessDenied: no"
    )


def test_a_short_text_is_not_cut() -> None:
    assert truncate_lines("+ grant 1\n+ grant 2", 100) == "+ grant 1\n+ grant 2"


def test_a_file_whose_author_is_unknown_is_named_when_an_approval_is_asked_for() -> None:
    authors = Authors(unknown=("policy/a.yaml",))
    approval = PlanApproval("0123456789abcdef" * 4, ("it deletes much",), authors=authors)

    assert (
        "author unknown: no event of CloudTrail has said who wrote policy/a.yaml; "
        "IAM alone keeps its author from approving it"
    ) in list(describe_approval_needed(approval, "grantor"))
