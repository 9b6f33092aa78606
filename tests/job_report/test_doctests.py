"""The examples in the docstrings are true."""

import doctest
from importlib import import_module

import pytest


@pytest.mark.parametrize("module", ["framework.formatting", "framework.markup"])
def test_examples_are_true(module: str):
    outcome = doctest.testmod(import_module(module))

    assert outcome.attempted
    assert not outcome.failed
