"""What the launcher sees of the world: all that a run of the reconciler sees, and what jobs need besides."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from grantor.aws.job_queue import JobQueue
from grantor.aws.job_records import JobRecords
from grantor.aws.operations import Operations
from grantor.aws.processing_jobs import ProcessingJobs
from grantor.aws.uploads import Uploads
from grantor.core.jobs.request import Desk, Network
from grantor.jobs.carried import Carried
from grantor.world import Names, World


@dataclass(frozen=True)
class JobNames:
    """What the launcher's own things are called: its bucket, its queue's URL, the roles that it may pass, its jobs' network."""

    operations: str
    uploads: str
    roles: frozenset[str]  # ARNs, in which * and ? are wildcards
    network: Network

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "JobNames":
        """As the function's environment has them; lists have commas. KeyError with the variable's name if one is missing."""
        network = Network(_words(given["JOB_SUBNETS"]), _words(given["JOB_SECURITY_GROUPS"]))
        return cls(given["OPERATIONS"], given["UPLOADS"], frozenset(_words(given["JOB_ROLES"])), network)


@dataclass
class JobWorld:
    """The world of jobs; what each part of it talks to is made when it is first needed."""

    world: World
    names: JobNames
    carried: Carried
    placed: set[str] = field(default_factory=set)  # data buckets for which the code stands where SageMaker finds it

    @cached_property
    def desk(self) -> Desk:
        stack, region = self.world.names, self.world.clients.session.region_name
        return Desk(stack.stack, stack.account, region, self.names.operations, self.carried.code.hash, self.names.network)

    @cached_property
    def jobs(self) -> ProcessingJobs:
        return ProcessingJobs(self.world.clients.processing)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.world.clients.s3)

    @cached_property
    def operations(self) -> Operations:
        return Operations(self.world.clients.s3, self.names.operations)

    @cached_property
    def records(self) -> JobRecords:
        return JobRecords(self.world.table)

    @cached_property
    def queue(self) -> JobQueue:
        return JobQueue(self.world.clients.sqs, self.names.uploads)

    def place_code(self, data_bucket: str) -> None:
        """Put the job's code where its request says that it is: three calls, once for each environment and bucket."""
        if data_bucket not in self.placed:
            for key, body in self.carried.files(data_bucket).items():
                self.operations.put_once(key, body)
            self.placed.add(data_bucket)

    def clock(self) -> float:
        """Seconds since 1970."""
        return self.world.clock()


def job_world(folder: Path, environment: Mapping[str, str] | None = None) -> JobWorld:
    """The world that the function's environment names, with the code in this folder; KeyError if a variable is missing."""
    given = os.environ if environment is None else environment
    return JobWorld(World(Names.of(given)), JobNames.of(given), Carried(folder))


def _words(written: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in written.split(","))))
