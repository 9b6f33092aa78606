"""The project itself.

What it requires, that it stands alone, and the examples in its docstrings.
"""

import ast
import doctest
import importlib
import tomllib
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROJECT = ROOT / "sandbox"
WITH_EXAMPLES = (
    "sandbox.access_grants.scopes",
    "sandbox.processing.job_run",
    "sandbox.switches",
)


def imported(path: Path) -> set[str]:
    """The top-level packages that a file imports."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    plain = (alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names)
    of = (node.module or "" for node in nodes if isinstance(node, ast.ImportFrom))
    return {name.partition(".")[0] for name in (*plain, *of)}


def test_the_lock_of_the_server_has_the_dependencies_of_the_project():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    lines = (ROOT / "locks/server.in").read_text().splitlines()
    locked = (ROOT / "locks/server.txt").read_text()

    assert project["dependencies"] == [line for line in lines if not line.startswith("#")]
    assert [name for name in project["dependencies"] if f"\n{name} \\" not in f"\n{locked}"] == []


@pytest.mark.parametrize("folder", ["src", "tests"])
def test_the_sandbox_knows_nothing_of_the_repository_around_it(folder: str):
    around = {"grantor", "demo", "benchmarks", "harness", "iam_audit", "docs", "spark_jobs"}
    files = (PROJECT / folder).rglob("*.py")

    assert {str(path): names for path in files if (names := imported(path) & around)} == {}


@pytest.mark.parametrize("name", WITH_EXAMPLES)
def test_the_examples_of_a_module_hold(name: str):
    failed, tried = doctest.testmod(importlib.import_module(name))

    assert (failed, tried > 0) == (0, True)
