"""docs/policy.md agrees with the language: its tables, its examples and its messages."""

import json
import re

import jsonschema
import pytest
import yaml

from docs.policy_page import (
    BOUNDS_SCHEMA,
    PAGE,
    SCHEMA,
    TESTS_SCHEMA,
    refresh_page,
    render_bounds_schema,
    render_schema,
    render_tests_schema,
)
from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.expectations import PolicyTests
from grantor.core.planning.bounds import BOUNDS_FILE, FILES, Bounds, parse_bounds
from grantor.core.policy.grantee_types import EACH_PROFILE
from grantor.core.policy.job_language import AS, INSTANCES, JOB, JOB_BOUNDS
from grantor.core.policy.language import ON, POLICY, RULE, TO
from grantor.core.policy.parser import parse_policy, parse_test_file
from grantor.core.policy.test_language import GIVEN, GIVEN_PROFILE, TEST, TEST_FILE
from grantor.core.policy.value_types import Mapping
from grantor.core.rules import Policy
from tests.policy.editor import Editor

BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
TEST_BLOCK = re.compile(r"^```yaml tests\n(.*?)^```$", re.DOTALL | re.MULTILINE)
STALE = "run PYTHONPATH=layers/grantor python -m docs.policy_page --write"


def read_examples() -> list[str]:
    """The valid yaml blocks; a block of rules or jobs alone stands for a file with these."""
    blocks = BLOCK.findall(PAGE.read_text())
    return [
        f"version: 1\n{_find_part(block)}:\n{block}" if block.startswith("- name") else block
        for block in blocks
    ]


def _find_part(block: str) -> str:
    return "jobs" if "\n  run: " in block else "rules"


def test_the_tables_and_messages_of_the_page_are_up_to_date():
    assert refresh_page(PAGE.read_text()) == PAGE.read_text(), STALE


def test_the_published_schema_is_up_to_date():
    assert render_schema() == SCHEMA.read_text(), STALE
    assert render_bounds_schema() == BOUNDS_SCHEMA.read_text(), STALE
    assert render_tests_schema() == TESTS_SCHEMA.read_text(), STALE


@pytest.mark.parametrize("mapping", [FILES, JOB_BOUNDS], ids=lambda mapping: mapping.name)
def test_an_example_shows_every_bound(mapping: Mapping):
    examples = re.findall(
        r"^```yaml bounds\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE
    )
    found = [
        parse_bounds(BOUNDS_FILE, text.encode(), "111122223333", "data-bucket") for text in examples
    ]

    assert [type(one) for one in found] == [Bounds]
    assert [
        name for name in mapping.keys_by_name if not re.search(rf"[\s{{]{name}:", examples[0])
    ] == []


@pytest.mark.parametrize("text", read_examples())
def test_the_examples_are_valid(text: str):
    found = parse_policy("policy/team.yaml", text.encode())
    problems = find_test_problems(found) if isinstance(found, Policy) else found

    assert problems == (), "\n".join(map(str, problems))


def test_the_example_of_a_test_file_is_valid_for_the_parser_and_for_editors():
    (text,) = TEST_BLOCK.findall(PAGE.read_text())
    found = parse_test_file("policy/team.test.yaml", text.encode())
    schema = jsonschema.Draft202012Validator(json.loads(render_tests_schema()))

    assert isinstance(found, PolicyTests), "\n".join(map(str, found))
    assert list(schema.iter_errors(yaml.load(text, Editor))) == []
    assert [name for name in TEST_FILE.keys_by_name if f"\n{name}:" not in f"\n{text}"] == []


@pytest.mark.parametrize(
    "mapping",
    [POLICY, TEST, GIVEN, GIVEN_PROFILE, RULE, TO, EACH_PROFILE, ON, JOB, AS, INSTANCES],
    ids=lambda mapping: mapping.name,
)
def test_an_example_shows_every_key_of_the_language(mapping: Mapping):
    shown = "".join(read_examples())

    assert [name for name in mapping.keys_by_name if not re.search(rf"[\s{{]{name}:", shown)] == []


def test_wrong_files_on_the_page_are_wrong():
    assert "none: the file is valid" not in PAGE.read_text()
