"""A valid file takes a short way: nothing that explains mistakes runs for it."""

import sys
from types import FrameType

import pytest

from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy
from tests.conftest import ROOT
from tests.policy.examples import GOOD

CORE = str(ROOT / "layers/grantor/grantor/core") + "/"
MOST_MODULES = 9  # of the layer, for a file of two rules


def trace_parse(text: str) -> set[tuple[str, str]]:
    """The functions of the core that run while a valid file is parsed, each with its module."""
    entered = set()

    def note_call(frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(CORE):
            entered.add((code.co_filename.removeprefix(CORE), code.co_qualname))

    before = sys.getprofile()
    sys.setprofile(note_call)
    try:
        found = parse_policy("f", text.encode())
    finally:
        sys.setprofile(before)
    assert isinstance(found, Policy)
    return entered


@pytest.mark.parametrize("name", ["article.yaml", "abalone.yaml"])
def test_a_file_of_two_rules_enters_few_modules(name: str):
    text = (ROOT / "policy" / name).read_text()
    modules = {module for module, _ in trace_parse(text)}

    # A job also has a type, parameters, machines, patterns, and places that others may share.
    most = MOST_MODULES if "rules:" in text else MOST_MODULES + 6
    assert len(modules) <= most, sorted(modules)


@pytest.mark.parametrize("text", GOOD)
def test_no_mistake_is_explained_in_a_valid_file(text: str):
    entered = trace_parse(text)

    assert {module for module, _ in entered if module.endswith("_errors.py")} == set()
    assert {name for _, name in entered if name in {"find_nearest", "quote_text"}} == set()
