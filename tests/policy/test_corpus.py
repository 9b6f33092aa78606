"""What is said of which mistake: the corpus, case by case, compared in full."""

import re
from collections import Counter
from itertools import pairwise

import pytest
import yaml

from grantor.core.policy.parser import read
from grantor.core.policy.yaml_tree import Reader
from tests.policy.cases import Case, cases, said

CASES = [pytest.param(case, id=f"{file.stem}: {case.title}") for file, case in cases()]
UNSEEN = ("a directive that is unknown",)  # by the pure parser, which passes over it
# What a remedy says to write, where it is one thing and complete.
WRITTEN = re.compile(
    r"write (?:for example )?(?P<text>.+?)(?: for the folder)?(?:,? or .*|, without .*| if .*|, else .*|, and .*)?"
)


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_file_is_told_all_its_mistakes_in_order(case: Case):
    assert said(case) == case.said


def test_the_corpus_is_large_and_no_mistake_stands_in_it_twice():
    texts = Counter(case.text for _, case in cases())
    titles = Counter((file, case.frame, case.title) for file, case in cases())

    assert len(texts) >= 500
    assert [text for text, count in texts.items() if count > 1] == []
    assert [title for title, count in titles.items() if count > 1] == []


@pytest.mark.parametrize("case", CASES)
def test_each_place_lies_in_the_file_and_each_sentence_says_something(case: Case):
    lines = case.text.split("\n")
    for problem in read("f", case.text.encode()):
        assert 1 <= problem.line <= len(lines)
        assert 1 <= problem.column <= len(lines[problem.line - 1]) + 1
        assert problem.what
        assert problem.why
        assert problem.remedy


@pytest.mark.parametrize("case", CASES)
def test_what_a_remedy_says_to_write_can_be_written(case: Case):
    for problem in read("f", case.text.encode()):
        if (found := WRITTEN.fullmatch(problem.remedy)) and ":" in found["text"]:
            reader = Reader("remedy")
            reader.tree(found["text"])

            assert reader.problems == []


def test_the_mistakes_of_a_file_come_in_its_order():
    for _, case in cases():
        found = read("f", case.text.encode())

        assert all((one.line, one.column) <= (other.line, other.column) for one, other in pairwise(found))


@pytest.mark.skipif(not yaml.__with_libyaml__, reason="there is only one parser here")
@pytest.mark.parametrize("case", [case for case in CASES if case.values[0].title not in UNSEEN])
def test_the_pure_parser_sees_the_same_tree_and_the_same_mistakes(case: Case):
    fast, pure = Reader("f"), Reader("f")

    assert pure.tree(case.text, yaml.SafeLoader) == fast.tree(case.text, yaml.CSafeLoader)
    assert pure.report() == fast.report()
