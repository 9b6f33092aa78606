"""The examples in the docstrings of the room that talks to AWS."""

import doctest
import importlib
import pkgutil

import pytest

import grantor.aws

MODULES = [f"grantor.aws.{module.name}" for module in pkgutil.iter_modules(grantor.aws.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_examples_show_what_happens(name: str):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
