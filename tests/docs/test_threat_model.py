"""docs/threat-model.md names every attack that tests/attacks tries, and no test that is not there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/threat-model.md").read_text()
REFERENCE = re.compile(r"`(?:(test_\w+\.py))?::(test_\w+)`")


def find_tests(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return {name for name in names if name.startswith("test_")}


def find_attacks() -> set[tuple[str, str]]:
    files = sorted((ROOT / "tests/attacks").glob("test_*.py"))
    return {(path.name, name) for path in files for name in find_tests(path)}


def find_references() -> set[tuple[str, str]]:
    """The tests that the page names; one without a file is in the file named before it."""
    found, file = set(), ""
    for match in REFERENCE.finditer(PAGE):
        file = match[1] or file
        found.add((file, match[2]))
    return found


def test_the_page_names_every_attack_and_no_other():
    assert find_references() == find_attacks()


def test_the_probes_that_the_page_names_exist():
    probes = "".join(path.read_text() for path in (ROOT / "tests/live/probes").glob("*.py"))
    named = re.findall(r"probe `(\w+)`", PAGE)

    assert named
    assert [name for name in named if f"def {name}(" not in probes] == []
