"""The documents are intact: blocks are closed, links resolve, make targets exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    ROOT / "sandbox/README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("examples/**/*.md")),
]
FENCE = re.compile(r"^```(.*)$", re.MULTILINE)
BLOCK = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
TARGET = re.compile(r"`(?:[A-Z]+=\S+ )?make ([a-z][a-z-]*)")


def name(document: Path) -> str:
    return str(document.relative_to(ROOT))


def prose(document: Path) -> str:
    return BLOCK.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """Return the anchors that GitHub derives from the headings."""
    headings = re.findall(r"^#+ (.*)$", prose(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_block_of_a_document_is_closed(document: Path):
    fences = FENCE.findall(document.read_text())

    assert [said for said in fences[1::2] if said] == []
    assert len(fences) % 2 == 0


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_link_resolves(document: Path):
    dead = [
        f"{where}#{heading}"
        for where, heading in LINK.findall(prose(document))
        if not (target := (document.parent / where if where else document)).exists()
        or (heading and heading not in anchors(target))
    ]

    assert dead == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_every_make_target_in_a_document_exists(document: Path):
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(TARGET.findall(prose(document))) - targets == set()
