"""The tables of docs/policy.md and docs/policy.schema.json are made from the language itself (grantor.core.policy.language).

`PYTHONPATH=layers/grantor python -m docs.policy_page` compares; with `--write` it puts what the language says today into both.
In the page, `<!-- keys: NAME -->` stands above the table of the keys of that mapping, and below each `yaml wrong` block stands what
is said of that file.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from grantor.core.diagnostics import listed
from grantor.core.policy.json_schema import schema
from grantor.core.policy.language import POLICY
from grantor.core.policy.parser import read
from grantor.core.policy.value_types import Choice, Either, Flag, Form, Key, Kind, Listing, Mapping, Number, Table, Version

DOCS = Path(__file__).parent
PAGE, SCHEMA = DOCS / "policy.md", DOCS / "policy.schema.json"
TABLE = re.compile(r"(<!-- keys: (?P<name>[^\n]+) -->\n\n).*?(?=\n\n)", re.DOTALL)
WRONG = re.compile(r"(```yaml wrong\n(?P<file>.*?)```\n\n```text\n).*?(?=\n```)", re.DOTALL)
HEAD = "| key | takes | says | example |\n|---|---|---|---|"


def fresh(page: str) -> str:
    """The page with its tables and messages as they are today; KeyError where the language has no such mapping."""
    known = dict(_mappings(POLICY))
    page = TABLE.sub(lambda found: found[1] + table(known[found["name"]]), page)
    return WRONG.sub(lambda found: found[1] + _said(found["file"]), page)


def _said(file: str) -> str:
    found = read("policy/team.yaml", file.encode())
    return "\n".join(map(str, found)) if isinstance(found, tuple) else "nothing: the file is good"


def written() -> str:
    """The JSON Schema as it is published."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


def table(mapping: Mapping) -> str:
    """The keys of a mapping, one a line."""
    return "\n".join([HEAD, *(_line(key) for key in mapping.keys)])


def _line(key: Key) -> str:
    needed = " (needed)" if key.needed else ""
    example = f"`{key.example}`" if key.example else ""
    return f"| `{key.name}`{needed} | {_takes(key.takes)} | {key.says} | {example} |"


def _takes(kind: Kind) -> str:
    match kind:
        case Form() | Number():
            return kind.name
        case Choice():
            return listed(f"`{word}`" for word in kind.words)
        case Either():
            return f"{_takes(kind.text)}, or {_takes(kind.other)}"
        case Listing():
            return f"a list; each item is {kind.item}"
        case Table():
            return f"a mapping; to each {kind.key.name.partition(' ')[2]} {kind.value.name}"
    return {Flag: "`true` or `false`", Version: "`1`", Mapping: "a mapping"}.get(type(kind), "nothing yet")


def _mappings(kind: Kind) -> Iterator[tuple[str, Mapping]]:
    match kind:
        case Mapping():
            yield kind.name, kind
            for key in kind.keys:
                yield from _mappings(key.takes)
        case Listing():
            yield from _mappings(kind.of)
        case Either():
            yield from _mappings(kind.other)


def main() -> int:
    said = argparse.ArgumentParser(prog="python -m docs.policy_page", description=__doc__)
    said.add_argument("--write", action="store_true", help="write what the language says today")
    stale = {path: text for path, text in ((PAGE, fresh(PAGE.read_text())), (SCHEMA, written())) if path.read_text() != text}
    if said.parse_args().write:
        for path, text in stale.items():
            path.write_text(text)
        return 0
    for path in stale:
        print(f"docs/{path.name} is not what the language says today: run python -m docs.policy_page --write")
    return len(stale)


if __name__ == "__main__":
    sys.exit(main())
