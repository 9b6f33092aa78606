"""The machines of jobs: their memory and price, which of them can run Spark alone, and which a job
with `instances: auto` gets.

Memory and vCPUs are those of the EC2 types (EC2 DescribeInstanceTypes); SageMaker puts ml. before
the name. Prices are in USD an hour, for SageMaker Processing in us-east-1 on demand, as the AWS
Price List has them under USE1-Processing (public copies of it, read in November 2026;
https://aws.amazon.com/sagemaker/pricing/ has today's). They inform people, and decide nothing.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil

from grantor.core.rules import Instances
from grantor.limits import MAX_PROCESSING_VOLUME_GB

TYPE = re.compile(r"ml\.([a-z0-9]+)\.(medium|large|[0-9]{0,2}xlarge)")
# GiB of memory for each vCPU, by family. A family that is not listed is not judged.
FAMILY_MEMORY = {
    **dict.fromkeys(("t3", "m5", "m5d", "m6i", "m7i"), 4),
    **dict.fromkeys(("c5", "c6i", "c7i"), 2),
    **dict.fromkeys(("r5", "r5d", "r6i", "r7i"), 8),
}
PRICES = {
    "ml.m5.xlarge": 0.23, "ml.m5.2xlarge": 0.461, "ml.m5.4xlarge": 0.922,
    "ml.r5.xlarge": 0.302, "ml.r5.2xlarge": 0.605, "ml.r5.4xlarge": 1.21,
    "ml.c5.xlarge": 0.204, "ml.c5.2xlarge": 0.408, "ml.c5.4xlarge": 0.816,
}  # fmt: skip
# What YARN gives the application master first, in MiB (AWS's spark-defaults, yarn-site of the image
# 3.5-cpu-py312-v1.3).
MASTER_MIB = 896
GIB = 2**30
MIN_VOLUME_GB = 30
# A staged job has the input, the output and a copy of each on the disk of its first machine.
VOLUME_FACTOR = 3


def read_vcpus(kind: str) -> int:
    """The vCPUs of an instance type; 0 if its name does not tell.

    >>> [read_vcpus(f"ml.m5.{size}") for size in ("large", "xlarge", "4xlarge")], read_vcpus("x")
    ([2, 4, 16], 0)
    """
    found = TYPE.fullmatch(kind)
    if found is None:
        return 0
    return 4 * int(found[2].removesuffix("xlarge") or 1) if "xlarge" in found[2] else 2


def read_memory(kind: str) -> int | None:
    """The memory of an instance type in MiB; None if it is not known.

    >>> read_memory("ml.m5.xlarge"), read_memory("ml.t3.medium"), read_memory("ml.p3.2xlarge")
    (16384, 4096, None)
    """
    found = TYPE.fullmatch(kind)
    if found is None or found[1] not in FAMILY_MEMORY:
        return None
    gib = FAMILY_MEMORY[found[1]] * read_vcpus(kind)
    return (gib // 2 if found[2] == "medium" else gib) * 1024


def starts_executor(kind: str, count: int) -> bool:
    """Whether AWS's container can start an executor on so many machines of this type.

    smspark sizes one executor for each machine at 0.9 x 0.95 of its memory, plus a tenth of that
    (bootstrapper.py at 7d90eeb). With one machine, the application master needs its share of the
    same memory first, so that one of less than about 15,059 MiB never gets an executor: the job
    waits for it until its time limit. A type that is not known is not judged.

    >>> [starts_executor(kind, 1) for kind in ("ml.m5.large", "ml.m5.xlarge", "ml.c5.xlarge")]
    [False, True, False]
    >>> starts_executor("ml.m5.large", 2), starts_executor("ml.p3.2xlarge", 1)
    (True, True)
    """
    memory = read_memory(kind)
    if memory is None or count > 1:
        return True
    heap = int(memory * 0.95 * 0.9)
    return MASTER_MIB + heap + int(heap * 0.1) <= memory


def suggest_machine(kind: str) -> str:
    """The smallest size of the same family that starts an executor alone.

    >>> suggest_machine("ml.t3.medium"), suggest_machine("ml.c5.large")
    ('ml.t3.xlarge', 'ml.c5.2xlarge')
    """
    family = kind.rpartition(".")[0]
    sizes = (f"{family}.{size}" for size in ("xlarge", "2xlarge", "4xlarge"))
    return next(one for one in sizes if starts_executor(one, 1))


@dataclass(frozen=True)
class AutoStep:
    """The machines for inputs of up to so many bytes."""

    up_to: float
    size: str
    count: int

    def build(self, family: str, volume: int) -> Instances:
        """The machines, of a family."""
        return Instances(f"ml.{family}.{self.size}", self.count, volume)


AUTO_FAMILIES = ("m5", "r5", "c5")  # the first one that the bounds allow
AUTO_STEPS = (
    AutoStep(1 * GIB, "xlarge", 1),
    AutoStep(8 * GIB, "2xlarge", 1),
    AutoStep(32 * GIB, "2xlarge", 2),
    AutoStep(128 * GIB, "2xlarge", 4),
    AutoStep(512 * GIB, "4xlarge", 4),
    AutoStep(float("inf"), "4xlarge", 8),
)


def choose_instances(
    size: int, allow: Callable[[Instances], bool], most_volume: int = MAX_PROCESSING_VOLUME_GB
) -> Instances | None:
    """Choose the machines of an input of `size` bytes; None if the bounds allow none of them.

    If the bounds allow no machines that are large enough, the largest that they allow are chosen.

    >>> [choose_instances(gib * GIB, lambda _: True).count for gib in (0, 20, 100, 1000)]
    [1, 2, 4, 8]
    """
    needed = max(MIN_VOLUME_GB, ceil(VOLUME_FACTOR * size / 10**9))
    volume = min(needed, most_volume, MAX_PROCESSING_VOLUME_GB)
    for family in AUTO_FAMILIES:
        if possible := _list_possible(family, volume, allow):
            fitting = (machines for step, machines in possible if size <= step.up_to)
            return next(fitting, possible[-1][1])
    return None


def _list_possible(
    family: str, volume: int, allow: Callable[[Instances], bool]
) -> Sequence[tuple[AutoStep, Instances]]:
    steps = [(step, step.build(family, volume)) for step in AUTO_STEPS]
    return [
        (step, machines)
        for step, machines in steps
        if starts_executor(machines.type, machines.count) and allow(machines)
    ]


def compute_price(instances: Instances) -> float | None:
    """USD for an hour of all machines, without their disks; None if it is not known.

    >>> compute_price(Instances("ml.m5.2xlarge", 2))
    0.922
    """
    price = PRICES.get(instances.type)
    return None if price is None else price * instances.count
