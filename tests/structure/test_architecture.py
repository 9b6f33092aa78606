"""docs/architecture.md shows the folders' imports as they are; test_trace compares its two walks
with what events enter.
"""

import re

from tests.structure.layer import read_folder_imports
from tests.structure.walks import PAGE

DIAGRAM = re.compile(r"<!-- imports -->\s+```mermaid\n(.*?)```", re.DOTALL)
ARROW = re.compile(r"^\s*([\w/]+(?: & [\w/]+)*) --> ([\w/]+(?: & [\w/]+)*)\s*$", re.MULTILINE)
CONSTANTS = "grantor"  # the folder of settings and limits, which every folder may import


def drawn_arrows() -> set[tuple[str, str]]:
    diagram = DIAGRAM.search(PAGE.read_text())
    return {
        (one, other)
        for ones, others in ARROW.findall(diagram[1] if diagram else "")
        for one in ones.split(" & ")
        for other in others.split(" & ")
    }


def test_the_diagram_shows_the_imports_between_folders():
    imports = {pair for pair in read_folder_imports() if CONSTANTS not in pair}

    assert sorted(drawn_arrows() ^ imports) == []
