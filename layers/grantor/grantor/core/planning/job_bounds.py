"""The machines that the jobs of policy files may have, as the bounds file says."""

from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

from grantor.core.diagnostics import join_some
from grantor.core.machines import choose_instances
from grantor.core.policy import value_types
from grantor.core.policy.value_types import Form, Key, Listing, Number
from grantor.core.rules import Instances, Job
from grantor.limits import MAX_PROCESSING_INSTANCES, MAX_PROCESSING_TIME, MAX_PROCESSING_VOLUME_GB
from grantor.settings import (
    DEFAULT_BOUND_HOURS,
    DEFAULT_BOUND_INSTANCES,
    DEFAULT_BOUND_MACHINES,
    DEFAULT_BOUND_VOLUME_GB,
    MAX_LISTED_LOCATIONS,
)

HOUR = timedelta(hours=1)

MACHINE = Form(
    "an instance type or a glob",
    "in a glob * matches any number of characters and ? matches one",
    "ml.m5.*",
    r"ml\.[a-z0-9*?.-]+",
)
JOBS = value_types.Mapping(
    "jobs",
    (
        Key(
            "machines",
            Listing("an instance type", MACHINE),
            "The instance types that jobs may use; `*` and `?` work as in file names.",
            "[ml.m5.large, ml.m5.xlarge]",
            slips=("types", "instances", "instance_types", "type"),
        ),
        Key(
            "count",
            Number(1, MAX_PROCESSING_INSTANCES, DEFAULT_BOUND_INSTANCES),
            "Machines of one run, at most.",
            "4",
            slips=("instance_count", "number"),
        ),
        Key(
            "hours",
            Number(1, MAX_PROCESSING_TIME // HOUR, DEFAULT_BOUND_HOURS),
            "Hours of one run, at most.",
            "8",
            slips=("time_limit", "time", "duration"),
        ),
        Key(
            "volume",
            Number(1, MAX_PROCESSING_VOLUME_GB, DEFAULT_BOUND_VOLUME_GB),
            "GB of the data volume of each machine, at most.",
            "100",
            slips=("volume_gb", "disk", "size"),
        ),
    ),
    "{machines: [ml.m5.xlarge], count: 4, hours: 8}",
)


@dataclass(frozen=True)
class JobBounds:
    """The machines that jobs may have."""

    machines: tuple[str, ...] = DEFAULT_BOUND_MACHINES  # globs of instance types
    count: int = DEFAULT_BOUND_INSTANCES  # of one run
    hours: int = DEFAULT_BOUND_HOURS  # of one run
    volume: int = DEFAULT_BOUND_VOLUME_GB  # of each machine

    def find_excess(self, job: Job) -> tuple[tuple[str, str, str], ...]:
        """What of the job is outside: the key of the bounds, what the job has, and what it may
        have.
        """
        has, hours = job.instances, job.time_limit / HOUR
        if has.is_auto and (chosen := self.choose_machines(0)):
            has = chosen
        is_known = any(fnmatchcase(has.type, glob) for glob in self.machines)
        kind = has.type or "instances: auto"
        found = {
            "machines": (is_known, kind, join_some(self.machines, MAX_LISTED_LOCATIONS)),
            "count": (has.count <= self.count, f"{has.count} machines", f"up to {self.count}"),
            "hours": (hours <= self.hours, f"{hours:g} hours", f"up to {self.hours}"),
            "volume": (has.volume <= self.volume, f"{has.volume:,} GB", f"up to {self.volume:,}"),
        }
        return tuple((key, had, may) for key, (fits, had, may) in found.items() if not fits)

    def choose_machines(self, size: int) -> Instances | None:
        """The machines for an input of so many bytes; None if the bounds allow none of those that
        are chosen from.
        """
        return choose_instances(size, self._allow, self.volume)

    def _allow(self, machines: Instances) -> bool:
        known = any(fnmatchcase(machines.type, glob) for glob in self.machines)
        return known and machines.count <= self.count
