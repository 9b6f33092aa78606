"""What each grant is tagged with: that it is ours and why, so that a lost ledger can be rebuilt from the grants themselves."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import batched

from botocore.exceptions import ClientError

from grantor.aws.access_grants import AccessGrants, AlreadyThere, Elsewhere, tags_of
from grantor.aws.clients import NotYet, Overtaken, code, message
from grantor.aws.ledger import Ledger
from grantor.core.grant import Entry, Grant, Location, State, closest, ends
from grantor.core.planning.plan import Change, Plan, created, deleted
from grantor.reconcile.report import Report


def signature(change: Change, run: str, versions: Mapping[str, str]) -> dict[str, str]:
    """The tags of the grant besides its owner's; `versions` are those of the policy files that are followed."""
    files = {reason.file for reason in change.reasons}
    until = ends(change.reasons)
    return tags_of(
        rules=sorted({reason.rule for reason in change.reasons}),
        run=run,
        until=until.isoformat() if until else "",
        policy=versions.get(files.pop(), "") if len(files) == 1 else "",
    )


TOGETHER = 25  # changes between two writes of the ledger: the most that a holder who was overtaken can still do


@dataclass
class CarryOut:
    """Carries out one plan; `go_on` is asked before each change whether there is time left for it."""

    grants: AccessGrants
    ledger: Ledger
    locations: Sequence[Location]
    tags: Callable[[Change], dict[str, str]]
    go_on: Callable[[], bool]
    report: Report
    stuck: list[Grant] = field(default_factory=list)  # what could not be created
    made: set[Grant] = field(default_factory=set)  # what stands, and did not before
    forgotten: set[Grant] = field(default_factory=set)  # what the ledger no longer knows

    def all(self, plan: Plan) -> None:
        """Everything in the plan, as far as time and the service allow; the report says what happened."""
        self.ledger.confirm(plan.write)
        # From here on the deletes are agreed to: if time runs out, the next run goes on with them unasked.
        self.ledger.leave([self._entry(change, State.LEAVING, change.id) for change in plan.delete])
        for creates in self._while_time(batched(plan.create, TOGETHER)):
            self._create(creates)
        for deletes in self._while_time(batched(self._deletable(plan.delete), TOGETHER)):
            self._forget([change.grant for change in self._while_time(deletes) if self._gone(change)])
        self._forget(plan.forget)

    def _create(self, changes: Sequence[Change]) -> None:
        self.ledger.intend([self._entry(change, State.INTENDED) for change in changes])
        ids = [(change, self._made(change)) for change in self._while_time(changes)]
        made = [self._entry(change, State.LIVE, grant_id) for change, grant_id in ids if grant_id]
        try:
            self.ledger.confirm(made)
        except Overtaken:
            self._take_back(made)
            raise
        self.made.update(entry.grant for entry in made)

    def _take_back(self, made: Sequence[Entry]) -> None:
        """Take away again what the overtaker has struck off the ledger meanwhile: nobody would know of it."""
        for entry in made:
            if entry.grant not in {known.grant for known in self.ledger.of(entry.grant.grantee)[0]}:
                self.grants.take_away(entry.id)

    def _made(self, change: Change) -> str:
        """The id of the grant, if it stands now and is ours."""
        grant_id = ""

        def make() -> bool:
            nonlocal grant_id
            grant_id = self._make(change)
            return bool(grant_id)

        if not self._tried(created(change), make):
            self.stuck.append(change.grant)
        return grant_id

    def _make(self, change: Change) -> str:
        found = closest(change.grant.scope, self.locations)
        if found is None:
            raise NotYet("no location lies above it any more")
        try:
            return self.grants.make(change.grant, *found, self.tags(change))
        except AlreadyThere:
            return self._there(change.grant)

    def _there(self, grant: Grant) -> str:
        """409: an answer was lost, or somebody else was faster. Its tag tells which; what is not ours stays theirs."""
        there = self.grants.find(grant)
        if there is None:
            raise NotYet("the service says that it is there, and does not list it yet")
        if there.owner == self.grants.stack:
            return there.id
        self._forget([grant])
        self.report.foreign.append(f"{grant} is foreign, and serves a rule as it is")
        return ""

    def _deletable(self, deletes: Sequence[Change]) -> Iterator[Change]:
        # A right that only moves is not taken before its other half stands; no other right waits for that.
        for change in deletes:
            half = next((grant for grant in self.stuck if grant.overlaps(change.grant)), None)
            if half is None:
                yield change
            else:
                self.report.later.append(f"{deleted(change)}: waits until {half} stands")

    def _forget(self, grants: Collection[Grant]) -> None:
        self.ledger.forget(grants)
        self.forgotten.update(grants)

    def _gone(self, change: Change) -> bool:
        def take_away() -> bool:
            self.grants.take_away(change.id)
            return True

        return self._tried(deleted(change), take_away)

    def _tried(self, sentence: str, do: Callable[[], bool]) -> bool:
        """Whether nothing stood in the way; `do` says whether it did anything."""
        try:
            self.report.done += [sentence] if do() else []
        except NotYet as reason:
            self.report.later.append(f"{sentence}: {reason}")
        except Elsewhere as reason:
            self.report.refused.append(f"{sentence}: {reason}")
        except ClientError as error:
            self.report.refused.append(f"{sentence}: {code(error)}: {message(error)}")
        else:
            return True
        return False

    def _while_time[T](self, items: Iterable[T]) -> Iterator[T]:
        """The items, each only if there is time left for it."""
        for item in items:
            self.report.cut_short = self.report.cut_short or not self.go_on()
            if self.report.cut_short:
                return
            yield item

    def _entry(self, change: Change, state: State, grant_id: str = "") -> Entry:
        return Entry(change.grant, state, frozenset(change.reasons), grant_id, self.report.at, self.report.run)
