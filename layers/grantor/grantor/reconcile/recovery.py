"""Grants that somebody else made become ours, as they are: nothing is made, nothing is taken away.

Each is written down as intended, then signed, then confirmed. Killed between any two of these, the next run finds by the tag
whether it is ours, and otherwise forgets the intent.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from itertools import batched
from typing import Any

from botocore.exceptions import ClientError

from grantor.aws.access_grants import OWNER, AccessGrants, Told, fitting, told
from grantor.aws.clients import NotYet, code, each, message
from grantor.aws.lease import Lease
from grantor.aws.ledger import Ledger
from grantor.aws.queues import DeadLetters, Letter
from grantor.aws.run_store import Accepted
from grantor.aws.services import World
from grantor.core.grant import Entry, Grant, Reason, State, in_order
from grantor.core.planning.plan import Change
from grantor.core.policy.parser import read
from grantor.core.rules import Mode, Policy
from grantor.core.triggers import event_in
from grantor.reconcile.apply import TOGETHER, signature
from grantor.reconcile.policies import Intake, intake
from grantor.reconcile.report import Report
from grantor.reconcile.run import Judged


def foreign(found: Judged) -> tuple[Change, ...]:
    """Every grant that can be adopted, with the reasons for which a rule wants just that; first those that have some."""
    plan, gathered = found.plan, found.gathered
    wanted = [Change(grant, in_order(gathered.wanted.grants[grant]), gathered.actual[grant]) for grant in plan.served]
    return (*wanted, *(Change(grant, (), gathered.actual[grant]) for grant in plan.foreign))


def adopted(change: Change) -> str:
    """The sentence of an adoption.

    >>> from grantor.core.grant import Grant, Grantee, Permission
    >>> grant = Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*")
    >>> print(adopted(Change(grant, ())))
    ~ READ s3://data/Product/* to role/ana is ours now, because of no rule
    """
    return f"~ {change.grant} is ours now, because {' and '.join(map(str, change.reasons)) or 'of no rule'}"


@dataclass(frozen=True)
class Adoption:
    """Makes grants ours; `ledger` is that of a holder of the lease, `versions` are those of the policy files that are followed."""

    grants: AccessGrants
    ledger: Ledger
    versions: Mapping[str, str]
    report: Report

    def all(self, chosen: Iterable[Change]) -> None:
        """Each of them, unless it is another stack's; the report tells of each. Raises as the ledger does when it can't be written."""
        for together in batched(self._free(chosen), TOGETHER):
            self.ledger.intend([self._entry(change, State.INTENDED) for change in together])
            self.ledger.confirm([self._entry(change, State.LIVE, change.id) for change in together if self._signed(change)])

    def _free(self, chosen: Iterable[Change]) -> Iterator[Change]:
        for change in chosen:
            owner = self.grants.owner(change.id)
            if owner in (None, self.grants.stack):
                yield change
            else:
                self.report.refused.append(f"{change.grant}: it belongs to the Grantor of stack {owner}")

    def _signed(self, change: Change) -> bool:
        try:
            self.grants.tag(change.id, signature(change, self.report.run, self.versions))
        except NotYet as reason:
            self.report.later.append(f"{change.grant}: {reason}")
        except ClientError as error:
            self.report.refused.append(f"{change.grant}: {code(error)}: {message(error)}")
        else:
            self.report.done.append(adopted(change))
            return True
        return False

    def _entry(self, change: Change, state: State, grant_id: str = "") -> Entry:
        return Entry(change.grant, state, frozenset(change.reasons), grant_id, self.report.at, self.report.run)


AT_ONCE = 8  # grants whose tags are read side by side
REBUILT_TOGETHER = 90  # entries between two looks at whether to go on: as many as one transaction writes
NOBODY = ("policy/unknown.yaml", "unknown")  # the rule of a grant whose tags name none
Tagged = tuple[Grant, str, Mapping[str, str]]


@dataclass
class Rebuilding:
    """Rebuilds the ledger for the holder of a lease; `go_on` is asked before each 90 grants."""

    world: World
    lease: Lease
    report: Report
    go_on: Callable[[], bool]
    looked: int = 0  # at how many grants
    others: int = 0  # that carry no tag of this stack
    _gone: dict[str, str] = field(default_factory=dict)  # files that are not listed, with a version that was in force
    _modes: dict[str, Mode | None] = field(default_factory=dict)  # of those that can't be read as they are now

    @property
    def gone(self) -> list[str]:
        """The policy files that grants name and no list has."""
        return sorted(self._gone)

    def all(self) -> None:
        """Every grant that carries this stack's tag and that the ledger does not know. A list, and a call for each grant.

        Raises NotYet or ClientError where something can't be read; what was written until then is right.
        """
        known = {entry.id for entry in self.world.ledger.entries()}
        for together in batched(self.world.grants.each(), REBUILT_TOGETHER):
            if not self.go_on():
                self.report.cut_short = True
                return
            self._write([tagged for tagged in self._tagged(together) if tagged[1] not in known])
        self._ask_for_the_gone()

    def _tagged(self, grants: Sequence[tuple[Grant, str]]) -> Iterator[Tagged]:
        """Those of them that are ours."""
        with ThreadPoolExecutor(AT_ONCE) as pool:
            tags = list(pool.map(lambda one: self.world.grants.tags(one[1]), grants))
        self.looked += len(grants)
        for (grant, grant_id), found in zip(grants, tags, strict=True):
            if found and found.get(OWNER) == self.world.names.stack:
                yield grant, grant_id, found
            else:
                self.others += 1

    def _write(self, found: Sequence[Tagged]) -> None:
        entries = [self._entry(grant, grant_id, told(tags)) for grant, grant_id, tags in found]
        self.world.ledger.under(self.lease).confirm(entries)
        for entry in entries:
            rules = " and ".join(sorted(reason.rule for reason in entry.reasons))
            self.report.done.append(f"~ {entry.grant} is known again, because {rules}")

    def _entry(self, grant: Grant, grant_id: str, tags: Told) -> Entry:
        reasons = frozenset(self._reason(file, name, tags) for file, name in tags.rules or [NOBODY])
        return Entry(grant, State.LIVE, reasons, grant_id, run=tags.run)

    def _reason(self, file: str, name: str, tags: Told) -> Reason:
        key = self._keys.get(file, file)
        if key not in self._keys.values():
            self._gone.setdefault(key, tags.policy)
        return Reason(f"{key}#{name}", (), tags.until, additive=self._mode(key, tags.policy) is Mode.ADDITIVE)

    def _mode(self, key: str, version: str) -> Mode | None:
        """The file's mode as it is now, else as it was in the version that a tag names."""
        if key in self._files.modes:
            return self._files.modes[key]
        if key not in self._modes:
            self._modes[key] = self._mode_then(key, version)
        return self._modes[key]

    def _mode_then(self, key: str, version: str) -> Mode | None:
        try:
            body = self.world.files.read(key, version).body if version else b""
        except (ClientError, NotYet):
            return None
        policy = read(key, body, self.world.names.data_bucket)
        return policy.mode if isinstance(policy, Policy) else None

    def _ask_for_the_gone(self) -> None:
        """Let the next run ask S3 for each file that grants name and no list has: as if it had been accepted, since it was once."""
        at, run = self.report.at, self.report.run
        self.world.records.accept(self.lease, {key: Accepted(version, "", at, run) for key, version in self._gone.items()})

    @cached_property
    def _files(self) -> Intake:
        return intake(self.world.files, {}, self.world.names.data_bucket)

    @cached_property
    def _keys(self) -> Mapping[str, str]:
        """The files that there are, by how a tag writes them."""
        return {fitting(key): key for key in self.world.files.listed()}


Event = Mapping[str, Any]


@dataclass
class Redriving:
    """One dead letter queue on its way back. `about` says what an event is about; `go_on` is asked before each ten messages.

    Where `move` is False everything is only looked at, and lies there afterwards as before.
    """

    queue: DeadLetters
    about: Callable[[Event], str]
    go_on: Callable[[], bool]
    move: bool = True
    rung: Counter[str] = field(default_factory=Counter)  # what the events were about, and how often
    oldest: float | None = None  # when the first of them was sent, in seconds since 1970
    strange: dict[str, Letter] = field(default_factory=dict)  # what is no event, by its id
    _kept: dict[str, Letter] = field(default_factory=dict)  # all that stays there, by its id

    def all(self) -> None:
        """Until nothing new lies there, or `go_on` says no. A call for each ten messages, and two for each that goes back.

        Raises NotYet or ClientError. Then, too, what `rung` counts has gone back, and all the rest lies there.
        """
        try:
            while self.go_on() and (letters := self._new()):
                self._take(letters)
        finally:
            each(self.queue.leave, self._kept.values())

    def _new(self) -> list[Letter]:
        """The next ones, without those that were held so long that they are seen again."""
        letters = self.queue.some()
        self._kept |= {letter.id: letter for letter in letters if letter.id in self._kept}  # the last receipt is the valid one
        return [letter for letter in letters if letter.id not in self._kept]

    def _take(self, letters: Sequence[Letter]) -> None:
        events = {letter.id: event for letter in letters if (event := event_in(letter.body)) is not None}
        self.strange |= {letter.id: letter for letter in letters if letter.id not in events}
        known = [letter for letter in letters if letter.id in events]
        refusals = each(self._send_back, known) if self.move else [None] * len(known)
        gone = [letter for letter, refusal in zip(known, refusals, strict=True) if refusal is None]
        self.rung.update(self.about(events[letter.id]) for letter in gone)
        self.oldest = min([*(letter.sent for letter in gone), *filter(None, [self.oldest])], default=None)
        self._kept |= {letter.id: letter for letter in letters if not self.move or letter not in gone}
        for refusal in filter(None, refusals):
            raise refusal

    def _send_back(self, letter: Letter) -> Exception | None:
        """None once it has gone; else why it has not, so that the others of its ten still can."""
        try:
            self.queue.send_back(letter)
        except (NotYet, ClientError) as refusal:
            return refusal
        return None
