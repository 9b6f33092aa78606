"""docs/live.md has every probe and every switch, as they are."""

import json
import re

from sandbox.switches import NAMES
from tests.conftest import ROOT
from tests.live.catalogue import ALL_PROBES, PROBES_BY_NAME

PAGE = (ROOT / "docs/live.md").read_text()


def table(name: str) -> list[list[str]]:
    """The rows of the table below `<!-- name -->`, by cells."""
    rows = PAGE.partition(f"<!-- {name} -->")[2].lstrip().partition("\n\n")[0].splitlines()[2:]
    return [[cell.strip() for cell in row.strip("| ").split(" | ")] for row in rows]


def test_the_page_has_every_probe_with_its_question_and_what_is_assumed():
    rows = [row[:3] for row in table("probes")]
    assumed = {
        probe.name: probe.assumed if isinstance(probe.assumed, str) else json.dumps(probe.assumed)
        for probe in ALL_PROBES
    }

    assert sorted(rows) == sorted(
        [probe.question, f"`{probe.name}`", assumed[probe.name]] for probe in ALL_PROBES
    )


def test_every_switch_is_asked_or_the_page_says_why_not():
    answer = {name for row in table("not asked") for name in re.findall(r"`(\w+)`", row[0])}

    assert answer == NAMES.keys() - PROBES_BY_NAME.keys()


def test_the_first_day_names_probes_that_exist():
    part = PAGE.partition("## On a first day")[2].partition("\n## ")[0]
    named = {name for name in re.findall(r"`(\w+)`", part) if "_" in name}

    assert named <= PROBES_BY_NAME.keys()
    assert len(named) > 10


def test_the_sandboxs_page_leads_to_the_probes():
    guesses = (ROOT / "docs/sandbox.md").read_text().partition("## Guesses")[2]

    assert "(live.md#what-is-asked)" in guesses
