"""Errors of smspark-submit before Spark starts: the messages of AWS's container, in the file where
SageMaker looks for them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAMS = Path(__file__).parent.parent / "src/sandbox/processing"
INPUT = "opt/ml/processing/input"
BEGIN = "Algorithm Error: (caused by {}): "
UNPREPARED = f"{BEGIN}error preparing for spark submit: ".format("ValueError")
UNRUN = f"{BEGIN}error running Spark job: "
MORE = (
    "Please refer to https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-configure-apps.html "
    "for more information"
)
MODULE = "import runpy; runpy.run_module('smspark', run_name='__main__')"
KINDS = [
    "core-site", "hadoop-env", "hadoop-log4j", "hive-env", "hive-log4j", "hive-exec-log4j", "hive-site", "spark-defaults", "spark-env",
    "spark-log4j", "spark-hive-site", "spark-metrics", "yarn-env", "yarn-site",
]  # fmt: skip


@pytest.fixture
def container(tmp_path: Path) -> Path:
    """A container's folder with an empty folder of py-files."""
    for inside in ("opt/ml/output", "opt/ml/config", f"{INPUT}/py-files", f"{INPUT}/conf"):
        (tmp_path / inside).mkdir(parents=True)
    return tmp_path


def says(container: Path, *words: str) -> tuple[int, str]:
    """How smspark-submit ends, and the message that it leaves."""
    environment = os.environ | {
        "SANDBOX_CONTAINER": str(container),
        "AWS_REGION": "us-east-1",
        "PYTHONPATH": str(PROGRAMS),
    }
    ended = subprocess.run(
        [sys.executable, "-c", MODULE, *words],
        env=environment,
        capture_output=True,
        check=False,
    )
    message = container / "opt/ml/output/message"
    assert message.is_file(), ended.stderr
    return ended.returncode, message.read_text()


def configured(container: Path, *entries: Any) -> tuple[int, str]:
    """How it ends with this configuration.json."""
    (container / INPUT / "conf/configuration.json").write_text(json.dumps(list(entries)))
    return says(container, "x.py")


def test_an_unknown_option_is_refused(container: Path):
    assert says(container, "--conf", "a=b", "x.py") == (
        1,
        f"{BEGIN.format('NoSuchOption')}Couldn't parse input.: No such option: --conf",
    )


def test_an_option_without_its_value_is_refused(container: Path):
    assert says(container, "--jars") == (
        1,
        f"{UNRUN.format('BadOptionUsage')}Option '--jars' requires an argument.",
    )


def test_without_an_application_nothing_runs(container: Path):
    assert says(container) == (
        1,
        f"{BEGIN.format('MissingParameter')}Couldn't parse input.: Missing parameter: app",
    )


def test_a_folder_without_files_is_refused_by_the_container_s_name_for_it(container: Path):
    said = says(container, "--py-files", f"{container}/{INPUT}/py-files", "x.py")

    assert said == (1, f"{UNPREPARED}Found zero files in /{INPUT}/py-files")


def test_a_file_that_is_not_there_is_refused(container: Path):
    said = says(container, "--jars", f"{container}/{INPUT}/x.jar", "x.py")

    assert said == (1, f"{UNPREPARED}file path /{INPUT}/x.jar does not exist")


@pytest.mark.parametrize(
    ("path", "shown"), [("file:///opt/x.jar", "file:/opt/x.jar"), ("x.jar", "x.jar")]
)
def test_a_file_by_a_uri_or_a_relative_path_is_refused(container: Path, path: str, shown: str):
    assert says(container, "--jars", path, "x.py") == (
        1,
        f"{UNPREPARED}file path {shown} must be an absolute path to a file or directory",
    )


def test_a_place_for_event_logs_in_s3_is_an_option(container: Path):
    said = says(container, "--spark-event-logs-s3-uri", "s3://logs/", "--jars", "x.jar", "x.py")

    assert said[1].startswith(UNPREPARED)


def test_a_classification_that_the_container_does_not_know_is_refused(container: Path):
    said = configured(container, {"Classification": "emrfs-site", "Properties": {}})

    assert said == (
        1,
        f"{UNRUN.format('ValueError')}Invalid classification: emrfs-site. Must be one of {KINDS}. {MORE}.",
    )


def test_an_entry_without_properties_is_refused(container: Path):
    assert configured(container, {"Classification": "spark-defaults"}) == (
        1,
        f"{UNRUN.format('KeyError')}'Properties'",
    )


def test_variables_without_a_configuration_of_their_own_are_refused(container: Path):
    said = configured(container, {"Classification": "spark-env", "Properties": {"A": "1"}})

    assert said == (
        1,
        f"{UNRUN.format('ValueError')}'env' classifications require a sub-configuration. {MORE}",
    )


def test_variables_in_a_configuration_of_another_name_are_refused(container: Path):
    inner = {"Classification": "spark-defaults", "Properties": {"A": "1"}}
    said = configured(
        container,
        {"Classification": "spark-env", "Properties": {}, "Configurations": [inner]},
    )

    assert said == (
        1,
        f"{UNRUN.format('ValueError')}env classifications must use the 'export' sub-classification. {MORE}.",
    )


def test_a_configuration_that_is_no_json_is_refused(container: Path):
    (container / INPUT / "conf/configuration.json").write_text("{")

    assert says(container, "x.py")[1].startswith(UNRUN.format("JSONDecodeError"))


def test_an_instance_type_that_the_image_does_not_know_is_refused(container: Path):
    cluster = {"InstanceType": "ml.z9.huge", "InstanceCount": 1}
    (container / "opt/ml/config/processingjobconfig.json").write_text(
        json.dumps({"ProcessingResources": {"ClusterConfig": cluster}})
    )

    assert says(container, "x.py") == (1, f"{UNRUN.format('KeyError')}'z9.huge'")
