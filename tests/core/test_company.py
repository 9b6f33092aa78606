"""The example of a company: golden grants, from four short policy files."""

import json
import subprocess
import sys

import pytest
import yaml

from examples.company.list_grants import COMPANY, list_grants
from examples.company.save_inventory import save_inventory
from grantor.core.access.inventory_document import encode_inventory
from tests.conftest import ROOT

GRANTS = (COMPANY / "grants.txt").read_text().splitlines()
STALE = "PYTHONPATH=layers/grantor python -m examples.company.list_grants"
STALE_INVENTORY = "PYTHONPATH=layers/grantor python -m examples.company.save_inventory"


def test_the_grants_are_those_that_somebody_has_checked():
    assert list(list_grants()) == GRANTS, STALE


def test_the_saved_inventory_has_the_files_as_they_are_and_their_grants():
    saved = json.loads((COMPANY / "saved-inventory.json").read_text())

    assert saved == json.loads(json.dumps(encode_inventory(save_inventory()))), STALE_INVENTORY
    assert len(saved["grants"]) == sum(" because " in line for line in GRANTS)


def test_three_domains_and_forty_people_need_at_most_sixty_lines_in_four_files():
    people = yaml.safe_load((COMPANY / "inventory.yaml").read_text())["profiles"]
    files = list(COMPANY.glob("policy/*.yaml"))

    assert (len(people), sum(map(len, people.values())), len(files)) == (3, 40, 4)
    assert sum(len(file.read_text().splitlines()) for file in files) <= 60


def test_a_contractor_without_a_date_gets_nothing_that_ends_and_is_named():
    given = [line for line in GRANTS if "studio/Pricing-otto" in line]

    assert [line.split()[1] for line in given] == [
        "s3://company-data/calendar.csv",
        "s3://company-data/handbook/*",
    ]
    assert any("profile Pricing/otto: it has no tag end" in line for line in GRANTS)


def test_the_script_prints_the_lines():
    done = subprocess.run(
        [sys.executable, "-m", "examples.company.list_grants"],
        cwd=ROOT, env={"PYTHONPATH": "layers/grantor"}, capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines() == GRANTS


def test_a_wrong_file_stops_it_with_all_mistakes(tmp_path):
    for file in COMPANY.rglob("*.yaml"):
        copy = tmp_path / file.relative_to(COMPANY)
        copy.parent.mkdir(exist_ok=True)
        copy.write_text(file.read_text().replace("allow: READWRITE", "alow: READWRITE"))

    with pytest.raises(ValueError, match=r"(?s)partners\.yaml:12:5: .*people\.yaml:8:5: "):
        list(list_grants(tmp_path))
