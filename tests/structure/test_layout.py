"""The layer keeps the layout of docs/decisions/0006-layout.md: imports point one way, modules stay
readable, names are unique.
"""

import ast
from collections import Counter
from pathlib import Path

import pytest

from tests.structure.layer import LAYER, folder_of, read_folder_imports, read_imports, read_modules

# Which folder may import which: itself and those at its right. Constants (`settings`, `limits`) lie
# in the package itself.
ORDER = [
    "cli",
    "buckets",
    "teardown",
    "jobs",
    "reconcile",
    "aws",
    "core/review",
    "core/access",
    "core/jobs",
    "core/planning",
    "core/policy",
    "core",
    "grantor",
]
MOST_LINES = 400
MOST_LONELY_MODULES = 18
SHARED_NAMES = {
    "handler",
    "lease",
}  # one of the reconciler or of the adapters, and one of its neighbour


def is_entry_point(pair: tuple[str, str]) -> bool:
    """Whether the pair is the one import that starts the command line."""
    return pair[0] == "grantor.__main__"


def test_imports_point_one_way():
    rank = {folder: place for place, folder in enumerate(ORDER)}
    wrong = [
        pair
        for pair in read_imports()
        if not is_entry_point(pair) and rank[folder_of(pair[0])] > rank[folder_of(pair[1])]
    ]

    assert wrong == []


def test_no_two_folders_import_each_other():
    pairs = read_folder_imports() - {("grantor", "cli")}  # the entry point

    assert [pair for pair in pairs if pair[::-1] in pairs] == []


@pytest.mark.parametrize(
    "path", read_modules().values(), ids=lambda path: str(path.relative_to(LAYER))
)
def test_a_module_fits_into_a_readers_head(path: Path):
    assert len(path.read_text().splitlines()) <= MOST_LINES


def test_few_modules_serve_a_single_other_module():
    importers = Counter(target for _, target in read_imports())
    lonely = [module for module in read_modules() if importers[module] == 1]

    assert len(lonely) <= MOST_LONELY_MODULES, lonely


def test_no_two_modules_share_a_name():
    names = Counter(path.stem for path in read_modules().values() if path.parent.name != "cli")

    assert {name for name, times in names.items() if times > 1} <= SHARED_NAMES


def test_no_two_classes_share_a_name():
    classes = Counter(
        node.name
        for path in read_modules().values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
    )

    assert {name for name, times in classes.items() if times > 1} == set()
