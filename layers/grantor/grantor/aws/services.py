"""The composition root of runs: builds the adapters from the environment, each at first use."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from grantor.aws.access_grants import AccessGrants
from grantor.aws.clients import Clients
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.identity_center import IdentityCenter
from grantor.aws.lease import LeaseStore
from grantor.aws.ledger import Ledger
from grantor.aws.notifications import Notifications
from grantor.aws.queues import EventQueue
from grantor.aws.run_store import RunStore
from grantor.aws.s3 import Folders, PolicyFiles
from grantor.aws.studio import KnownProfile, PrincipalLists, Studio
from grantor.core.planning.guard import GuardLimits
from grantor.core.planning.rendering import Home


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
    guard_limits: str = ""  # as GuardLimits.parse reads them
    recreated_roles: str = "withhold"  # or "grant": whether a role that is made again has grants

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
        names, region = self.names, self.clients.region
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
    def principals(self) -> PrincipalLists:
        return PrincipalLists(self.clients.iam, self.names.account_id)

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
    def guard_limits(self) -> GuardLimits:
        return GuardLimits.parse(self.names.guard_limits)

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
