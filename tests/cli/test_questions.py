"""grantor can, who and reach: the answer, its reasons, and what would change it."""

import csv
import io
import json

import jsonschema
import pytest

from tests.cli.conftest import CommandLine
from tests.cli.policy_texts import build_rule, build_rules
from tests.conftest import ROOT
from tests.grantor_setup import ARTICLE_POLICY, DATA, GrantorSetup

USER_A, USER_B = "Product-Domain/userA", "Product-Domain/userB"
OWN, PRODUCT = f"s3://{DATA}/UserA/abalone.csv", f"s3://{DATA}/Product/abalone.csv"

VALIDATOR = jsonschema.Draft202012Validator(
    json.loads((ROOT / "docs/json.schema.json").read_text())
)


@pytest.fixture
def granted(cli: CommandLine, setup: GrantorSetup) -> CommandLine:
    setup.put_policy("article", ARTICLE_POLICY)
    setup.reconcile()
    return cli


def test_a_yes_names_the_grant_the_rule_with_its_line_and_what_the_credentials_reach(
    granted: CommandLine,
) -> None:
    answered = granted.run("can", USER_A, "READ", OWN, keys=granted.create_person("Reader"))

    assert answered.code == 0
    assert answered.lines[0] == f"yes: profile {USER_A} (role/role-userA) may READ {OWN}"
    assert answered.lines[1] == (
        f"through: READWRITE s3://{DATA}/UserA/* to role/role-userA, without end"
    )
    assert answered.lines[2].startswith("because: policy/article.yaml#own-folder (line ")
    assert answered.lines[2].endswith(f" for profile {USER_A}")
    assert answered.lines[3] == f"credentials: for s3://{DATA}/UserA/*"


def test_a_no_says_why_and_the_rule_that_it_proposes_changes_it(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    answered = granted.run("can", USER_B, "READ", OWN)

    assert answered.code == 3
    assert answered.lines[:2] == [
        f"no: profile {USER_B} (role/role-userB) may not READ {OWN}",
        "because: no rule gives it",
    ]
    at = answered.lines.index("to grant it, add below rules: in a policy file of policy/:")
    proposed = "\n".join(["version: 1", "rules:", *answered.lines[at + 1 :]])
    setup.put_policy("more", proposed)
    assert (
        granted.run("can", USER_B, "READ", OWN)
        .lines[1]
        .startswith("because: the next run creates the grant: READ")
    )
    setup.reconcile()
    assert granted.run("can", USER_B, "READ", OWN).code == 0
    assert granted.run("can", USER_B, "WRITE", OWN, "--expect", "no").code == 0


def test_a_grant_that_no_rule_gives_any_more_is_a_yes_with_a_warning(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    setup.put_policy("article", ARTICLE_POLICY.replace("Product/", "Other/"))
    lines = granted.run("can", USER_A, "READ", PRODUCT).lines

    assert lines[0].startswith("yes: ")
    assert any(line.startswith("warning: no rule gives it now") for line in lines)


def test_who_lists_those_of_the_whole_prefix_before_those_of_a_part(granted: CommandLine) -> None:
    answered = granted.run("who", f"s3://{DATA}/*")
    assert answered.lines[0] == f"0 grantees reach all of s3://{DATA}/*; 2 more reach a part of it"

    answered = granted.run("who", "WRITE", PRODUCT, "--csv")
    head, *rows = csv.reader(io.StringIO(answered.out))
    assert head[:3] == ["permission", "scope", "to"]
    assert sorted(row[2] for row in rows) == ["role/role-userA", "role/role-userB"]


def test_reach_lists_every_grant_of_a_principal_with_its_rule(granted: CommandLine) -> None:
    answered = granted.run("reach", USER_B, "--json")

    grants = answered.json["grants"]
    assert [one["scope"] for one in grants] == [f"s3://{DATA}/Product/*", f"s3://{DATA}/UserB/*"]
    assert {reason["file"] for one in grants for reason in one["reasons"]} == {
        "policy/article.yaml"
    }


def test_a_role_of_somebody_else_is_asked_about_by_its_arn(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    role = setup.create_role("auditor")
    assert granted.run("can", role, "READ", PRODUCT).code == 3
    setup.put_policy("auditor", build_rule(role, f"s3://{DATA}/Product/*"))
    setup.reconcile()
    assert (
        granted.run("can", role, "READ", PRODUCT).lines[1].endswith("to role/auditor, without end")
    )


def test_every_answer_is_a_document_of_the_schema(granted: CommandLine) -> None:
    for words in (
        ("can", USER_A, "READ", OWN),
        ("can", USER_B, "READ", OWN),
        ("who", f"s3://{DATA}/*"),
        ("who", "READ", OWN),
        ("reach", USER_A),
    ):
        document = granted.run(*words, "--json").json
        assert document["kind"] == words[0]
        VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("can", "Product-Domain/nobody", "READ", OWN),
            "there is no profile Product-Domain/nobody",
        ),
        (("can", USER_A, "READ", "UserA/x.csv"), "is not a scope"),
        (("who", "s3:///x"), "does not name a bucket"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(
    granted: CommandLine, words: tuple[str, ...], message: str
) -> None:
    answered = granted.run(*words)
    assert answered.code in (1, 2)
    assert message in answered.err


def test_a_file_that_is_rejected_is_named_with_its_mistake_and_the_version_in_force(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    setup.put_policy("article", ARTICLE_POLICY.replace("allow", "alow"))
    answered = granted.run("can", USER_B, "READ", OWN, keys=granted.create_person("Reader"))

    assert "because: a file that is not in force as it stands may give it" in answered.lines
    (line,) = [line for line in answered.lines if line.startswith("file: policy/article.yaml: ")]
    assert "line 6: unknown key 'alow'" in line
    assert line.endswith(" is in force")


def test_grants_that_wait_for_an_approval_name_the_plan(
    granted: CommandLine, setup: GrantorSetup
) -> None:
    role = setup.create_role("auditor")
    setup.put_policy("many", build_rules(role, 30))
    setup.reconcile()
    setup.put_policy("many", build_rules(role, 5).replace("s3://data/04/*", "s3://data/new/*"))
    plan = setup.reconcile().approval.hash[:12]
    keys = granted.create_person("Reader")
    created = granted.run("can", role, "READ", f"s3://{DATA}/new/x", keys=keys)
    deleted = granted.run("can", role, "READ", f"s3://{DATA}/29/x", keys=keys)

    waits = f"plan {plan} waits for an approval, and"
    assert created.code == 3
    assert created.lines[1].startswith(f"because: {waits} creates the grant: READ")
    assert deleted.code == 0
    assert f"warning: no rule gives it now; {waits} deletes the grant" in deleted.lines


def test_wide_adds_where_each_rule_stands_and_csv_has_it_too(granted: CommandLine) -> None:
    answered = granted.run("who", f"s3://{DATA}/*", "--wide", "--csv")
    head, *rows = csv.reader(io.StringIO(answered.out))

    assert head[-5:] == ["reaches", "line", "version", "owner", "id"]
    assert {row[-5] for row in rows} == {"part"}
    assert all(row[-1] for row in rows)


@pytest.mark.parametrize(
    "words",
    [("can", USER_A, "WRITE", OWN), ("who", OWN), ("reach", USER_A), ("inventory",)],
    ids=lambda words: words[0],
)
def test_the_policy_reader_is_enough_for_every_question(
    granted: CommandLine, words: tuple[str, ...]
) -> None:
    answered = granted.run(*words, keys=granted.create_person("Reader"))
    assert (answered.code, answered.err) == (0, "")
    assert answered.out
