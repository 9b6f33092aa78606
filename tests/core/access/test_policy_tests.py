"""Tests of policy files: each question is answered by the rules over what the file gives."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from grantor.core.access.policy_test_text import encode_test_run, find_test_problems
from grantor.core.access.policy_tests import BEGINNING, build_inventory, run_own_tests, run_tests
from grantor.core.expectations import Expectation, Given, GivenProfile, PolicyTests, Question
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.rules import Policy
from grantor.core.snapshot import Inventory, Profile

RULES = """\
  - {name: own, to: {each_profile: {domain: D, except: [guest]}}, on: "s3://data/{profile.folder}/*", allow: READWRITE}
  - {name: brief, to: {profiles: {domain: D}}, on: s3://data/all/*, allow: READ, until: 2027-03-31}
"""
GIVEN = "{profiles: {D/ana: {}, D/ben: {}, D/guest: {}}}"
APPLICATION = "arn:aws:sso::111122223333:application/ssoins-1/apl-1"


def build_policy(
    test: str, rules: str = RULES, given: str = GIVEN, file: str = "policy/a.yaml"
) -> Policy:
    """A policy file with one test or several, as items of a list."""
    text = f"version: 1\nrules:\n{rules}given: {given}\ntests:\n{test}"
    found = parse_policy(file, text.encode(), "data")
    assert isinstance(found, Policy), found
    return found


def list_outcomes(policy: Policy) -> list[bool]:
    return [one.passed for one in run_own_tests(policy)]


@pytest.mark.parametrize(
    "test",
    [
        "can: ana READWRITE s3://data/Ana/a.csv",
        "can: D/ana READ s3://data/Ana/*",
        "cannot: ana READ s3://data/Ben/a.csv",
        "cannot: guest READ s3://data/Guest/a.csv",
        "cannot: ana WRITE s3://data/all/a.csv",
        "cannot: ana READ s3://data",
        "{can: ana READ s3://data/Ana/a.csv, because: own}",
        "{cannot: guest READ s3://data/Guest/a.csv, because: own}",
        "{cannot: ana READ s3://data/all/a.csv, at: 2027-04-01, because: brief}",
        "{can: ana READ s3://data/all/a.csv, at: 2027-03-31}",
        "{can: ana READ s3://data/all/a.csv, at: 2027-03-31T23:59Z}",
        "{who: READ s3://data/Ana/a.csv, exactly: [ana]}",
        "{who: READ s3://data/all/*, exactly: [D/ana, D/ben, D/guest]}",
        "{who: s3://data, exactly: [ana, ben, guest]}",
        "{who: WRITE s3://data/all/*, exactly: []}",
        '{reach: guest, exactly: ["READ s3://data/all/*"]}',
        '{reach: ana, exactly: ["READWRITE s3://data/Ana/*"], at: 2030-01-01}',
        "{reach: arn:aws:iam::111122223333:role/other, exactly: []}",
    ],
)
def test_a_test_that_is_so_passes_and_one_that_says_the_opposite_fails(test: str):
    assert list_outcomes(build_policy(f"  - {test}\n")) == [True]
    if "because" not in test and "can" in test:
        other = test.replace("cannot", "CAN").replace("can:", "cannot:").replace("CAN", "can")
        assert list_outcomes(build_policy(f"  - {other}\n")) == [False]


def test_a_list_of_questions_is_a_test_each():
    policy = build_policy("  - cannot: [ana READ s3://data/Ben/a, ana READ s3://data/Ana/a]\n")

    assert list_outcomes(policy) == [True, False]


def test_a_list_is_wrong_if_one_is_missing_and_if_one_is_there_besides():
    few, many = (
        build_policy(f"  - {{who: s3://data/Ana/*, exactly: [{names}]}}\n")
        for names in ("", "ana, ben")
    )

    assert [one.extra[0].answer for one in run_own_tests(few)] == ["D/ana"]
    assert [one.missing for one in run_own_tests(many)] == [("D/ben",)]


def test_somebody_who_reaches_only_a_part_is_among_those_who_reach_a_place():
    rules = "  - {name: part, to: {profiles: {domain: D, names: ben}}, on: s3://data/x/y/*, allow: READ}\n"
    policy = build_policy("  - {who: s3://data/x/*, exactly: [ben]}\n", rules)

    assert list_outcomes(policy) == [True]


def test_a_role_is_everybody_who_has_it():
    role = "arn:aws:iam::111122223333:role/shared"
    given = f'{{profiles: {{D/ana: {{role: "{role}"}}, D/ben: {{role: "{role}"}}}}}}'
    rules = "  - {name: all, to: {profiles: {domain: D}}, on: s3://data/a/*, allow: READ}\n"
    tests = (
        "  - {who: s3://data/a/*, exactly: [ana]}\n"
        "  - {who: s3://data/a/*, exactly: [ana, ben]}\n"
        f"  - {{who: s3://data/a/*, exactly: ['{role}']}}\n"
    )

    assert list_outcomes(build_policy(tests, rules, given)) == [False, True, True]


def test_a_user_of_the_directory_has_what_the_groups_have():
    rules = (
        "  - {name: group, to: {directory_group: G}, on: s3://data/g/*, allow: READ}\n"
        f"  - {{name: app, to: {{directory_user: ana}}, on: s3://data/u/*, allow: READ, application: '{APPLICATION}'}}\n"
    )
    given = "{users: {ana: {groups: [G]}, ben: {groups: []}}, groups: [H]}"
    tests = (
        "  - can: directory_user:ana READ s3://data/g/a.csv\n"
        "  - cannot: [directory_user:ben READ s3://data/g/a.csv, directory_group:H READ s3://data/g/a.csv]\n"
        "  - cannot: directory_user:ana READ s3://data/u/a.csv\n"
        f"  - {{can: directory_user:ana READ s3://data/u/a.csv, application: '{APPLICATION}'}}\n"
        "  - {who: s3://data/g/*, exactly: [directory_group:G]}\n"
        "  - {reach: directory_user:ana, exactly: [READ s3://data/g/*, READ s3://data/u/*]}\n"
    )

    assert list_outcomes(build_policy(tests, rules, given)) == [True] * 7


def test_folders_exist_with_those_above_them():
    rules = (
        '  - {name: teams, to: {directory_group: "t-{prefix.name}"}, on: {each_prefix: s3://data/teams/}, allow: READ}\n'
        "  - {name: most, to: {directory_group: G}, on: {scope: s3://data/*, except: [s3://data/teams/*]}, allow: READ}\n"
    )
    given = "{groups: [G, t-blue], folders: [s3://data/teams/blue/, s3://data/open/a/]}"
    tests = (
        "  - {reach: directory_group:t-blue, exactly: [READ s3://data/teams/blue/*]}\n"
        "  - {reach: directory_group:G, exactly: [READ s3://data/open/*]}\n"
    )

    assert list_outcomes(build_policy(tests, rules, given)) == [True, True]


def test_a_profile_begins_when_the_file_says_and_before_every_end_if_it_does_not():
    rules = (
        "  - {name: new, to: {profiles: {domain: D}}, on: s3://data/a/*, allow: READ, for: 30d}\n"
    )
    given = "{profiles: {D/ana: {created: 2027-01-01}, D/ben: {}}}"
    tests = (
        "  - can: [ana READ s3://data/a/x, ben READ s3://data/a/x]\n"
        "  - {can: ana READ s3://data/a/x, at: 2027-01-30}\n"
        "  - {cannot: ana READ s3://data/a/x, at: 2027-01-31, because: new}\n"
    )

    assert list_outcomes(build_policy(tests, rules, given)) == [True] * 4


def test_nothing_passes_because_nobody_knows():
    rules = (
        "  - {name: new, to: {profiles: {domain: D}}, on: s3://data/a/*, allow: READ, for: 30d}\n"
    )
    given = "{profiles: {D/ana: {created: 2027-01-01}, D/ben: {}}}"
    tests = (
        "  - {cannot: ben READ s3://data/a/x, at: 2027-01-31}\n"
        "  - {who: s3://data/a/*, exactly: [], at: 2027-01-31}\n"
        "  - {reach: ben, exactly: [], at: 2027-01-31}\n"
        "  - {cannot: ana READ s3://data/a/x, at: 2027-01-31}\n"
        "  - {cannot: ben READ s3://data/b/x, at: 2027-01-31}\n"
        "  - {can: ana READ s3://data/a/x, at: 2027-01-15}\n"
    )
    policy = build_policy(tests, rules, given)

    assert list_outcomes(policy) == [False, False, False, True, True, True]
    sentence = (
        "the test cannot be asked: policy/a.yaml#new cannot be judged: the rule's time runs from the "
        "creation of profile D/ben, which is not known; write it below given"
    )
    assert {problem.sentence for problem in find_test_problems(policy)} == {sentence}


def test_what_is_refused_is_known_to_give_nothing():
    role = "arn:aws:iam::111122223333:role/shared"
    given = f'{{profiles: {{D/ana: {{role: "{role}"}}, D/ben: {{role: "{role}"}}}}}}'
    rules = (
        "  - {name: one, to: {profiles: {domain: D, names: ana}}, on: s3://data/a/*, allow: READ}\n"
    )

    assert list_outcomes(build_policy("  - cannot: ana READ s3://data/a/x\n", rules, given)) == [
        True
    ]


def test_without_given_only_principals_with_an_arn_can_be_asked_about():
    role = "arn:aws:iam::111122223333:role/a"
    text = (
        f"version: 1\nrules: [{{name: a, to: {{role: '{role}'}}, on: s3://data/a/*, allow: READ}}]\n"
        f"tests:\n  - can: {role} READ s3://data/a/x\n  - cannot: ana READ s3://data/a/x\n"
    )
    policy = parse_policy("policy/a.yaml", text.encode())
    assert isinstance(policy, Policy)

    assert list_outcomes(policy) == [True, False]
    assert [problem.what for problem in find_test_problems(policy)] == [
        "the test cannot be asked: there is no profile ana"
    ]


def test_no_other_file_and_no_day_changes_what_becomes_of_a_file():
    """A file's own tests see nothing but the file: run_own_tests takes nothing else."""
    policy = build_policy("  - cannot: ana READ s3://data/Ben/a\n")

    assert build_inventory(policy.tests.given, None).now == BEGINNING
    assert list(run_own_tests(policy)) == list(run_own_tests(policy))
    assert find_test_problems(policy) == ()


def parse_tests(text: str) -> PolicyTests:
    found = parse_test_file("tests/all.test.yaml", f"version: 1\n{text}".encode(), "data")
    assert isinstance(found, PolicyTests), found
    return found


NOTHING = "  - {cannot: ana READ s3://data/nothing}\n"


def test_a_test_file_asks_about_all_files_and_names_their_rules():
    first, second = (
        build_policy(NOTHING, file="policy/a.yaml"),
        build_policy(
            NOTHING,
            "  - {name: own, to: {profiles: {domain: D, names: guest}}, on: s3://data/x/*, allow: READ}\n"
            "  - {name: team, to: {profiles: {domain: D}}, on: s3://data/y/*, allow: READ}\n",
            file="policy/b.yaml",
        ),
    )
    tests = parse_tests(
        f"given: {GIVEN}\n"
        "tests:\n"
        "  - {can: ana READ s3://data/y/a, because: team}\n"
        "  - {can: guest READ s3://data/x/a, because: b.yaml#own}\n"
        "  - {can: guest READ s3://data/x/a, because: a.yaml#own}\n"
        "  - {can: guest READ s3://data/x/a, because: own}\n"
        "  - {can: guest READ s3://data/x/a, because: teem}\n"
    )
    *good, lacking, several, unknown = run_tests(tests, (first, second))

    assert [one.passed for one in good] == [True, True]
    assert lacking.lacking == ("policy/a.yaml#own",)
    assert several.fault.sentence == (
        "several rules are called own: they are policy/a.yaml#own and policy/b.yaml#own; write policy/a.yaml#own"
    )
    assert unknown.fault.remedy == "did you mean team?"


def test_a_test_file_without_given_asks_about_an_inventory_and_its_time():
    policy = build_policy(NOTHING)
    known = Inventory(
        datetime(2027, 6, 1, tzinfo=UTC),
        build_inventory(Given(), None).locations,
        (Profile("D", "cy", "arn:aws:iam::111122223333:role/cy"),),
        frozenset({"D"}),
        directory={("DIRECTORY_GROUP", "G"): "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a"},
    )
    tests = parse_tests(
        "tests:\n"
        "  - cannot: cy READ s3://data/all/a\n"
        "  - {can: cy READ s3://data/all/a, at: 2027-01-01}\n"
        "  - {can: cy READ s3://data/Cy/a}\n"
        "  - {who: s3://data, exactly: [cy]}\n"
        "  - {reach: directory_group:G, exactly: []}\n"
        "  - cannot: D/dan READ s3://data/all/a\n"
    )
    results = list(run_tests(tests, (policy,), known))

    # Roles are named by profiles only as far as the inventory says who has them.
    assert [one.passed for one in results] == [True, True, True, False, True, False]
    assert results[3].extra[0].answer == "arn:aws:iam::111122223333:role/cy"
    assert "check the name" in results[5].fault.remedy


def test_what_an_inventory_lacks_is_no_answer():
    rules = RULES + (
        "  - {name: teams, to: {profiles: {domain: D}}, on: {each_prefix: s3://data/teams/}, allow: READ}\n"
    )
    known = replace(
        build_inventory(Given((GivenProfile("D", "ana"),)), None),
        unread={"folders s3://data/teams/": "it is not in the saved inventory"},
    )
    tests = parse_tests(
        "tests:\n"
        "  - can: ana READ s3://data/all/a\n"
        "  - cannot: ana READ s3://data/teams/blue/a\n"
        "  - {who: s3://data/teams/*, exactly: []}\n"
    )
    results = list(run_tests(tests, (build_policy(NOTHING, rules),), known))

    assert [one.passed for one in results] == [True, False, False]
    assert [one.fault.what for one in results[1:]] == [
        "policy/a.yaml#teams cannot be judged",
        "policy/a.yaml#teams cannot be judged",
    ]


def test_the_document_of_a_run_is_json_and_says_what_failed():
    policy = build_policy(
        "  - {can: ana READ s3://data/Ana/a, because: own, at: 2027-01-01}\n"
        "  - {who: s3://data/Ana/*, exactly: []}\n"
    )
    document = json.loads(json.dumps(encode_test_run(list(run_own_tests(policy)), (), None, {}, 0)))

    assert [one["outcome"] for one in document["tests"]] == ["passed", "failed"]
    assert document["tests"][0]["at"] == "2027-01-01T00:00:00Z"
    assert document["tests"][1]["found"] == [{"answer": "D/ana", "rules": ["policy/a.yaml#own"]}]
    assert document["tests"][1]["problem"]["why"] == "that is with D/ana by policy/a.yaml#own"


def test_values_alone_decide():
    """The engine takes values; nothing of a file's text is needed."""
    given = Given((GivenProfile("D", "ana"),))
    tests = PolicyTests(
        "t", (Expectation("t", Question.REACH, "ana", exactly=("READ s3://data/all/*",)),), given
    )
    policy = build_policy(NOTHING)
    checked = next(run_tests(tests, (policy,)))

    assert [one.answer for one in checked.extra] == ["READWRITE s3://data/Ana/*"]


def test_too_many_questions_names_or_times_belong_into_a_test_file():
    def explain(given: str, tests: str) -> str:
        text = f"version: 1\nrules:\n{RULES}given: {given}\ntests: [{tests}]\n"
        found = parse_policy("policy/a.yaml", text.encode())
        assert isinstance(found, tuple)
        assert found[0].remedy == "move some of them to a test file, NAME.test.yaml"
        return found[0].what

    names = ", ".join(f"D/p{number}: {{}}" for number in range(501))
    questions = ", ".join(f"'ana READ s3://data/{number}'" for number in range(1001))
    times = ", ".join(f"{{can: p0 READ s3://data/x, at: 2027-01-{day:02}}}" for day in range(1, 22))
    many = names.replace(", D/p500: {}", "")

    assert explain(f"{{profiles: {{{names}}}}}", "{cannot: p0 READ s3://data/x}") == (
        "the tests have 501 names in given"
    )
    assert explain(GIVEN, f"{{cannot: [{questions}]}}") == "the tests have 1,001 questions"
    assert explain(f"{{profiles: {{{many}}}}}", times) == (
        "the tests have 21,000 steps: rules by names by times"
    )
    again = (
        "{cannot: [p0 READ s3://data/x, p1 READ s3://data/x, p2 READ s3://data/x], because: own}"
    )
    assert explain(f"{{profiles: {{{many}}}}}", again) == (
        "the tests have 25,000 steps: rules by names by times"
    )


def test_of_many_tests_that_fail_the_first_are_named():
    def count(given: str, rules: str = RULES) -> int:
        questions = "".join(f"  - can: ana READ s3://data/{n}\n" for n in range(100))
        problems = find_test_problems(build_policy(questions, rules, given))
        assert problems[-1].sentence == (
            f"more tests may fail: a report names the first {len(problems) - 1} that do; correct these first"
        )
        return len(problems) - 1

    names = ", ".join(f"D/p{number}: {{}}" for number in range(499))

    assert count(GIVEN) == 20
    assert count(f"{{profiles: {{D/ana: {{}}, {names}}}}}") == 2
