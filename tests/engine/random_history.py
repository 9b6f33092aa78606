"""A random history of a stack, and beside it what the service held at every moment of it.

Days pass between its steps. Runs are interrupted between two calls, ledgers are lost and rebuilt,
and others make and delete grants. What a run does is known to the moment, from its calls to Access
Grants. What others do counts from the end of the next run, and what an interrupted run has done is
in doubt until then: no moment of such a time is asked about.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from grantor.aws.services import Services
from grantor.core.grant import Grant
from grantor.core.triggers import Trigger
from grantor.reconcile.lease import exclusive_lease
from grantor.reconcile.recovery import LedgerRebuild
from grantor.reconcile.report import Activity, Report
from tests.conftest import ACCOUNT
from tests.grantor_setup import LEDGER, GrantorSetup

ROLES, FOLDERS, FILES = ("ana", "ben", "cem"), tuple("abcdef"), ("one", "two")
PERMISSIONS = ("READ", "READWRITE")
LEDGER_KINDS = ("IAM ", "profile ", "prefix ", "meta", "lease")
Held = frozenset[tuple[str, Grant]]


class Interrupted(BaseException):
    """The process of a run has ended."""


@dataclass
class SteppedClock:
    """A clock that stands still, and goes on where a test says so."""

    seconds: float = field(default_factory=time.time)  # since the epoch

    def step(self, seconds: float = 0.1) -> None:
        self.seconds += seconds


@dataclass
class SteppedServices(Services):
    """Services that read the time from such a clock."""

    stepped: SteppedClock = field(default_factory=SteppedClock)

    def clock(self) -> float:
        return self.stepped.seconds


@dataclass
class RandomHistory:
    """Takes random steps; `moments` are when what was held changed, each with what it was then."""

    setup: GrantorSetup
    random: Random
    clock: SteppedClock = field(default_factory=SteppedClock)
    moments: list[tuple[datetime, Held]] = field(default_factory=list)
    doubts: list[tuple[datetime, datetime]] = field(default_factory=list)
    kinds: dict[str, int] = field(default_factory=dict)  # steps of each kind that were taken

    def __post_init__(self) -> None:
        for role in ROLES:
            self.setup.create_role(role)
        self.clients = self.setup.build_services().clients
        events = self.clients.s3control.meta.events
        events.register("before-call.s3-control", self._begin_call)
        events.register("after-call.s3-control", self._end_call)
        for service in (self.clients.s3control, self.clients.dynamodb, self.clients.s3):
            service.meta.events.register("before-call", self._interrupt)
        self.left = -1  # calls before the next interruption; none if negative

    def services(self) -> Services:
        return SteppedServices(self.setup.names, self.clients, stepped=self.clock)

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.services().clock(), UTC)

    def take_steps(self, count: int) -> None:
        """Take so many steps, some days in all. The first one begins the history."""
        self._run()
        steps = (
            (self._change_rules, 8),
            (self._change_rules_and_be_interrupted, 4),
            (self._let_others_create, 1),
            (self._let_others_delete, 1),
            (self._lose_the_ledger, 1),
            (self._run, 1),
        )
        chosen, weights = zip(*steps, strict=True)
        for step in self.random.choices(chosen, weights, k=count):
            self.kinds[step.__name__] = self.kinds.get(step.__name__, 0) + 1
            self.clock.step(self.random.choice((60.0, 3_600.0, 40_000.0, 90_000.0)))
            step()

    def find_held(self, time: datetime) -> Held:
        """What the service held then."""
        return [held for at, held in self.moments if at <= time][-1]

    def choose_moments(self, count: int) -> Iterator[datetime]:
        """Choose moments without doubt, many of them close to a change."""
        first, last = self.moments[0][0], self.now()
        while count:
            near = self.random.choice(self.moments)[0]
            seconds = self.random.choice((-3_000.0, -0.01, 0.0, 0.01, 3_000.0))
            anywhere = first + self.random.random() * (last - first)
            moment = self.random.choice((near + timedelta(seconds=seconds), anywhere))
            if first < moment < last and not any(a <= moment < b for a, b in self.doubts):
                count -= 1
                yield moment

    def _change_rules(self) -> None:
        self._write_rules()
        self._run()

    def _write_rules(self) -> None:
        for file in self.random.sample(FILES, self.random.randint(1, 2)):
            if self.random.random() < 0.1:
                self.setup.delete_policy(file)
            else:
                self.setup.put_policy(file, self._draw_rules())

    def _draw_rules(self) -> str:
        pairs = [(role, folder) for role in ROLES for folder in FOLDERS]
        lines = [
            f"  - {{name: {role}-{folder}, to: {{role: 'arn:aws:iam::{ACCOUNT}:role/{role}'}}, "
            f"on: s3://data/{folder}/*, allow: {self.random.choice(PERMISSIONS)}{self._draw_end()}}}"
            for role, folder in self.random.sample(pairs, self.random.randint(3, 9))
        ]
        return "\n".join(["version: 1", "rules:", *lines, ""])

    def _draw_end(self) -> str:
        if self.random.random() < 0.8:
            return ""
        return f", until: {self.now() + timedelta(days=self.random.randint(2, 40)):%Y-%m-%d}"

    def _change_rules_and_be_interrupted(self) -> None:
        self._write_rules()
        self.left = self.random.randint(3, 30)
        with self._doubt(), suppress(Interrupted):
            self._run()
        self.left = -1
        with self._doubt(since=self.doubts[-1][0]):
            self.clock.step(self.random.choice((70.0, 5_000.0)))  # the dead run's lease is over
            self._run()

    def _let_others_create(self) -> None:
        with self._doubt():
            role = self.setup.create_role(self.random.choice(ROLES))
            scope = f"others-{self.random.randrange(10**6)}/*"
            self.setup.create_unmanaged_grant(scope, role)
            self._run()
            self._note_held()

    def _let_others_delete(self) -> None:
        held = sorted(self._list_held(), key=lambda one: one[0])
        with self._doubt():
            for grant_id, _ in self.random.sample(held, min(len(held), 2)):
                self.setup.client("s3control").delete_access_grant(
                    AccountId=ACCOUNT, AccessGrantId=grant_id
                )
            self._run()
            self._note_held()

    def _lose_the_ledger(self) -> None:
        """Everything in the table is gone but the accepted policy files, and is rebuilt."""
        table = self.setup.client("dynamodb")
        for item in table.scan(TableName=LEDGER)["Items"]:
            if item["pk"]["S"].startswith(LEDGER_KINDS):
                table.delete_item(TableName=LEDGER, Key={"pk": item["pk"], "sk": item["sk"]})
        services = self.services()
        with exclusive_lease(services, "test") as lease:
            report = Report.begin(self.now(), Activity.REBUILD)
            LedgerRebuild(services, lease, report, lambda: True).rebuild()
        self._run()

    def _run(self, *triggers: Trigger) -> None:
        """Run; approve what the guard asks about, as if a person did."""
        report = self.setup.reconcile(*triggers, services=self.services())
        if report.approval.is_pending:
            self.setup.decide(report)
            self.setup.reconcile(services=self.services())
        self._note_held()

    @contextmanager
    def _doubt(self, since: datetime | None = None) -> Iterator[None]:
        began = since or self.now()
        try:
            yield
        finally:
            self.clock.step()
            self.doubts.append((began, self.now()))

    def _begin_call(self, **_: Any) -> None:
        self.clock.step()
        self.called = self.now()

    def _end_call(self, model: Any, **_: Any) -> None:
        """A change happens during its call; the run notes it right after."""
        self.clock.step()
        if model.name in ("CreateAccessGrant", "DeleteAccessGrant"):
            self.doubts.append((self.called, self.now()))
            self._note_held()

    def _interrupt(self, **_: Any) -> None:
        self.left -= self.left >= 0
        if self.left == 0:
            self.left = -1
            raise Interrupted

    def _note_held(self) -> None:
        self.moments.append((self.now(), self._list_held()))

    def _list_held(self) -> Held:
        grants = self.setup.list_grants()
        return frozenset((grant_id, grant) for grant, grant_id in grants.items())
