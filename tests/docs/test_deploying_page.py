"""docs/deploying.md agrees with the templates; tests/clients tests what its commands do."""

import re

import pytest
import yaml

from docs.deploying_page import PAGE, write_table
from grantor.core.jobs.request import IMAGE_ACCOUNTS
from grantor.limits import (
    LISTED_IMAGE_REGIONS,
    REGIONS_OF_ACCESS_GRANTS,
    REGIONS_WITHOUT_STUDIO_TYPES,
)
from tests.conftest import ROOT
from tests.template.test_events import Template

STEPS = re.search(
    r"^## The steps of the article.*?(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE
)
MADE = {
    name: it
    for path in ("template.yaml", "stacks/studio.yaml")
    for name, it in yaml.load((ROOT / path).read_text(), Template)["Resources"].items()
}
NAMED = sorted(set(re.findall(r"`([A-Z][A-Za-z]+)`", STEPS[0] if STEPS else "")) - {"AccessDenied"})


def test_the_parameters_of_the_page_are_those_of_the_template():
    assert write_table(PAGE.read_text()) == PAGE.read_text(), "run make docs"


@pytest.mark.parametrize("resource", NAMED)
def test_each_resource_that_the_page_names_is_in_a_template(resource: str):
    assert resource in MADE


def test_every_step_of_the_article_is_on_the_page():
    titles = re.findall(r'with step\(f?"([^":]+)', (ROOT / "demo/article.py").read_text())
    steps = [title for title in titles if not title.startswith("userA,")]

    assert steps
    assert [title for title in steps if f"| {title}" not in PAGE.read_text()] == []


def read_regions() -> dict[str, tuple[str, str, str]]:
    """Each Region of the page's table, with what the three columns say of it."""
    part = PAGE.read_text().partition("## Regions")[2].partition("## ")[0]
    rows = [line.strip("| ").split(" | ") for line in part.splitlines() if line.startswith("| `")]
    return {
        region: (grants, studio, image)
        for regions, grants, studio, image in rows
        for region in re.findall(r"`([\w-]+)`", regions)
    }


def test_the_table_of_regions_says_what_the_doctor_says():
    regions = read_regions()

    assert regions.keys() == IMAGE_ACCOUNTS.keys()
    assert {it for it, (grants, _, _) in regions.items() if grants == "listed"} == (
        REGIONS_OF_ACCESS_GRANTS
    )
    assert {it for it, (_, studio, _) in regions.items() if studio != "there"} == (
        REGIONS_WITHOUT_STUDIO_TYPES.keys()
    )
    assert {it for it, (_, _, image) in regions.items() if image == "listed"} == (
        LISTED_IMAGE_REGIONS
    )
