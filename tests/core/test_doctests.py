"""The examples in the docstrings show what happens."""

import doctest
import importlib
import pkgutil

import pytest

import grantor

MODULES = [
    module.name
    for module in pkgutil.walk_packages(grantor.__path__, "grantor.")
    if "__main__" not in module.name
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_happens(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
