"""docs/deploying.md agrees with the templates; tests/clients tests what its commands do."""

import re

import pytest
import yaml

from docs.deploying_page import PAGE, write_table
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
