"""Policy files that are invalid, deleted, cut off or too large. An unreadable file never counts as
empty, and does not affect other files.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.engine.helpers import assert_run_changes_nothing, assert_settled, list_versions
from tests.grantor_setup import ARTICLE_POLICY, HOME, POLICIES, GrantorSetup, describe_changes

RULE = """\
version: 1
rules:
  - name: {name}
    to: {{role: "arn:aws:iam::000000000000:role/auditor"}}
    on: s3://{{data_bucket}}/{name}/*
    allow: READ
"""
BROKEN = RULE.replace("    allow", "    alow").format(name="one")
ONE, TWO, THREE = (f"READ s3://data/{name}/* to role/auditor" for name in ("one", "two", "three"))


@pytest.fixture
def two_files(setup: GrantorSetup) -> GrantorSetup:
    """Two owners, a file each, and both in force."""
    setup.create_role("auditor")
    for name in ("one", "two"):
        setup.put_policy(name, RULE.format(name=name))
    assert_settled(setup, {ONE, TWO})
    return setup


def test_a_broken_file_keeps_its_last_accepted_version_while_the_others_go_on(
    two_files: GrantorSetup,
) -> None:
    """external-dns #3841: one wrong object must not unmake its neighbours, or itself."""
    two_files.put_policy("one", BROKEN)
    two_files.put_policy("two", RULE.format(name="three"))
    report = two_files.reconcile()

    assert two_files.describe_grants() == {ONE, THREE}
    assert list(report.accepted) == ["policy/two.yaml"]
    assert str(report.errors[0]).startswith("policy/one.yaml:6:5: unknown key 'alow'")
    two_files.client("s3control").delete_access_grant(
        AccountId="000000000000",
        AccessGrantId=next(
            i for grant, i in two_files.list_grants().items() if describe_grant(grant, HOME) == ONE
        ),
    )
    assert describe_changes(two_files.reconcile().done) == [
        f"+ {ONE}, because policy/one.yaml#one, again: somebody deleted it"
    ]
    two_files.put_policy("one", RULE.format(name="one"))
    assert_settled(two_files, {ONE, THREE})


def test_a_file_that_was_never_valid_grants_nothing_and_the_others_go_on(
    setup: GrantorSetup,
) -> None:
    setup.put_policy("broken", BROKEN)
    setup.put_policy("article", ARTICLE_POLICY)
    report = setup.reconcile()

    assert (report.created, list(report.accepted)) == (4, ["policy/article.yaml"])
    assert {problem.file for problem in report.errors} == {"policy/broken.yaml"}


def test_a_file_that_is_deleted_takes_its_rules_with_it(two_files: GrantorSetup) -> None:
    two_files.delete_policy("one")
    report = two_files.reconcile()

    assert describe_changes(report.done) == [f"- {ONE}, no longer because policy/one.yaml#one"]
    assert (report.accepted, report.removed_files) == ({}, ("policy/one.yaml",))
    assert_settled(two_files, {TWO})


def test_a_broken_file_whose_accepted_version_is_gone_keeps_its_grants(
    two_files: GrantorSetup,
) -> None:
    """external-dns #3997: what can't be read is an error, never an empty set."""
    accepted = list_versions(two_files, "one")[0]
    two_files.put_policy("one", BROKEN)
    two_files.client("s3").delete_object(Bucket=POLICIES, Key="policy/one.yaml", VersionId=accepted)
    report = two_files.reconcile()

    assert two_files.describe_grants() == {ONE, TWO}
    assert "policy/one.yaml" in report.unread
    two_files.put_policy("one", RULE.format(name="three"))
    assert_settled(two_files, {TWO, THREE})


def test_without_any_policy_nothing_happens_and_no_alert_is_sent(setup: GrantorSetup) -> None:
    setup.reconcile()
    report = assert_run_changes_nothing(setup)

    assert (report.needs_action, report.is_finished, setup.describe_grants()) == (
        False,
        True,
        set(),
    )


@pytest.mark.parametrize(
    "accepted", [False, True], ids=["from the start", "after one that was right"]
)
def test_a_file_of_three_megabytes_is_not_read_and_is_an_error(
    setup: GrantorSetup, accepted: bool
) -> None:
    setup.create_role("auditor")
    if accepted:
        setup.put_policy("one", RULE.format(name="one"))
        setup.reconcile()
    setup.put_policy("one", RULE.format(name="two") + "#" * 3_000_000)
    report = setup.reconcile()

    assert "the file has 3,000,138 bytes" in str(report.errors[0])
    assert "split it into several files" in str(report.errors[0])
    assert setup.describe_grants() == ({ONE} if accepted else set())


def test_the_same_file_uploaded_again_changes_no_grant(two_files: GrantorSetup) -> None:
    before = two_files.list_grants()
    two_files.put_policy("one", RULE.format(name="one"))
    report = two_files.reconcile()

    assert (report.done, two_files.list_grants()) == ([], before)
    assert_run_changes_nothing(two_files)
