"""The walks of docs/architecture.md: which modules the page names on the way of an event, step by
step.
"""

import re

from tests.conftest import ROOT

PAGE = ROOT / "docs/architecture.md"
ROW = re.compile(r"^\| \d+ \| ([^|]+) \|", re.MULTILINE)


def read_walk(name: str) -> list[str]:
    """The modules that the page names in the table below `<!-- walk: NAME -->`, in order, as
    `aws.lease`.
    """
    _, found, rest = PAGE.read_text().partition(f"<!-- walk: {name} -->\n")
    assert found, f"docs/architecture.md has no walk {name!r}"
    table = rest.strip().split("\n\n")[0]
    return [module for cell in ROW.findall(table) for module in re.findall(r"`([\w.]+)`", cell)]
