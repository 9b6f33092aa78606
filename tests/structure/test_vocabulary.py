"""Code and documents use the vocabulary of docs/glossary.md; the words that it replaces stand in
its last column only.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

LIST = Path(__file__).with_name("replaced_words.txt")
WORDS = [line for line in LIST.read_text().splitlines() if line and not line.startswith("#")]
REPLACED = re.compile(rf"\b({'|'.join(WORDS)})\b", re.IGNORECASE)
PATTERNS = ("*.py", "*.md", "*.yaml", "*.toml", "*.sh", "*.yml", "Makefile", ":!docs/glossary.md")


def tracked_files() -> list[str]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *PATTERNS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]


@pytest.mark.parametrize("name", tracked_files())
def test_a_file_uses_no_word_that_the_glossary_replaces(name: str):
    lines = enumerate((ROOT / name).read_text().splitlines(), 1)
    found = [f"{number}: {match[0]}" for number, line in lines for match in REPLACED.finditer(line)]

    assert found == []
