"""The composition root: the environment becomes the things that a run talks to, each made when it is first needed."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from grantor.aws.access_grants import AccessGrants
from grantor.aws.clients import Clients
from grantor.aws.directory import Directory
from grantor.aws.domains import Domains, Known
from grantor.aws.folders import Folders
from grantor.aws.lease import Leases
from grantor.aws.ledger import Ledger
from grantor.aws.notices import Notices
from grantor.aws.policy_files import PolicyFiles
from grantor.aws.queue import Queue
from grantor.aws.records import Records
from grantor.aws.table import Table


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
