"""The examples in the docstrings outside the core are true."""

import doctest
from importlib import import_module

import pytest

from tests.conftest import ROOT

LAYER = ROOT / "layers/grantor"
MODULES = sorted(
    ".".join(path.relative_to(LAYER).with_suffix("").parts)
    for path in LAYER.rglob("*.py")
    if "core" not in path.parts and ">>> " in path.read_text()
)


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module: str):
    outcome = doctest.testmod(import_module(module))

    assert outcome.attempted
    assert not outcome.failed
