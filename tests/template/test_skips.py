"""Every skipped check of the templates has its reason beside it."""

import re

import pytest
import yaml

from tests.conftest import ROOT
from tests.template.test_events import Template

TEMPLATES = [
    "template.yaml",
    *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "stacks").glob("*.yaml")),
]


@pytest.mark.parametrize(
    ("file", "key"), [(".cfnlintrc", "ignore_checks"), (".checkov.yaml", "skip-check")]
)
def test_a_check_that_is_skipped_everywhere_has_its_reason_on_its_line(file, key):
    text = (ROOT / file).read_text()
    lines = re.findall(r"^  - (\S+)(?: # (.*))?$", text.partition(f"{key}:\n")[2], re.MULTILINE)

    assert [check for check, _ in lines] == yaml.safe_load(text)[key]
    assert [check for check, reason in lines if len(reason) < 30] == []


@pytest.mark.parametrize("file", TEMPLATES)
def test_a_check_that_a_resource_skips_has_its_reason_there(file):
    resources = yaml.load((ROOT / file).read_text(), Template)["Resources"]
    skips = [
        skip
        for it in resources.values()
        for skip in it.get("Metadata", {}).get("checkov", {}).get("skip", [])
    ]

    assert [skip["id"] for skip in skips if len(skip["comment"]) < 20] == []
    assert (ROOT / file).read_text().count("CKV_") == len(skips)


@pytest.mark.parametrize("file", [".cfnlintrc", ".checkov.yaml"])
def test_every_template_is_checked(file):
    judged = yaml.safe_load((ROOT / file).read_text())
    patterns = judged.get("templates") or judged["file"]

    assert sorted(
        str(path.relative_to(ROOT)) for pattern in patterns for path in ROOT.glob(pattern)
    ) == sorted(TEMPLATES)
