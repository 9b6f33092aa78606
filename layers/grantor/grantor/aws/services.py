"""The composition root: the environment becomes the things that a run talks to, each made when it is first needed."""

import json
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from grantor.aws.access_grants import AccessGrants
from grantor.aws.clients import Clients
from grantor.aws.dynamodb import Table
from grantor.aws.identity_center import Directory
from grantor.aws.job_store import JobRecords
from grantor.aws.lease import Leases
from grantor.aws.ledger import Ledger
from grantor.aws.notifications import Notices
from grantor.aws.processing import ProcessingJobs
from grantor.aws.queues import JobQueue, Queue
from grantor.aws.run_store import Records
from grantor.aws.s3 import Folders, Operations, PolicyFiles, Uploads
from grantor.aws.studio import Domains, Known
from grantor.core.jobs.identity import Code
from grantor.core.jobs.request import Desk, Network


@dataclass(frozen=True)
class Names:
    """What the stack's things are called: its own name, the account, buckets, the ledger's table, the queue's URL, the topic's ARN."""

    stack: str
    account: str
    data_bucket: str
    policy_bucket: str
    ledger: str
    bells: str
    notices: str

    @classmethod
    def of(cls, given: Mapping[str, str]) -> "Names":
        """As the function's environment has them; KeyError with the variable's name if one is missing."""
        return cls(**{name: given[name.upper()] for name in cls.__annotations__})


@dataclass
class World:
    """What a run sees of the world. `memory` is what was read of the Studio profiles, and spares a warm environment their descriptions."""

    names: Names
    clients: Clients = field(default_factory=Clients)
    memory: dict[str, Known] = field(default_factory=dict)

    @cached_property
    def grants(self) -> AccessGrants:
        region = self.clients.session.region_name
        return AccessGrants(self.clients.s3control, self.names.account, region, self.names.stack)

    @cached_property
    def files(self) -> PolicyFiles:
        return PolicyFiles(self.clients.s3, self.names.policy_bucket)

    @cached_property
    def folders(self) -> Folders:
        return Folders(self.clients.s3)

    @cached_property
    def domains(self) -> Domains:
        return Domains(self.clients.sagemaker)

    @cached_property
    def directory(self) -> Directory:
        return Directory(self.clients.identitystore, self.clients.sso_admin)

    @cached_property
    def table(self) -> Table:
        return Table(self.clients.dynamodb, self.names.ledger)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.table)

    @cached_property
    def leases(self) -> Leases:
        return Leases(self.table)

    @cached_property
    def records(self) -> Records:
        return Records(self.table)

    @cached_property
    def notices(self) -> Notices:
        return Notices(self.clients.events, self.clients.sns, self.names.notices)

    @cached_property
    def queue(self) -> Queue:
        return Queue(self.clients.sqs, self.names.bells)

    def clock(self) -> float:
        """Seconds since 1970."""
        return time.time()


def world(environment: Mapping[str, str] | None = None) -> World:
    """The world that the function's environment names; KeyError with the variable's name if one is missing."""
    return World(Names.of(os.environ if environment is None else environment))


BUCKET = "{data_bucket}"  # stands in the configuration for the bucket that the data is in


@dataclass(frozen=True)
class Carried:
    """A folder as functions/start_spark_job/pack.py makes it."""

    folder: Path

    @cached_property
    def code(self) -> Code:
        """The hash over all that is carried, and the version of the data contract."""
        return Code(self._told["code"], self._told["contract"])

    def files(self, data_bucket: str) -> Mapping[str, bytes]:
        """What has to stand in the operations bucket, by its key, before a job on this bucket is started."""
        root = f"code/{self.code.hash}/"
        configuration: Sequence[Any] = self._told["configuration"]
        written = json.dumps(configuration, indent=1).replace(BUCKET, data_bucket)
        return {
            f"{root}preprocess.py": (self.folder / "preprocess.py").read_bytes(),
            f"{root}py-files/abalone.zip": (self.folder / "abalone.zip").read_bytes(),
            f"{root}conf/{data_bucket}/configuration.json": written.encode(),
        }

    @cached_property
    def _told(self) -> Mapping[str, Any]:
        return dict(json.loads((self.folder / "carried.json").read_text()))


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
