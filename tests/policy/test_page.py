"""docs/policy.md says what the language is: its tables are made from it, its examples are read, its messages are what is said."""

import re

import pytest

from docs.policy_page import PAGE, SCHEMA, fresh, written
from grantor.core.policy.language import AS, INSTANCES, JOB, ON, POLICY, RULE, TO
from grantor.core.policy.parser import read
from grantor.core.policy.value_types import EACH_PROFILE, Mapping
from grantor.core.rules import Policy

BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STALE = "run PYTHONPATH=layers/grantor python -m docs.policy_page --write"


def examples() -> list[str]:
    """The yaml blocks that are right; a block of rules or jobs alone stands for a file with these."""
    blocks = BLOCK.findall(PAGE.read_text())
    return [f"version: 1\n{_part(block)}:\n{block}" if block.startswith("- name") else block for block in blocks]


def _part(block: str) -> str:
    return "jobs" if "\n  run: " in block else "rules"


def test_the_tables_and_messages_of_the_page_are_those_of_the_language():
    assert fresh(PAGE.read_text()) == PAGE.read_text(), STALE


def test_the_published_schema_is_that_of_the_language():
    assert written() == SCHEMA.read_text(), STALE


@pytest.mark.parametrize("text", examples())
def test_the_examples_are_right(text: str):
    found = read("policy/team.yaml", text.encode())

    assert isinstance(found, Policy), "\n".join(map(str, found))


@pytest.mark.parametrize("mapping", [POLICY, RULE, TO, EACH_PROFILE, ON, JOB, AS, INSTANCES], ids=lambda mapping: mapping.name)
def test_every_key_of_the_language_is_shown_in_an_example(mapping: Mapping):
    shown = "".join(examples())

    assert [name for name in mapping.open if not re.search(rf"[\s{{]{name}:", shown)] == []


def test_wrong_files_on_the_page_are_wrong():
    assert "nothing: the file is good" not in PAGE.read_text()
