"""The table of parameters in docs/deploying.md comes from template.yaml, in SAM CLI's order.

`python -m docs.deploying_page` compares; with `--write` it writes the table anew.
"""

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

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


class _PlainLoader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as None: no parameter has one."""


_PlainLoader.add_multi_constructor("!", lambda *_: None)


def main() -> int:
    """Return 0 if the page agrees with the template, or has been written."""
    parser = argparse.ArgumentParser(prog="python -m docs.deploying_page", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write the table anew")
    page = PAGE.read_text()
    today = write_table(page)
    if parser.parse_args().write:
        PAGE.write_text(today)
    elif page != today:
        print("docs/deploying.md does not agree with template.yaml: run make docs")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
