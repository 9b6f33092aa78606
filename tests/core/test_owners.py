"""Whom to ask about rules: what a plan, an error, an alert and a document say."""

from datetime import UTC, datetime

import pytest

from grantor.core.diagnostics import Problem
from grantor.core.grant import Grant, Permission, Reason, iam_grantee
from grantor.core.planning.owners import RuleOwner, list_owners
from grantor.core.planning.plan import Action, Change
from grantor.core.planning.rendering import decode_problem, encode_problem
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from grantor.reconcile.report import Report

NOW = datetime(2026, 11, 24, tzinfo=UTC)
FILE = """\
version: 1
owner: data@example.com
description: the team's
rules:
  - {name: a, to: {profiles: {domain: Lab}}, on: s3://data/a/*, allow: READ}
  - {name: b, to: {profiles: {domain: Lab}}, on: s3://data/b/*, allow: READ, owner: ana}
  - {name: c, to: {profiles: {domain: Lab}}, on: s3://data/c/*, allow: READ, description: audit}
"""


def policy(text: str, file: str = "policy/a.yaml") -> Policy:
    found = parse_policy(file, text.encode())
    assert isinstance(found, Policy), found
    return found


def change(*rules: str) -> Change:
    grant = Grant(iam_grantee("arn:aws:iam::111122223333:role/x"), Permission.READ, "s3://data/x/*")
    return Change(Action.CREATE, grant, tuple(map(Reason, rules)))


def test_a_rule_has_what_its_file_says_unless_it_says_so_itself():
    assert [(rule.owner, rule.description) for rule in policy(FILE).rules] == [
        ("data@example.com", "the team's"),
        ("ana", "the team's"),
        ("data@example.com", "audit"),
    ]


@pytest.mark.parametrize(
    ("rules", "owners"),
    [
        (["policy/a.yaml#a"], ["data@example.com, of policy/a.yaml#a: the team's"]),
        (
            ["policy/a.yaml#a", "policy/a.yaml#gone"],
            ["data@example.com, of policy/a.yaml#a and 1 more: the team's"],
        ),
        (
            ["policy/a.yaml#b", "policy/a.yaml#c"],
            [
                "ana, of policy/a.yaml#b: the team's",
                "data@example.com, of policy/a.yaml#c: audit",
            ],
        ),
        (["policy/b.yaml#a"], []),
        ([], []),
    ],
)
def test_owners_are_those_of_the_rules_because_of_which_grants_change(rules, owners):
    other = "version: 1\nrules: [{name: a, to: {profiles: {domain: L}}, on: s3://d-1, allow: READ}]"
    found = list_owners([change(*rules)], [policy(FILE), policy(other, "policy/b.yaml")])

    assert list(map(str, found)) == owners
    assert [RuleOwner.from_json(one.to_json()) for one in found] == list(found)


def test_an_owner_is_shown_in_one_line_with_every_character():
    assert str(RuleOwner("ana\u202e", "a\x1b[31m", ("policy/a.yaml#a",))) == (
        "ana\\u202e, of policy/a.yaml#a: a\\x1b[31m"
    )


@pytest.mark.parametrize("owner", ["", "data@example.com"])
def test_an_error_names_whom_to_ask_if_the_file_says_so(owner: str):
    problem = Problem("policy/a.yaml", 3, 5, "rule a: it is wrong", "why", "correct it", owner)

    assert str(problem).endswith("; correct it" + (f" (owner: {owner})" if owner else ""))
    assert encode_problem(problem, "error").get("owner", "") == owner
    assert decode_problem(encode_problem(problem, "error")) == problem


def test_a_document_without_owners_is_as_it_was():
    document = Report(started_at=NOW).to_document("stack")

    assert "owners" not in document
    assert Report.from_document(document).owners == ()
