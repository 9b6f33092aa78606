"""The composition root: builds the adapters from the environment, each at first use."""

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
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.identity_center import IdentityCenter
from grantor.aws.job_store import JobStore
from grantor.aws.lease import LeaseStore
from grantor.aws.ledger import Ledger
from grantor.aws.notifications import Notifications
from grantor.aws.processing import ProcessingJobs
from grantor.aws.queues import EventQueue, UploadQueue
from grantor.aws.run_store import RunStore
from grantor.aws.s3 import Folders, OperationsBucket, PolicyFiles, Uploads
from grantor.aws.studio import KnownProfile, Studio
from grantor.core.jobs.request import CodeVersion, JobNetwork, LaunchEnvironment
from grantor.core.planning.rendering import Home
from grantor.core.policy.shipped_jobs import SHIPPED_JOBS, ShippedJob


@dataclass(frozen=True)
class StackNames:
    """The names of the stack and its resources; the event queue is a URL, the topic an ARN."""

    stack_name: str
    account_id: str
    data_bucket: str
    policy_bucket: str
    ledger_table: str
    event_queue: str
    alert_topic: str

    @property
    def home(self) -> Home:
        """The stack's account, and its partition, which the topic's ARN names."""
        return Home(self.alert_topic.split(":")[1], self.account_id)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "StackNames":
        """Read the names from a function's environment.

        Raises KeyError with the name of a missing variable.
        """
        return cls(**{name: environment[name.upper()] for name in cls.__annotations__})


@dataclass
class Services:
    """The adapters that a run uses.

    `known_profiles` saves a warm environment the descriptions of unchanged profiles.
    """

    names: StackNames
    clients: Clients = field(default_factory=Clients)
    known_profiles: dict[str, KnownProfile] = field(default_factory=dict)

    @cached_property
    def grants(self) -> AccessGrants:
        names, region = self.names, self.clients.session.region_name
        return AccessGrants(self.clients.s3control, names.account_id, region, names.stack_name)

    @cached_property
    def policy_files(self) -> PolicyFiles:
        return PolicyFiles(self.clients.s3, self.names.policy_bucket)

    @cached_property
    def folders(self) -> Folders:
        return Folders(self.clients.s3)

    @cached_property
    def studio(self) -> Studio:
        return Studio(self.clients.sagemaker)

    @cached_property
    def directory(self) -> IdentityCenter:
        return IdentityCenter(self.clients.identitystore, self.clients.sso_admin)

    @cached_property
    def table(self) -> DynamoDBTable:
        return DynamoDBTable(self.clients.dynamodb, self.names.ledger_table)

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.table)

    @cached_property
    def lease_store(self) -> LeaseStore:
        return LeaseStore(self.table)

    @cached_property
    def run_store(self) -> RunStore:
        return RunStore(self.table)

    @cached_property
    def notifications(self) -> Notifications:
        return Notifications(self.clients.events, self.clients.sns, self.names.alert_topic)

    @cached_property
    def queue(self) -> EventQueue:
        return EventQueue(self.clients.sqs, self.names.event_queue)

    def clock(self) -> float:
        """The time in seconds since the epoch."""
        return time.time()


def build_services(environment: Mapping[str, str] | None = None) -> Services:
    """Build the services from the environment.

    Raises KeyError with the name of a missing variable.
    """
    return Services(StackNames.from_environment(os.environ if environment is None else environment))


BUCKET_PLACEHOLDER = "{data_bucket}"  # in the configuration, in place of the data bucket


@dataclass(frozen=True)
class JobCode:
    """The code of one job, in the folder that functions/start_spark_job/pack.py makes for it."""

    job: ShippedJob
    folder: Path

    @cached_property
    def code(self) -> CodeVersion:
        """The hash over the job's sources, and the version of its data contract."""
        return CodeVersion(self._description["code"], self._description["contract"])

    def build_files(self, data_bucket: str) -> Mapping[str, bytes]:
        """Build what must be in the operations bucket before a job on this data bucket starts."""
        root, zip_name = f"code/{self.code.hash}/", f"{self.job.package}.zip"
        configuration: Sequence[Any] = self._description["configuration"]
        written = json.dumps(configuration, indent=1).replace(BUCKET_PLACEHOLDER, data_bucket)
        return {
            f"{root}{self.job.entry}": (self.folder / self.job.entry).read_bytes(),
            f"{root}py-files/{zip_name}": (self.folder / zip_name).read_bytes(),
            f"{root}conf/{data_bucket}/configuration.json": written.encode(),
        }

    @cached_property
    def _description(self) -> Mapping[str, Any]:
        return dict(json.loads((self.folder / "code.json").read_text()))


@dataclass(frozen=True)
class JobNames:
    """The launcher's bucket, its queue's URL, the roles that it may pass, and its jobs' network."""

    operations_bucket: str
    upload_queue: str
    roles: frozenset[str]  # ARNs, in which * and ? are wildcards
    network: JobNetwork

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "JobNames":
        """Read the settings from a function's environment; lists are comma-separated.

        Raises KeyError with the name of a missing variable.
        """
        subnets, security_groups, roles = (
            _split_list(environment[name])
            for name in ("JOB_SUBNETS", "JOB_SECURITY_GROUPS", "JOB_ROLES")
        )
        return cls(
            environment["OPERATIONS_BUCKET"],
            environment["UPLOAD_QUEUE"],
            frozenset(roles),
            JobNetwork(subnets, security_groups),
        )


@dataclass
class JobServices:
    """The adapters that the job launcher uses."""

    services: Services
    names: JobNames
    code_folder: Path  # with a folder for each job that ships
    # Hashes of code, with the data buckets for which it is in the operations bucket
    placed: set[tuple[str, str]] = field(default_factory=set)

    @cached_property
    def codes(self) -> Mapping[str, JobCode]:
        """The code of each job that ships, by the job's name."""
        return {name: JobCode(job, self.code_folder / name) for name, job in SHIPPED_JOBS.items()}

    def launch_environment(self, code: CodeVersion) -> LaunchEnvironment:
        """Where a job with this code is launched."""
        stack = self.services.names
        return LaunchEnvironment(
            stack.stack_name,
            stack.account_id,
            self.services.clients.session.region_name,
            self.names.operations_bucket,
            code.hash,
            self.names.network,
        )

    @cached_property
    def jobs(self) -> ProcessingJobs:
        return ProcessingJobs(self.services.clients.processing)

    @cached_property
    def uploads(self) -> Uploads:
        return Uploads(self.services.clients.s3)

    @cached_property
    def operations(self) -> OperationsBucket:
        return OperationsBucket(self.services.clients.s3, self.names.operations_bucket)

    @cached_property
    def store(self) -> JobStore:
        return JobStore(self.services.table)

    @cached_property
    def queue(self) -> UploadQueue:
        return UploadQueue(self.services.clients.sqs, self.names.upload_queue)

    def place_code(self, code: JobCode, data_bucket: str) -> None:
        """Put the job's code where the job's request points to.

        Costs three calls, once per environment, job and bucket.
        """
        placed = code.code.hash, data_bucket
        if placed not in self.placed:
            for key, body in code.build_files(data_bucket).items():
                self.operations.put_once(key, body)
            self.placed.add(placed)

    def clock(self) -> float:
        """The time in seconds since the epoch."""
        return self.services.clock()


def build_job_services(folder: Path, environment: Mapping[str, str] | None = None) -> JobServices:
    """Build the job services from the environment and the folder with the jobs' code.

    Raises KeyError as build_services does.
    """
    variables = os.environ if environment is None else environment
    services = build_services(variables)
    return JobServices(services, JobNames.from_environment(variables), folder)


def _split_list(written: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in written.split(","))))
