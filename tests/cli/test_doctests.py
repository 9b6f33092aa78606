"""The examples in the docstrings are true."""

import doctest
from importlib import import_module

import pytest

MODULES = [
    "grantor.reconcile.recovery",
    "grantor.cli.jobs",
    "grantor.cli.output",
    "grantor.cli.status",
    "grantor.aws.access_grants",
]


@pytest.mark.parametrize("module", MODULES)
def test_examples_are_true(module: str):
    outcome = doctest.testmod(import_module(module))

    assert outcome.attempted
    assert not outcome.failed
