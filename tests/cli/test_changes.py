"""grantor changes and --as-of: what has happened to grants, and what was held then."""

import csv
import io
import json
from datetime import UTC, datetime

import jsonschema
import pytest

from grantor.core.triggers import PolicyWrite, Trigger
from grantor.reconcile.record_history import record_writes
from tests.cli.conftest import CommandLine
from tests.cli.test_rebuild import delete_ledger
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, DATA, OPERATIONS, GrantorSetup

USER_A, USER_B = "Product-Domain/userA", "Product-Domain/userB"
OWN = f"s3://{DATA}/UserB/abalone.csv"
VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs/json.schema.json").read_text())
)


@pytest.fixture
def granted(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    setup.put_policy("article", ARTICLE_POLICY)
    version = setup.reconcile().accepted["policy/article.yaml"]
    write = PolicyWrite("policy/article.yaml", version, "2026-12-01T09:00:00Z", "AROA1:steward")
    record_writes(setup.build_services().history, [Trigger("author", (), write=write)])
    return cli


def format_now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%f}"


def remove_user_b(setup: GrantorSetup) -> str:
    """Delete the profile userB and run; return the time before."""
    before = format_now()
    setup.delete_profile("userB")
    setup.reconcile()
    return before


def test_changes_of_a_place_come_newest_first_with_rule_version_and_who_wrote_it(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    remove_user_b(setup)
    reader = granted.create_person("Reader")
    revoked, made = granted.run("changes", OWN, keys=reader).lines

    assert (
        f"  - READWRITE s3://{DATA}/UserB/* to role/role-userB, revoked: no rule gives it any more, "
        in revoked
    )
    assert revoked.endswith("written by AROA1:steward)")
    assert f"  + READWRITE s3://{DATA}/UserB/* to role/role-userB, made because of " in made


def test_changes_of_a_person_are_those_of_the_roles_of_the_profile(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    remove_user_b(setup)
    assert len(granted.run("changes", USER_B).lines) == 4
    assert len(granted.run("changes", USER_A).lines) == 2
    arn = "arn:aws:iam::000000000000:role/role-userB"
    assert granted.run("changes", arn).lines == granted.run("changes", USER_B).lines
    assert len(granted.run("changes").lines) == 6
    assert granted.run("changes", "--since", format_now()).lines == [
        "nothing has changed in this time"
    ]
    unknown = granted.run("changes", "nobody")
    assert (unknown.code, "no event of this time is about a profile nobody" in unknown.err) == (
        1,
        True,
    )


def test_changes_as_json_and_as_csv(granted: CommandLine) -> None:
    document = granted.run("changes", USER_A, "--json").json
    VALIDATOR.validate(document)
    assert [change["kind"] for change in document["changes"]] == ["made", "made"]
    (reason,) = document["changes"][0]["reasons"]
    assert reason["written_by"] == "AROA1:steward"
    head, *rows = csv.reader(io.StringIO(granted.run("changes", USER_A, "--csv").out))
    assert (head[1], [row[1] for row in rows]) == ("what", ["made", "made"])


def test_as_of_a_time_before_a_revocation_the_answer_is_still_yes(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    before = remove_user_b(setup)
    reader = granted.create_person("Reader")
    then = granted.run("can", USER_B, "READ", OWN, "--as-of", before, keys=reader)
    assert (then.code, then.lines[0].partition(":")[0]) == (0, "yes"), then
    arn = "arn:aws:iam::000000000000:role/role-userB"
    now = granted.run("can", arn, "READ", OWN, "--as-of", format_now(), keys=reader)
    assert (now.code, now.lines[0].partition(":")[0]) == (3, "no")
    assert "no rule gives it any more" in now.out
    assert len(granted.run("who", OWN, "--as-of", before, keys=reader).lines) == 4
    assert len(granted.run("reach", USER_B, "--as-of", before, keys=reader).lines) == 5


def test_a_lost_ledger_loses_no_history(granted: CommandLine, setup: GrantorSetup) -> None:
    before = remove_user_b(setup)
    entries = setup.read_ledger()
    delete_ledger(setup)
    assert granted.run("rebuild").code == 0

    assert setup.read_ledger() == entries
    setup.reconcile()
    then = granted.run("can", USER_B, "READ", OWN, "--as-of", before)
    assert (then.code, then.lines[0].partition(":")[0]) == (0, "yes"), then
    assert len(granted.run("changes", USER_B).lines) == 4


def test_a_time_before_the_history_and_one_to_come_are_errors(granted: CommandLine) -> None:
    early = granted.run("who", OWN, "--as-of", "2020-01-01")
    assert (early.code, "the history begins at 20" in early.err) == (1, True)
    late = granted.run("who", OWN, "--as-of", "2100-01-01")
    assert (late.code, "2100-01-01T00:00:00Z is to come" in late.err) == (1, True)
    wrong = granted.run("changes", "--since", "yesterday")
    assert (wrong.code, "yesterday is no time" in wrong.err) == (2, True)


def test_an_object_that_cannot_be_read_is_named(granted: CommandLine, setup: GrantorSetup) -> None:
    s3 = setup.client("s3")
    listed = s3.list_objects_v2(Bucket=OPERATIONS, Prefix="history/grants/")["Contents"]
    s3.put_object(Bucket=OPERATIONS, Key=listed[0]["Key"], Body=b"{}\n")
    answer = granted.run("changes")
    assert answer.code == 1
    assert f"s3://{OPERATIONS}/{listed[0]['Key']}, line 1: it is no event" in answer.err
