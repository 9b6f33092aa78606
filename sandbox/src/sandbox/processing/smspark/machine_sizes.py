"""How much memory YARN and Spark get on a machine, and whether an executor can start there.

The container sizes one executor for each machine, with nearly all of its memory. The application
master takes its own memory first, on one of the machines. A single machine that is too small for
both never runs a task, and the job waits for its time limit.

Sources: bootstrapper.py and constants.py of the container; Spark, "Running Spark on YARN"
(spark.yarn.am.memory and its overhead). machines.csv: EC2, DescribeInstanceTypes, from which AWS
makes the image's own list, as moto 5.2.5 repeats it, for the processing instances of SageMaker's
model. A type without a row is unknown to the image.
"""

import csv
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .submit_errors import CONTAINER

JOB_CONFIGURATION = CONTAINER / "opt/ml/config/processingjobconfig.json"
MACHINES = Path(__file__).with_name("machines.csv")
STANDARD, ADVANCED = 1, 2  # values of AWS_SPARK_CONFIG_MODE
EXECUTOR_CORES = 5  # in the advanced mode
UNITS = {"k": 1 / 1024, "m": 1, "g": 1024, "t": 1024 * 1024}  # of Spark's sizes, in MiB
MASTER_MEMORY, LEAST_OVERHEAD, OVERHEAD_SHARE = "512m", 384, 0.10  # of the application master


@dataclass(frozen=True)
class Machine:
    """The machines of a job: their type and number, and vCPUs and memory (MiB) of each."""

    kind: str
    count: int
    vcpus: int
    memory: int


def read_machine() -> Machine | None:
    """Return the machines that the job has asked for; None outside of a processing job.

    Raises KeyError for a type that the image does not know, as the container does.
    """
    if not JOB_CONFIGURATION.exists():
        return None
    cluster = json.loads(JOB_CONFIGURATION.read_text())["ProcessingResources"]["ClusterConfig"]
    kind = str(cluster["InstanceType"]).replace("ml.", "")
    with MACHINES.open(newline="") as rows:
        sizes = {row["type"].replace("ml.", ""): row for row in csv.DictReader(rows)}
    size = sizes[kind]
    return Machine(kind, int(cluster["InstanceCount"]), int(size["vcpus"]), int(size["memory_mib"]))


def size_spark(machine: Machine, mode: int) -> dict[str, str]:
    """Return the settings of executors that the container derives from its machines.

    The driver runs here, so it gets the memory that this machine gives it. Raises ValueError for a
    mode that the container does not have.
    """
    if mode == STANDARD:
        executors, cores = machine.count, machine.vcpus
        executor = int(machine.memory * 0.95 * (1 - 0.1))
        overhead = int(executor * 0.1)
    elif mode == ADVANCED:
        cores = min(EXECUTOR_CORES, machine.vcpus - 1)
        each = (machine.vcpus - 1) // cores
        executors = machine.count * each - 1
        total = int((int(machine.memory * 0.95) - 1024) / each)
        executor, overhead = int(total * 0.9), int(total * 0.1)
    else:
        raise ValueError(f"Could not determine Spark configuration mode: {mode}.")
    return {
        "spark.executor.memory": f"{executor}m",
        "spark.executor.memoryOverhead": f"{overhead}m",
        "spark.executor.cores": str(cores),
        "spark.executor.instances": str(executors),
    }


def explain_starvation(machine: Machine, settings: Mapping[str, str]) -> str:
    """Return why YARN can start no executor on these machines; empty if it can start one.

    `settings` are those of Spark, the job's own included.
    """
    executor = _add_overhead(settings, "spark.executor.memory", "spark.executor.memoryOverhead")
    master = _add_overhead(
        {"spark.yarn.am.memory": MASTER_MEMORY, **settings},
        "spark.yarn.am.memory",
        "spark.yarn.am.memoryOverhead",
    )
    if machine.count > 1:
        free, where = machine.memory, "a machine"
    else:
        free, where = machine.memory - master, f"the machine beside the master's {master:,} MiB"
    if int(settings["spark.executor.instances"]) > 0 and executor <= free:
        return ""
    return (
        f"no executor starts on {machine.count} x ml.{machine.kind}: Spark requests {executor:,} "
        f"MiB for each, and {where} has {max(0, free):,} MiB; on AWS the job waits for its time "
        "limit"
    )


def _add_overhead(settings: Mapping[str, str], memory: str, overhead: str) -> int:
    """Return memory and overhead in MiB."""
    size = _parse_size(settings[memory])
    given = settings.get(overhead)
    return size + (_parse_size(given) if given else max(LEAST_OVERHEAD, int(size * OVERHEAD_SHARE)))


def _parse_size(text: str) -> int:
    """Return one of Spark's sizes in MiB.

    >>> _parse_size("4g"), _parse_size("512m"), _parse_size("1024")
    (4096, 512, 1024)
    """
    word = text.strip().lower().removesuffix("b")
    unit = word[-1] if word[-1] in UNITS else "m"
    return int(float(word.rstrip("kmgt")) * UNITS[unit])
