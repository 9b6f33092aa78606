"""The messages about each wrong file of the corpus, compared in full."""

import re
from collections import Counter
from itertools import pairwise

import pytest
import yaml

from grantor.core.policy.yaml_tree import PolicyReader
from tests.policy.corpus import Case, find_messages, find_problems, read_corpus

CASES = [pytest.param(case, id=f"{file.stem}: {case.title}") for file, case in read_corpus()]
UNSEEN = ("a directive that is unknown",)  # by the pure parser, which passes over it
# What a remedy says to write, where it is one thing and complete.
WRITTEN = re.compile(
    r"write (?:for example )?(?P<text>.+?)(?: for the folder)?(?:,? or .*|, without .*| if .*|, else .*|, and .*)?"
)


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_gets_all_expected_messages_in_order(case: Case):
    assert find_messages(case) == case.expected


def test_the_corpus_is_large_and_has_no_duplicates():
    texts = Counter(case.text for _, case in read_corpus())
    titles = Counter((file, case.frame, case.title) for file, case in read_corpus())

    assert len(texts) >= 500
    assert [text for text, count in texts.items() if count > 1] == []
    assert [title for title, count in titles.items() if count > 1] == []


@pytest.mark.parametrize("case", CASES)
def test_each_place_is_in_the_file_and_no_part_of_a_message_is_empty(case: Case):
    lines = case.text.split("\n")
    for problem in find_problems(case):
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.what
        assert problem.why
        assert problem.remedy


@pytest.mark.parametrize("case", CASES)
def test_the_text_that_a_remedy_suggests_is_valid_yaml(case: Case):
    for problem in find_problems(case):
        if (found := WRITTEN.fullmatch(problem.remedy)) and ":" in found["text"]:
            reader = PolicyReader("remedy")
            reader.parse_tree(found["text"])

            assert reader.problems == []


def test_problems_are_in_the_order_of_the_file():
    for _, case in read_corpus():
        found = find_problems(case)

        assert all(
            (one.line, one.column) <= (other.line, other.column) for one, other in pairwise(found)
        )


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="there is only one parser here")
@pytest.mark.parametrize("case", [case for case in CASES if case.values[0].title not in UNSEEN])
def test_the_pure_parser_sees_the_same_tree_and_the_same_mistakes(case: Case):
    fast, pure = PolicyReader("f"), PolicyReader("f")

    assert pure.parse_tree(case.text, yaml.SafeLoader) == fast.parse_tree(
        case.text, yaml.CSafeLoader
    )
    assert pure.sorted_problems() == fast.sorted_problems()
