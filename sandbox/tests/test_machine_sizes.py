"""What AWS's container makes of a machine's memory, and on which machines nothing starts."""

import gzip
import json
from pathlib import Path

import moto
import pytest

from sandbox.processing.smspark.machine_sizes import Machine, explain_starvation, size_spark

XLARGE = Machine("m5.xlarge", 1, 4, 16_384)
LARGE = Machine("m5.large", 1, 2, 8_192)
TABLE = (
    (Path(__file__).parent.parent / "src/sandbox/processing/smspark/machines.csv")
    .read_text()
    .splitlines()[1:]
)


def why_starved(machine: Machine, **settings: str) -> str:
    return explain_starvation(machine, size_spark(machine, 1) | settings)


def test_an_executor_gets_nearly_all_memory_of_its_machine():
    assert size_spark(XLARGE, 1) == {
        "spark.executor.memory": "14008m",
        "spark.executor.memoryOverhead": "1400m",
        "spark.executor.cores": "4",
        "spark.executor.instances": "1",
    }


def test_the_advanced_mode_makes_executors_of_five_cores_and_keeps_one_for_the_driver():
    two = Machine("m5.2xlarge", 2, 8, 32_768)

    assert (
        size_spark(two, 2)["spark.executor.cores"],
        size_spark(two, 2)["spark.executor.instances"],
    ) == ("5", "1")


def test_a_mode_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="Could not determine Spark configuration mode: 3"):
        size_spark(XLARGE, 3)


def test_one_machine_needs_the_memory_of_its_executor_and_of_the_application_master():
    least = Machine("x", 1, 4, 15_059)

    assert why_starved(least) == ""
    assert why_starved(Machine("x", 1, 4, 15_000)).startswith("no executor starts on 1 x ml.x: ")
    assert why_starved(XLARGE) == ""


def test_the_reason_has_what_is_requested_and_what_is_there():
    assert why_starved(LARGE) == (
        "no executor starts on 1 x ml.m5.large: Spark requests 7,704 MiB for each, and the machine "
        "beside the master's 896 MiB has 7,296 MiB; on AWS the job waits for its time limit"
    )


def test_a_second_machine_holds_an_executor_beside_the_master_s():
    assert why_starved(Machine("m5.large", 2, 2, 8_192)) == ""


def test_a_job_that_asks_for_smaller_executors_starts_on_a_small_machine():
    assert (
        explain_starvation(LARGE, {"spark.executor.memory": "4g", "spark.executor.instances": "1"})
        == ""
    )


def test_in_the_advanced_mode_a_single_small_machine_has_no_executor():
    assert explain_starvation(XLARGE, size_spark(XLARGE, 2)) != ""


def test_the_table_has_the_sizes_that_ec2_gives():
    packed = Path(moto.__file__).parent / "ec2/resources/instance_types.json.gz"
    known = json.loads(gzip.decompress(packed.read_bytes()))
    sizes = {
        f"ml.{name}": f"{one['VCpuInfo']['DefaultVCpus']},{one['MemoryInfo']['SizeInMiB']}"
        for name, one in known.items()
    }
    rows = dict(row.split(",", 1) for row in TABLE)

    assert len(rows) > 200
    assert {name: size for name, size in rows.items() if sizes[name] != size} == {}
