"""The table of parameters in docs/deploying.md comes from template.yaml, in SAM CLI's order.

`python -m docs.deploying_page` compares; with `--write` it writes the table anew.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from docs.refresh import refresh_documents
from harness.fast_yaml import FastLoader

ROOT = Path(__file__).parent.parent
PAGE, TEMPLATE = ROOT / "docs/deploying.md", ROOT / "template.yaml"
TABLE = re.compile(r"(<!-- parameters -->\n\n).*?(?=\n\n)", re.DOTALL)
HEAD = "| parameter | default | what it is, and when to change it |\n|---|---|---|"


def write_table(page: str) -> str:
    """Return the page with the table that the template gives today."""
    return TABLE.sub(lambda found: found[1] + "\n".join([HEAD, *format_rows()]), page)


def format_rows() -> Iterator[str]:
    for name, parameter in read_parameters().items():
        default = f"`{parameter['Default']}`" if parameter["Default"] else "empty"
        yield f"| `{name}` | {default} | {parameter['Description']} |"


def read_parameters() -> dict[str, dict[str, Any]]:
    """Read the template's parameters by name, in its order."""
    template = yaml.load(TEMPLATE.read_text(), _PlainLoader)  # noqa: S506  -- a SafeLoader
    return dict(template["Parameters"])


class _PlainLoader(FastLoader):
    """Reads CloudFormation's short forms as None: no parameter has one."""


_PlainLoader.add_multi_constructor("!", lambda *_: None)


def main() -> int:
    """Compare or write the page; returns 1 if it is out of date."""
    return refresh_documents("docs.deploying_page", __doc__, {PAGE: write_table(PAGE.read_text())})


if __name__ == "__main__":
    sys.exit(main())
