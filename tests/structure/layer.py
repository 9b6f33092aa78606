"""The layer's modules and their imports, read from the sources: what the tests of the structure
look at.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.conftest import ROOT

LAYER = ROOT / "layers/grantor/grantor"


@cache
def read_modules() -> dict[str, Path]:
    """Every module of the layer by its dotted name, packages apart."""
    return {
        dotted_name(path): path
        for path in sorted(LAYER.rglob("*.py"))
        if path.name != "__init__.py"
    }


def dotted_name(path: Path) -> str:
    return ".".join(path.relative_to(LAYER.parent).with_suffix("").parts)


def folder_of(module: str) -> str:
    """The folder that a module lies in, as the diagram names it; the package itself is `grantor`.

    >>> folder_of("grantor.core.policy.parser"), folder_of("grantor.settings")
    ('core/policy', 'grantor')
    """
    return "/".join(module.split(".")[1:-1]) or "grantor"


@cache
def read_imports() -> frozenset[tuple[str, str]]:
    """Pairs of modules of the layer of which the first imports the second."""
    return frozenset(
        (name, target)
        for name, path in read_modules().items()
        for target in imported_modules(path)
        if target != name
    )


def imported_modules(path: Path) -> Iterator[str]:
    modules = read_modules()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield from {f"{node.module}.{alias.name}", node.module} & modules.keys()
        elif isinstance(node, ast.Import):
            yield from {alias.name for alias in node.names} & modules.keys()


def read_folder_imports() -> set[tuple[str, str]]:
    """Pairs of different folders of which the first imports a module of the second."""
    pairs = {(folder_of(one), folder_of(other)) for one, other in read_imports()}
    return {(one, other) for one, other in pairs if one != other}
