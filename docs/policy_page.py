"""Generate the tables and messages of docs/policy.md, and the schemas of policy, bounds and test
files.

`PYTHONPATH=layers/grantor python -m docs.policy_page` compares the files with the languages in
grantor.core.policy.language and grantor.core.planning.bounds; `--write` updates them. In the page,
the table of a mapping's keys follows `<!-- keys: NAME -->`, and the messages about a wrong file
follow its block, `yaml wrong` or `yaml wrong bounds`.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from docs.refresh import refresh_documents
from grantor.core.access.policy_test_text import find_test_problems
from grantor.core.diagnostics import join_words
from grantor.core.planning.bounds import BOUNDS, BOUNDS_FILE, parse_bounds
from grantor.core.policy.json_schema import build_schema
from grantor.core.policy.language import POLICY
from grantor.core.policy.parser import parse_policy
from grantor.core.policy.test_language import TEST_FILE
from grantor.core.policy.value_types import (
    Choice,
    Either,
    Flag,
    Form,
    Key,
    Kind,
    Listing,
    Mapping,
    Number,
    OneOrMore,
    Table,
    Version,
)
from grantor.core.rules import Policy

DOCS = Path(__file__).parent
PAGE, SCHEMA = DOCS / "policy.md", DOCS / "policy.schema.json"
BOUNDS_SCHEMA, TESTS_SCHEMA = DOCS / "bounds.schema.json", DOCS / "tests.schema.json"
TABLE = re.compile(r"(<!-- keys: (?P<name>[^\n]+) -->\n\n).*?(?=\n\n)", re.DOTALL)
WRONG = re.compile(
    r"(```yaml wrong(?P<bounds> bounds)?\n(?P<file>.*?)```\n\n```text\n).*?(?=\n```)", re.DOTALL
)
HEAD = "| key | takes | meaning | example |\n|---|---|---|---|"


def refresh_page(page: str) -> str:
    """The page with today's tables and messages.

    Raises KeyError if it names a mapping that the language does not have.
    """
    known = dict([*_find_mappings(POLICY), *_find_mappings(BOUNDS)])
    page = TABLE.sub(lambda found: found[1] + render_table(known[found["name"]]), page)
    return WRONG.sub(lambda found: found[1] + _find_messages(found), page)


def _find_messages(block: re.Match[str]) -> str:
    body = block["file"].encode()
    if block["bounds"]:
        found: object = parse_bounds(BOUNDS_FILE, body, "111122223333", "data-bucket")
    else:
        found = parse_policy("policy/team.yaml", body)
        found = find_test_problems(found) if isinstance(found, Policy) else found
    problems = found if isinstance(found, tuple) else ()
    return "\n".join(map(str, problems)) or "none: the file is valid"


def render_schema() -> str:
    """The JSON Schema of policy files as it is published."""
    return json.dumps(build_schema(), indent=2, ensure_ascii=False) + "\n"


def render_bounds_schema() -> str:
    """The JSON Schema of the bounds file as it is published."""
    about = "What the policy files of each folder may grant, run and suspend."
    schema = build_schema(BOUNDS, "Grantor bounds file", about)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def render_tests_schema() -> str:
    """The JSON Schema of test files as it is published."""
    about = "What the policy files must give together, and what they must not."
    schema = build_schema(TEST_FILE, "Grantor test file", about)
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def render_table(mapping: Mapping) -> str:
    """The keys of a mapping, one a line."""
    return "\n".join([HEAD, *(_render_key(key) for key in mapping.keys)])


def _render_key(key: Key) -> str:
    required = " (required)" if key.required else ""
    example = f"`{key.example}`" if key.example else ""
    takes = _describe_kind(key.takes)
    return f"| `{key.name}`{required} | {takes} | {key.description} | {example} |"


def _describe_kind(kind: Kind) -> str:
    match kind:
        case Form() | Number():
            return kind.name
        case Choice():
            return join_words(f"`{word}`" for word in kind.words)
        case Either():
            return f"{_describe_kind(kind.text)}, or {_describe_kind(kind.other)}"
        case Listing() | OneOrMore():
            one = f"{_describe_kind(kind.of)}, or " if isinstance(kind, OneOrMore) else ""
            return f"{one}a list; each item is {kind.item}"
        case Table():
            return f"a mapping from {kind.key.name} to {kind.value.name}"
    names = {Flag: "`true` or `false`", Version: "`1`", Mapping: "a mapping"}
    return names[type(kind)]


def _find_mappings(kind: Kind) -> Iterator[tuple[str, Mapping]]:
    match kind:
        case Mapping():
            yield kind.name, kind
            for key in kind.keys:
                yield from _find_mappings(key.takes)
        case Listing() | OneOrMore():
            yield from _find_mappings(kind.of)
        case Either():
            yield from _find_mappings(kind.other)
        case Table():
            yield from _find_mappings(kind.value)


def main() -> int:
    """Compare or write the files; returns how many are out of date."""
    today = {
        PAGE: refresh_page(PAGE.read_text()),
        SCHEMA: render_schema(),
        BOUNDS_SCHEMA: render_bounds_schema(),
        TESTS_SCHEMA: render_tests_schema(),
    }
    return refresh_documents("docs.policy_page", __doc__, today)


if __name__ == "__main__":
    sys.exit(main())
