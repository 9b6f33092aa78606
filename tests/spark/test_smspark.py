"""Errors of smspark-submit before Spark starts: the messages of AWS's container, in the file where
SageMaker looks for them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

INPUT = "opt/ml/processing/input"
BEGIN = "Algorithm Error: (caused by ValueError): "
UNPREPARED = f"{BEGIN}error preparing for spark submit: "


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A container's folder with an empty folder of py-files."""
    for inside in ("opt/ml/output", f"{INPUT}/py-files", f"{INPUT}/conf"):
        (tmp_path / inside).mkdir(parents=True)
    return tmp_path


def says(container: Path, *words: str) -> tuple[int, str]:
    """How smspark-submit ends, and the message that it leaves."""
    environment = os.environ | {"SANDBOX_CONTAINER": str(container), "AWS_REGION": "us-east-1"}
    ended = subprocess.run(
        [sys.executable, ROOT / "sandbox/src/sandbox/processing/smspark.py", *words],
        env=environment,
        capture_output=True,
        check=False,
    )
    return ended.returncode, (container / "opt/ml/output/message").read_text()


def test_an_unknown_option_is_refused(container: Path):
    assert says(container, "--conf", "a=b", "x.py")[1].startswith(f"{BEGIN}Couldn't parse input.: ")


def test_without_an_application_nothing_runs(container: Path):
    assert says(container) == (
        1,
        f"{BEGIN}Couldn't parse input.: the following arguments are required: app, rest",
    )


def test_a_folder_without_files_is_refused_by_the_container_s_name_for_it(container: Path):
    said = says(container, "--py-files", f"{container}/{INPUT}/py-files", "x.py")

    assert said == (1, f"{UNPREPARED}Found zero files in /{INPUT}/py-files")


def test_a_file_that_is_not_there_is_refused(container: Path):
    said = says(container, "--jars", f"{container}/{INPUT}/x.jar", "x.py")

    assert said == (1, f"{UNPREPARED}file path /{INPUT}/x.jar does not exist")


def test_a_classification_that_the_container_does_not_know_is_refused(container: Path):
    (container / INPUT / "conf/configuration.json").write_text(
        json.dumps([{"Classification": "emrfs-site", "Properties": {}}])
    )

    assert says(container, "x.py")[1].startswith(
        f"{UNPREPARED}Invalid classification: emrfs-site. Must be one of ['core-site', "
    )
