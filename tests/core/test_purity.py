"""The core decides from values alone: no AWS, no clock, no environment, no network, no files."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

CORE = ROOT / "layers/grantor/grantor/core"
MODULES = sorted(CORE.rglob("*.py"))
# The standard library's ways to the outside; `os`, `io` and `pathlib` have too many to tell apart.
OUTSIDE = {
    "asyncio",
    "builtins",
    "ctypes",
    "ftplib",
    "http",
    "importlib",
    "io",
    "locale",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "platform",
    "random",
    "secrets",
    "select",
    "shutil",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "sys",
    "tempfile",
    "threading",
    "time",
    "urllib",
    "uuid",
}
THIRD = {"yaml"}  # parses text; it is handed the text
PURE = {"grantor.core", "grantor.settings", "grantor.limits"}  # the two others hold numbers only
CLOCKS = {
    "now",
    "utcnow",
    "today",
    "fromtimestamp",
    "getenv",
    "environ",
    "open",
    "input",
    "print",
    "exec",
    "eval",
    "__import__",
}


def imports(module: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(CORE)))
def test_a_module_of_the_core_imports_only_what_is_pure(module: Path) -> None:
    for name in imports(module):
        top = name.partition(".")[0]
        own = name in PURE or name.startswith("grantor.core.")
        assert own or top in THIRD or (top in sys.stdlib_module_names and top not in OUTSIDE), (
            f"{module.name} imports {name}"
        )


@pytest.mark.parametrize("module", MODULES, ids=lambda module: str(module.relative_to(CORE)))
def test_a_module_of_the_core_reads_no_clock_no_environment_and_no_file(module: Path) -> None:
    called = [
        node.func for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call)
    ]
    names = {
        func.id if isinstance(func, ast.Name) else getattr(func, "attr", "") for func in called
    }

    assert names & CLOCKS == set()
