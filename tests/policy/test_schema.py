"""The JSON Schema and the reader agree: what is good is good for both, and what the schema refuses the reader refuses."""

import json
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from grantor.core.policy.json_schema import schema
from grantor.core.policy.parser import read
from grantor.core.policy.yaml_tree import Reader
from grantor.core.rules import Policy
from tests.policy.cases import cases
from tests.policy.editor import SCHEMA, Editor, allowed
from tests.policy.examples import GOOD
from tests.policy.fuzz import fuzzed


def refused(text: str) -> bool:
    return not isinstance(read("f", text.encode()), Policy)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())


@pytest.mark.parametrize("text", GOOD)
def test_what_is_good_is_good_for_the_schema_too(text: str):
    assert not refused(text)
    assert SCHEMA.validate(yaml.load(text, Editor)) is None


def test_the_schema_finds_most_of_what_it_can_see_and_nothing_that_is_good():
    readable = [case.text for _, case in cases() if Reader("f").tree(case.text) is not None and _loads(case.text)]
    found = [text for text in readable if not allowed(text)]

    assert len(found) > len(readable) * 0.6


def _loads(text: str) -> bool:
    try:
        yaml.load(text, Editor)
    except (yaml.YAMLError, ValueError):
        return False
    return True


# A document is a tree of JSON, and JSON is YAML: the same text for both sides.
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-9, 9**9), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["", "a", "READ", "s3://data/*", "s3://data/", "30d", "2027-03-31", "accepted", "{data_bucket}", "*", "{", "é", "1h", "abalone", "ml.m5.xlarge"]),
    st.sampled_from([[], {}, ["a"], ["a", "a"], [["a"]], {"domain": "D"}, {"a": "b"}, {"role": "a"}, {"scope": "s3://data/*"}]),
)  # fmt: skip
KEYS = st.sampled_from([
    "name", "to", "on", "allow", "until", "for", "role", "domain", "scope", "each_prefix", "object", "mode", "x", "",
    "jobs", "rules", "as", "run", "input", "output", "instances", "count", "time_limit", "arguments", "max_quarantine",
])  # fmt: skip


@st.composite
def bent(draw: st.DrawFn) -> Any:
    """A good document with one to three of its parts taken out, renamed, replaced or added."""
    document = yaml.load(draw(st.sampled_from(GOOD)), Editor)
    for _ in range(draw(st.integers(1, 3))):
        document = _bend(document, draw)
    return document


def _bend(tree: Any, draw: st.DrawFn) -> Any:
    if not isinstance(tree, dict | list) or not tree or draw(st.integers(0, 5)) == 0:
        return draw(VALUES)
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    key = draw(st.sampled_from(sorted(copy) if isinstance(copy, dict) else range(len(copy))))
    deed = draw(st.sampled_from(["deeper", "deeper", "deeper", "out", "name", "add"]))
    if deed == "deeper":
        copy[key] = _bend(copy[key], draw)
    elif deed == "out":
        del copy[key]
    elif isinstance(copy, dict):
        copy[draw(KEYS)] = copy.pop(key) if deed == "name" else draw(VALUES)
    else:
        copy.append(draw(VALUES) if deed == "add" else copy[key])
    return copy


@fuzzed(plain=400, long=2_500)
@given(bent())
def test_what_the_schema_refuses_the_reader_refuses(document: Any):
    text = json.dumps(document, ensure_ascii=False)

    assert allowed(text) or refused(text)
