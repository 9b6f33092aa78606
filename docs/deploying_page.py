"""The table of parameters in docs/deploying.md is made from template.yaml, in the order in which SAM CLI asks for them.

`python -m docs.deploying_page` compares; with `--write` it puts what the template says today into the page.
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


def fresh(page: str) -> str:
    """The page with the table as the template has it today."""
    return TABLE.sub(lambda found: found[1] + "\n".join([HEAD, *_rows()]), page)


def _rows() -> Iterator[str]:
    for name, parameter in parameters().items():
        default = f"`{parameter['Default']}`" if parameter["Default"] else "empty"
        yield f"| `{name}` | {default} | {parameter['Description']} |"


def parameters() -> dict[str, dict[str, Any]]:
    """The template's parameters by name, in its order."""
    found: dict[str, dict[str, Any]] = yaml.load(TEMPLATE.read_text(), _Plain)["Parameters"]  # noqa: S506  -- a SafeLoader
    return found


class _Plain(yaml.SafeLoader):
    """Reads CloudFormation's short forms as nothing: no parameter has one."""


_Plain.add_multi_constructor("!", lambda *_: None)


def main() -> int:
    """0 if the page is what the template says, or has been made so."""
    said = argparse.ArgumentParser(prog="python -m docs.deploying_page", description=__doc__)
    said.add_argument("--write", action="store_true", help="write what the template says today")
    page = PAGE.read_text()
    today = fresh(page)
    if said.parse_args().write:
        PAGE.write_text(today)
    elif page != today:
        print("docs/deploying.md is not what the template says today: run python -m docs.deploying_page --write")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
