"""docs/deploying.md says what the templates say, and names what they make; what its commands do is tested in tests/clients."""

import re

import pytest
import yaml

from docs.deploying_page import PAGE, fresh
from tests.conftest import ROOT
from tests.template.test_events import Template

STEPS = re.search(r"^## The article's steps.*?(?=^## )", PAGE.read_text(), re.DOTALL | re.MULTILINE)
MADE = {
    name: it
    for path in ("template.yaml", "stacks/studio.yaml")
    for name, it in yaml.load((ROOT / path).read_text(), Template)["Resources"].items()
}
NAMED = sorted(set(re.findall(r"`([A-Z][A-Za-z]+)`", STEPS[0] if STEPS else "")) - {"AccessDenied"})


def test_the_parameters_of_the_page_are_those_of_the_template():
    assert fresh(PAGE.read_text()) == PAGE.read_text(), "run python -m docs.deploying_page --write"


@pytest.mark.parametrize("resource", NAMED)
def test_what_does_a_step_of_the_article_is_in_a_template(resource: str):
    assert resource in MADE


def test_every_step_of_the_article_is_there():
    titles = re.findall(r'with step\(f?"([^":]+)', (ROOT / "demo/article.py").read_text())
    steps = [title for title in titles if not title.startswith("userA,")]

    assert steps
    assert [title for title in steps if f"| {title}" not in PAGE.read_text()] == []
