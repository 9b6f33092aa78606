"""The JSON Schema and the parser agree on valid files, and the parser refuses all it refuses."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.policy.json_schema import build_schema
from grantor.core.policy.parser import parse_policy
from grantor.core.policy.yaml_tree import PolicyReader
from grantor.core.rules import Policy
from tests.policy.corpus import read_corpus
from tests.policy.editor import SCHEMA, Editor, is_allowed
from tests.policy.examples import GOOD
from tests.policy.fuzz import fuzzed


def is_refused(text: str) -> bool:
    return not isinstance(parse_policy("f", text.encode()), Policy)


def test_the_schema_is_valid():
    jsonschema.Draft202012Validator.check_schema(build_schema())


@pytest.mark.parametrize("text", GOOD)
def test_the_schema_accepts_every_valid_file(text: str):
    assert not is_refused(text)
    assert SCHEMA.validate(yaml.load(text, Editor)) is None


def test_the_schema_finds_most_mistakes_of_structure():
    readable = [
        case.text
        for _, case in read_corpus()
        if PolicyReader("f").parse_tree(case.text) is not None and _is_yaml(case.text)
    ]
    found = [text for text in readable if not is_allowed(text)]

    assert len(found) > len(readable) * 0.55


def _is_yaml(text: str) -> bool:
    try:
        yaml.load(text, Editor)
    except (yaml.YAMLError, ValueError):
        return False
    return True


# A document is a tree of JSON, and JSON is YAML: the same text for both sides.
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-9, 9**9),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(
        [
            "",
            "a",
            "READ",
            "s3://data/*",
            "s3://data/",
            "30d",
            "2027-03-31",
            "accepted",
            "{data_bucket}",
            "*",
            "{",
            "é",
            "1h",
            "abalone",
            "ml.m5.xlarge",
        ]
    ),
    st.sampled_from(
        [
            [],
            {},
            ["a"],
            ["a", "a"],
            [["a"]],
            {"domain": "D"},
            {"a": "b"},
            {"role": "a"},
            {"scope": "s3://data/*"},
        ]
    ),
)
KEYS = st.sampled_from(
    [
        "name",
        "to",
        "on",
        "allow",
        "until",
        "for",
        "role",
        "domain",
        "scope",
        "each_prefix",
        "object",
        "mode",
        "x",
        "",
        "jobs",
        "rules",
        "as",
        "run",
        "input",
        "output",
        "instances",
        "count",
        "time_limit",
        "arguments",
        "max_quarantine",
        "suspend",
        "given",
        "profiles",
        "tests",
        "can",
        "who",
        "exactly",
        "because",
        "at",
    ]
)


@st.composite
def damaged_documents(draw: st.DrawFn) -> Any:
    """A good document with one to three of its parts taken out, renamed, replaced or added."""
    document = yaml.load(draw(st.sampled_from(GOOD)), Editor)
    for _ in range(draw(st.integers(1, 3))):
        document = _damage_document(document, draw)
    return document


def _damage_document(tree: Any, draw: st.DrawFn) -> Any:
    if not isinstance(tree, dict | list) or not tree or draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    key = draw(st.sampled_from(sorted(copy) if isinstance(copy, dict) else range(len(copy))))
    deed = draw(st.sampled_from(["deeper", "deeper", "deeper", "out", "name", "add"]))
    if deed == "deeper":
        copy[key] = _damage_document(copy[key], draw)
    elif deed == "out":
        del copy[key]
    elif isinstance(copy, dict):
        copy[draw(KEYS)] = copy.pop(key) if deed == "name" else draw(VALUES)
    else:
        copy.append(draw(VALUES) if deed == "add" else copy[key])
    return copy


@fuzzed(plain=400, long=2_500)
@given(damaged_documents())
def test_the_parser_refuses_what_the_schema_refuses(document: Any):
    text = json.dumps(document, ensure_ascii=False)

    assert is_allowed(text) or is_refused(text)
