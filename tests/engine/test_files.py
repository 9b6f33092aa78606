"""Policy files: wrong, gone, cut off, too large. Unreadable is never empty, and one file's trouble
is nobody else's.
"""

import pytest

from grantor.core.planning.rendering import describe_grant
from tests.engine.watch import at_rest, quiet, versions
from tests.estate import ARTICLE, HOME, POLICIES, Estate, sentences

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
def two_files(estate: Estate) -> Estate:
    """Two owners, a file each, and both in force."""
    estate.role("auditor")
    for name in ("one", "two"):
        estate.policy(name, RULE.format(name=name))
    at_rest(estate, {ONE, TWO})
    return estate


def test_a_broken_file_keeps_its_last_accepted_version_while_the_others_go_on(
    two_files: Estate,
) -> None:
    """external-dns #3841: one wrong object must not unmake its neighbours, or itself."""
    two_files.policy("one", BROKEN)
    two_files.policy("two", RULE.format(name="three"))
    report = two_files.run()

    assert two_files.grants() == {ONE, THREE}
    assert list(report.accepted) == ["policy/two.yaml"]
    assert str(report.errors[0]).startswith("policy/one.yaml:6:5: unknown key 'alow'")
    two_files.client("s3control").delete_access_grant(
        AccountId="000000000000",
        AccessGrantId=next(
            i for grant, i in two_files.actual().items() if describe_grant(grant, HOME) == ONE
        ),
    )
    assert sentences(two_files.run().done) == [f"+ {ONE}, because policy/one.yaml#one"]
    two_files.policy("one", RULE.format(name="one"))
    at_rest(two_files, {ONE, THREE})


def test_a_file_that_was_broken_from_the_start_gives_nothing_and_the_others_go_on(
    estate: Estate,
) -> None:
    estate.policy("broken", BROKEN)
    estate.policy("article", ARTICLE)
    report = estate.run()

    assert (report.created, list(report.accepted)) == (4, ["policy/article.yaml"])
    assert {problem.file for problem in report.errors} == {"policy/broken.yaml"}


def test_a_file_that_is_deleted_takes_its_rules_with_it(two_files: Estate) -> None:
    two_files.no_policy("one")
    report = two_files.run()

    assert sentences(report.done) == [f"- {ONE}, no longer because policy/one.yaml#one"]
    assert (report.accepted, report.removed_files) == ({}, ("policy/one.yaml",))
    at_rest(two_files, {TWO})


def test_a_broken_file_whose_accepted_version_has_vanished_holds_what_it_gave(
    two_files: Estate,
) -> None:
    """external-dns #3997: what can't be read is an error, never an empty set."""
    accepted = versions(two_files, "one")[0]
    two_files.policy("one", BROKEN)
    two_files.client("s3").delete_object(Bucket=POLICIES, Key="policy/one.yaml", VersionId=accepted)
    report = two_files.run()

    assert two_files.grants() == {ONE, TWO}
    assert "policy/one.yaml" in report.unread
    two_files.policy("one", RULE.format(name="three"))
    at_rest(two_files, {TWO, THREE})


def test_without_any_policy_nothing_happens_and_nobody_is_called(estate: Estate) -> None:
    estate.run()
    report = quiet(estate)

    assert (report.needs_action, report.is_finished, estate.grants()) == (False, True, set())


@pytest.mark.parametrize(
    "accepted", [False, True], ids=["from the start", "after one that was right"]
)
def test_a_file_of_three_megabytes_is_not_read_and_is_an_error(
    estate: Estate, accepted: bool
) -> None:
    estate.role("auditor")
    if accepted:
        estate.policy("one", RULE.format(name="one"))
        estate.run()
    estate.policy("one", RULE.format(name="two") + "#" * 3_000_000)
    report = estate.run()

    assert "the file has 3,000,138 bytes" in str(report.errors[0])
    assert "split it into several files" in str(report.errors[0])
    assert estate.grants() == ({ONE} if accepted else set())


def test_the_same_file_put_again_changes_no_grant(two_files: Estate) -> None:
    before = two_files.actual()
    two_files.policy("one", RULE.format(name="one"))
    report = two_files.run()

    assert (report.done, two_files.actual()) == ([], before)
    quiet(two_files)
