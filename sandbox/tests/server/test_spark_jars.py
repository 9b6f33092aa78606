"""The jars of Spark's S3A are those of the lock, or the one that is not is named."""

import hashlib
from pathlib import Path

import pytest

from sandbox.spark_jars import find_differences
from tests.conftest import ROOT

LOCK = "".join(
    f"{hashlib.sha256(name.encode()).hexdigest()}  {name}.jar\n" for name in ("hadoop", "plugin")
)
LAID: list[tuple[dict[str, str], list[str]]] = [
    ({"hadoop": "hadoop", "plugin": "plugin"}, []),
    ({"hadoop": "hadoop"}, ["plugin.jar: is missing"]),
    ({"hadoop": "hadoop", "plugin": "another"}, ["plugin.jar: has another SHA-256"]),
    (
        {"hadoop": "hadoop", "plugin": "plugin", "stranger": ""},
        ["stranger.jar: is not in the lock"],
    ),
    ({}, ["hadoop.jar: is missing", "plugin.jar: is missing"]),
]


@pytest.mark.parametrize(
    ("jars", "wrong"), LAID, ids=["as locked", "missing", "changed", "added", "none"]
)
def test_a_jar_that_differs_from_its_lock_is_named(
    tmp_path: Path, jars: dict[str, str], wrong: list[str]
):
    for name, text in jars.items():
        (tmp_path / f"{name}.jar").write_text(text)

    assert find_differences(LOCK, tmp_path) == wrong


def test_the_lock_has_hadoop_3_5_and_the_plugin():
    named = {line.split()[1] for line in (ROOT / "locks/spark-jars.txt").read_text().splitlines()}

    assert "org.apache.hadoop_hadoop-aws-3.5.0.jar" in named
    assert "software.amazon.s3.accessgrants_aws-s3-accessgrants-java-plugin-2.3.0.jar" in named
