"""The composition root of runs: builds the adapters from the environment, each at first use."""

import os
import time
from collections.abc import Callable, Container, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from grantor.aws.access_grants import AccessGrants
from grantor.aws.clients import Clients
from grantor.aws.dynamodb import DynamoDBTable
from grantor.aws.history_store import HistoryStore
from grantor.aws.identity_center import IdentityCenter
from grantor.aws.lease import LeaseStore
from grantor.aws.ledger import Ledger
from grantor.aws.notifications import Notifications
from grantor.aws.policy_store import PolicyStore
from grantor.aws.queues import EventQueue
from grantor.aws.run_store import RunStore, Sweep, parse_guard
from grantor.aws.s3 import Folders, PolicyFiles
from grantor.aws.studio import KnownProfile, PrincipalLists, ProfileList, Studio
from grantor.core.grant import Grant, LedgerEntry, Location, Pair, Principals
from grantor.core.planning.guard import GuardLimits
from grantor.core.planning.rendering import Home
from grantor.core.snapshot import Window
from grantor.settings import CONCURRENT_CALLS

if TYPE_CHECKING:
    from grantor.aws.review_store import ReviewStore


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
    operations_bucket: str = ""

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
class LastNeeds:
    """What the rules of the last run needed: the kinds of principals, and whether the profiles'
    tags. The next run of the process begins to read that before it has read the policy files. None
    before the first run.
    """

    kinds: frozenset[str] | None = None
    with_tags: bool | None = None


@dataclass
class Services:
    """The adapters that a run uses.

    `known_profiles` saves a warm environment the descriptions of unchanged profiles; `last_needs`
    saves it a wait for the policy files.
    """

    names: StackNames
    clients: Clients = field(default_factory=Clients)
    known_profiles: dict[str, KnownProfile] = field(default_factory=dict)
    last_needs: LastNeeds = field(default_factory=LastNeeds)

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
    def policy_store(self) -> PolicyStore:
        return PolicyStore(self.table)

    @cached_property
    def run_store(self) -> RunStore:
        return RunStore(self.table)

    @cached_property
    def review_store(self) -> "ReviewStore":
        from grantor.aws.review_store import ReviewStore  # few stacks have rules with `review`

        return ReviewStore(self.table)

    @cached_property
    def history(self) -> HistoryStore:
        return HistoryStore(self.clients.s3, self.names.operations_bucket)

    @cached_property
    def notifications(self) -> Notifications:
        return Notifications(self.clients.events, self.clients.sns, self.names.alert_topic)

    @cached_property
    def queue(self) -> EventQueue:
        return EventQueue(self.clients.sqs, self.names.event_queue)

    @cached_property
    def executor(self) -> ThreadPoolExecutor:
        """For reads beside each other. Its threads stay: to start one takes as long as a call."""
        return ThreadPoolExecutor(CONCURRENT_CALLS)

    def clock(self) -> float:
        """The time in seconds since the epoch."""
        return time.time()


@dataclass
class EarlyReads:
    """Reads of a run that depend on nothing else. Each begins in a thread of its own when it is
    first named here; the run waits for it where it needs its result.

    As a context manager it waits in the end for all that have begun, also if the run has failed.
    """

    services: Services
    _begun: list[Future[Any]] = field(default_factory=list)
    _principals: dict[frozenset[str], Future[Principals]] = field(default_factory=dict)
    _profiles: dict[bool, Future[ProfileList]] = field(default_factory=dict)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        wait(self._begun)

    def begin[**P, T](
        self, read: Callable[P, T], *arguments: P.args, **named: P.kwargs
    ) -> Future[T]:
        """Begin a read in a thread of its own."""
        future = self.services.executor.submit(read, *arguments, **named)
        self._begun.append(future)
        return future

    def begin_everything(self) -> None:
        """Begin what a run over everything reads, whatever the policy files say; and what it needs
        if they say the same as in the last run.
        """
        _ = self.domains, self.ledger, self.locations, self.grants
        needs = self.services.last_needs
        if needs.kinds is not None:
            self._begin_principals(needs.kinds)
        if needs.with_tags is not None:
            self._begin_profiles(needs.with_tags)

    @cached_property
    def ledger(self) -> Future[tuple[list[LedgerEntry], frozenset[Pair]]]:
        return self.begin(self.services.ledger.read_all)

    @cached_property
    def domains(self) -> Future[dict[str, str]]:
        return self.begin(self.services.studio.list_domains)

    @cached_property
    def locations(self) -> Future[tuple[Location, ...]]:
        return self.begin(self.services.grants.list_locations)

    @cached_property
    def grants(self) -> Future[dict[Grant, str]]:
        known = _LedgerIds(self.ledger)
        return self.begin(self.services.grants.list_grants, known=known)

    def list_principals(self, kinds: frozenset[str]) -> Future[Principals]:
        """The account's principals of these kinds."""
        self.services.last_needs.kinds = kinds
        return self._begin_principals(kinds)

    def _begin_principals(self, kinds: frozenset[str]) -> Future[Principals]:
        if kinds not in self._principals:
            read = self.services.principals.read_principals
            self._principals[kinds] = self.begin(read, kinds)
        return self._principals[kinds]

    def list_profiles(self, with_tags: bool) -> ProfileList:
        """All profiles of all domains; waits for them."""
        self.services.last_needs.with_tags = with_tags
        return self._begin_profiles(with_tags).result()

    def _begin_profiles(self, with_tags: bool) -> Future[ProfileList]:
        if with_tags not in self._profiles:
            domains = self.domains  # it has a thread already, so whoever waits for it ends

            def read() -> ProfileList:
                known = self.services.known_profiles
                return self.services.studio.list_profiles(domains.result(), with_tags, known)

            self._profiles[with_tags] = self.begin(read)
        return self._profiles[with_tags]

    def read_guard(self) -> tuple[Sweep, Window]:
        """What the guard compares a plan with: a part of the ledger, if the run reads all of that;
        else a call. Only who holds the lease writes it.
        """
        if "ledger" not in vars(self):
            return self.services.run_store.read_guard()
        self.ledger.result()
        marks = self.services.ledger.marks
        return parse_guard(marks.get("sweep"), marks.get("guard"))

    def read_domains(self) -> dict[str, str]:
        """The ids of the Studio domains by name; waits for them."""
        return self.domains.result()

    def iterate_pairs(self) -> Iterator[Pair]:
        """The pairs of the ledger; waits for them when the first is asked for."""
        yield from self.ledger.result()[1]


@dataclass(frozen=True)
class _LedgerIds(Container[str]):
    """The ids of the grants in the ledger, once it is read. Only for a grant that S3 has twice does
    anybody ask.
    """

    ledger: Future[tuple[list[LedgerEntry], frozenset[Pair]]]

    def __contains__(self, grant_id: object) -> bool:
        return any(entry.id == grant_id for entry in self.ledger.result()[0])


def build_services(environment: Mapping[str, str] | None = None) -> Services:
    """Build the services from the environment.

    Raises KeyError with the name of a missing variable.
    """
    return Services(StackNames.from_environment(os.environ if environment is None else environment))
