"""What a sweep with nothing to change costs the built function, beside a script that reads the same pages and does nothing with them."""

import time
from dataclasses import dataclass
from pathlib import Path

from benchmarks.built import MEMORY, TIMEOUT, Place, batch, clock, invoke
from benchmarks.figures import Figure, columns
from tests.conftest import ACCOUNT
from tests.estate import LEDGER, Estate


@dataclass(frozen=True)
class Sweep:
    """One sweep by a process that has swept before: seconds by the clock and of one core, MB at most, seconds of the plain reading."""

    grants: int
    took: float
    core: float
    memory: float
    plain: float

    @property
    def figures(self) -> list[Figure]:
        what = f"sweep of {self.grants:,} grants"
        return [
            Figure(f"{what}, warm", self.took, "s", TIMEOUT),
            Figure(f"{what}, warm / reading the same pages", self.took / self.plain, "x"),
            Figure(f"{what}, one core busy", self.core, "s"),
            Figure(f"{what}, most memory", self.memory, "MB", MEMORY),
        ]

    def row(self) -> tuple[object, ...]:
        return f"sweep of {self.grants:,} grants", self.took, self.plain, self.took / self.plain, self.core, self.memory


def measure(place: Place) -> Sweep:
    """A cold sweep, which is not counted, and a warm one."""
    with place.reconcile_grants() as environment:
        invoke(environment, batch(clock()))
        pid = environment.process.pid if environment.process else 0
        before = _core(pid)
        told = invoke(environment, batch(clock()))
        core = _core(pid) - before
    begun = time.perf_counter()
    grants = _read(place.estate)
    return Sweep(grants, told.duration / 1000, core, told.memory, time.perf_counter() - begun)


def table(sweeps: list[Sweep]) -> str:
    head = ("", "seconds", "plain reading", "ratio", "core busy", "MB")
    return columns(head, [sweep.row() for sweep in sweeps])


def _read(estate: Estate) -> int:
    """Reads every page of the grants and of the ledger; how many grants there are."""
    control, grants = estate.client("s3control"), 0
    asked = {"AccountId": ACCOUNT, "MaxResults": 1000}
    while True:
        page = control.list_access_grants(**asked)
        grants += len(page["AccessGrantsList"])
        if "NextToken" not in page:
            break
        asked["NextToken"] = page["NextToken"]
    for _ in estate.client("dynamodb").get_paginator("scan").paginate(TableName=LEDGER):
        pass
    return grants


def _core(pid: int) -> float:
    """Seconds that the process has kept a core busy (proc(5): utime and stime, in hundredths)."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100
