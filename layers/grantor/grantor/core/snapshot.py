"""Everything that a run has read, as values: inventory, wanted grants, focus, holds, and what may
be revoked.

Unreadable is never empty: what is missing because it could not be read is named in `unread`, and
nothing is concluded from its absence.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from grantor.core.diagnostics import Notice, Problem
from grantor.core.grant import (
    Grant,
    Grantee,
    Identity,
    LedgerEntry,
    Location,
    Pair,
    Principals,
    Reason,
    find_made_again,
    iam_grantee,
    includes_subject,
    profile_subject,
    sort_reasons,
)
from grantor.core.rules import Mode, Suspension
from grantor.settings import GUARD_WINDOW_HOURS, MAX_FOCUS_SUBJECTS, MAX_GUARD_COUNTS


@dataclass(frozen=True)
class Profile:
    """A Studio user profile."""

    domain: str  # its name
    name: str
    role: str  # ARN of the role that its notebooks run as; empty if it has none
    created: datetime | None = None  # aware, UTC
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def folder(self) -> str:
        """The profile's folder in the data bucket: its name with a capital first letter, as in the
        AWS article.

        >>> Profile("Product-Domain", "userA", "arn:aws:iam::111122223333:role/a").folder
        'UserA'
        """
        return self.name[:1].upper() + self.name[1:]

    @property
    def subject(self) -> str:
        """Its name in reasons."""
        return profile_subject(self.domain, self.name)


@dataclass(frozen=True)
class InputObject:
    """The latest version of an object: ETag without quotes, size in bytes, and S3's version id.

    The version is "null" without versioning. `uploaded` is in seconds since the epoch. A batch is
    one as well: its URI is a glob, its members are the objects that match, and its ETag and version
    are digests of theirs.
    """

    uri: str
    etag: str
    size: int
    version: str = "null"
    uploaded: float = 0.0
    members: tuple["InputObject", ...] = ()


@dataclass(frozen=True)
class Inventory:
    """What rules are expanded over. A focused run has only what its focus needs; the focus says so,
    not this value.
    """

    now: datetime  # aware, UTC
    locations: tuple[Location, ...] = ()
    profiles: tuple[Profile, ...] = ()
    domains: frozenset[str] = frozenset()  # the names of those that exist
    # s3://b/p/ → the names of the folders directly below it
    folders: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    # (grantee type, name) → id; a name that the directory does not know is not in it
    directory: Mapping[tuple[str, str], str] = field(default_factory=dict)
    # ARN of a role → the subjects of all profiles that run as it
    sharing: Mapping[str, frozenset[str]] = field(default_factory=dict)
    # "domain D", "folders s3://b/p/" or "directory TYPE NAME" → why it could not be read
    unread: Mapping[str, str] = field(default_factory=dict)
    principals: Principals = field(default_factory=Principals)  # as far as the run listed them
    # The Identity Center that the instance is associated with; "" for none, None if nobody asked
    identity_center: str | None = None
    reviews: Mapping[str, datetime] = field(default_factory=dict)  # rule → since when it counts


@dataclass(frozen=True, order=True)
class Hold:
    """A rule, or a rule for one subject, that must not be applied now: its grants stay exactly as
    they are.
    """

    rule: str
    subject: str  # or all profiles of a domain; empty if the whole rule is on hold
    why: str

    def covers(self, reason: Reason) -> bool:
        """Whether the reason is on hold."""
        subjects = (includes_subject(self.subject, one) for one in reason.subjects)
        return reason.rule == self.rule and (not self.subject or any(subjects))


@dataclass(frozen=True)
class Suspended:
    """Whom the suspensions in force concern, each with its suspension: grantees, and profiles by
    their subjects.
    """

    grantees: Mapping[Grantee, Suspension] = field(default_factory=dict)
    subjects: Mapping[str, Suspension] = field(default_factory=dict)

    def find(self, grantee: Grantee, subjects: Iterable[str] = ()) -> Suspension | None:
        """The suspension that takes a grant from this grantee, for these subjects."""
        if not self.grantees and not self.subjects:  # nearly always, and every grant asks
            return None
        if found := self.grantees.get(grantee):
            return found
        return next((self.subjects[one] for one in subjects if one in self.subjects), None)


NOBODY = Suspended()


@dataclass(frozen=True, repr=False)
class WantedGrants:
    """What the rules want: grants in the order of Grant.sort_key, everything else sorted.

    What is on hold stays as it is, whatever `grants` contains. `rejected` is for the owners of the
    rules to fix, and all of it but what is outside of the bounds is also on hold. `warnings` change
    nothing, and `notices` are for whoever writes data.
    """

    grants: Mapping[Grant, frozenset[Reason]] = field(default_factory=dict)
    on_hold: tuple[Hold, ...] = ()
    rejected: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    suspended: Suspended = NOBODY
    notices: tuple[Notice, ...] = ()

    def __repr__(self) -> str:
        """The same text for the same value in every process; sets and mappings vary."""
        grants = [(grant, sort_reasons(reasons)) for grant, reasons in self.grants.items()]
        outcomes = f"on_hold={self.on_hold}, rejected={self.rejected}, warnings={self.warnings}"
        return f"WantedGrants(grants={grants}, {outcomes})"


EVERYTHING = "everything"


@dataclass(frozen=True)
class Focus:
    """What a run looks at: some subjects, named as in reasons; without any, everything.

    >>> print(Focus.build(["profile D/b", "profile D/a"]))
    profile D/a, profile D/b
    >>> print(Focus.build(["profile D/a", "everything"]))
    everything
    """

    subjects: tuple[str, ...] = ()

    @classmethod
    def build(cls, subjects: Iterable[str]) -> "Focus":
        """The focus on all of these; on everything if one of them says so, or if there are more
        than MAX_FOCUS_SUBJECTS.

        Raises ValueError without any subject.
        """
        chosen = sorted(set(subjects))
        if EVERYTHING in chosen or len(chosen) > MAX_FOCUS_SUBJECTS:
            return cls()
        if not chosen:
            raise ValueError("a focus has at least one subject")
        return cls(tuple(chosen))

    @property
    def everything(self) -> bool:
        """Whether the run looks at everything."""
        return not self.subjects

    def includes(self, reason: Reason) -> bool:
        """Whether a run with this focus reads all that the reason follows from."""
        return self.everything or any(subject in self.subjects for subject in reason.subjects)

    def __str__(self) -> str:
        return ", ".join(self.subjects) or EVERYTHING


@dataclass(frozen=True)
class Authority:
    """Which reasons a run may revoke: those whose inputs it has read completely, and that are not
    on hold.
    """

    now: datetime  # aware, UTC
    focus: Focus
    # The mode of each policy file that was read; None if it is proven to be deleted
    files: Mapping[str, Mode | None]
    on_hold: Mapping[str, tuple[Hold, ...]] = field(default_factory=dict)  # by rule
    # The role that each profile runs as now, by its subject; only profiles that were read.
    roles: Mapping[str, str] = field(default_factory=dict)
    suspended: Suspended = NOBODY
    # Roles and users that were made again, as far as their grants are withheld, or made again, too
    withheld: frozenset[Grantee] = frozenset()
    renewed: frozenset[Grantee] = frozenset()

    @classmethod
    def build(
        cls,
        now: datetime,
        focus: Focus,
        files: Mapping[str, Mode | None],
        holds: Iterable[Hold] = (),
    ) -> "Authority":
        """With the holds indexed by rule."""
        by_rule: dict[str, tuple[Hold, ...]] = {}
        for hold in sorted(holds):
            by_rule[hold.rule] = (*by_rule.get(hold.rule, ()), hold)
        return cls(now, focus, files, by_rule)

    def know(
        self,
        inventory: Inventory,
        suspended: Suspended,
        identities: Mapping[Grantee, Identity],
        *,
        withholds: bool,
    ) -> "Authority":
        """The same, with the profiles that were read, whom suspensions concern, and which roles
        were made again. Only a run over everything makes the grants of these again.
        """
        roles = {profile.subject: profile.role for profile in inventory.profiles}
        again = find_made_again(identities, inventory.principals)
        renewed = frozenset() if withholds or not self.focus.everything else again
        withheld = again if withholds else frozenset()
        return replace(self, roles=roles, suspended=suspended, withheld=withheld, renewed=renewed)

    def has_ended(self, reason: Reason) -> bool:
        """Whether its end has passed."""
        return reason.until is not None and reason.until <= self.now

    def is_over(self, reason: Reason, grant: Grant) -> bool:
        """Whether the reason gives this grant no more, whatever is on hold or was not read: it has
        ended, its profile runs as another role now, whom it is for is suspended, or the role was
        made again and nobody has said that it is meant.

        Revoking for such a reason is always safe, so nobody is asked.
        """
        if self.has_ended(reason) or self.find_suspension(reason, grant):
            return True
        if self.withholds(grant):
            return True
        roles = [self.roles[one] for one in reason.subjects if one in self.roles]
        return any(iam_grantee(role) != grant.grantee for role in roles) if roles else False

    def withholds(self, grant: Grant) -> bool:
        """Whether the grant is for a role that was made again and gets nothing."""
        return grant.grantee in self.withheld

    def find_suspension(self, reason: Reason, grant: Grant) -> Suspension | None:
        """The suspension that takes this grant away, if there is one."""
        return self.suspended.find(grant.grantee, reason.subjects)

    def may_revoke(self, reason: Reason, grant: Grant) -> bool:
        """Whether the reason may be removed from the grant when no rule wants it."""
        return self.is_over(reason, grant) or self.may_drop(reason)

    def may_drop(self, reason: Reason) -> bool:
        """Whether a reason that is not over may be removed when no rule wants it."""
        if not self.focus.includes(reason) or reason.file not in self.files:
            return False
        if self.hold_reason(reason):
            return False
        return not reason.additive or self.files[reason.file] is Mode.AUTHORITATIVE

    def is_leftover(self, reason: Reason, grant: Grant) -> bool:
        """Whether only the mode of its file keeps a reason that no rule wants: it is additive, and
        its rule is gone. It keeps a grant that exists, and creates none.
        """
        if not reason.additive or not self.focus.includes(reason):
            return False
        is_known = self.files.get(reason.file, Mode.AUTHORITATIVE) is not Mode.AUTHORITATIVE
        return is_known and not self.hold_reason(reason) and not self.is_over(reason, grant)

    def hold_reason(self, reason: Reason) -> str:
        """Why the reason is on hold; empty if it is not."""
        holds = self.on_hold.get(reason.rule, ())
        return next((hold.why for hold in holds if hold.covers(reason)), "")


TOTAL = ""  # stands for all policy files where counts are by file


@dataclass(frozen=True)
class Tally:
    """How many grants were lost and given; `settled_` are those older than 24 hours."""

    deleted: int = 0
    ending: int = 0
    settled_deleted: int = 0
    settled_ending: int = 0
    given: int = 0

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(*map(sum, zip(self.counts, other.counts, strict=True)))

    @property
    def counts(self) -> tuple[int, ...]:
        """All counts, in the order of the fields."""
        settled = self.settled_deleted, self.settled_ending
        return self.deleted, self.ending, *settled, self.given


Tallies = Mapping[str, Tally]  # by policy file, and TOTAL


@dataclass(frozen=True)
class Window:
    """What runs have taken and given in the last 24 hours without an approval, by the hour."""

    hours: Mapping[int, Tallies] = field(default_factory=dict)  # hours since the epoch

    @cached_property
    def sums(self) -> Tallies:
        """Of all hours together."""
        return sum_tallies(one for hour in self.hours.values() for one in hour.items())

    def forget_old(self, now: datetime) -> "Window":
        """Without what is older than 24 hours, to the hour."""
        first = _count_hours(now) - GUARD_WINDOW_HOURS
        return Window({hour: found for hour, found in self.hours.items() if hour >= first})

    def add(self, tallies: Tallies, now: datetime) -> "Window":
        """With what a run has taken and given now. A window with very many counts forgets their
        hours, and so remembers them for longer.
        """
        hour, kept = _count_hours(now), self.forget_old(now)
        both = sum_tallies([*kept.hours.get(hour, {}).items(), *tallies.items()])
        added = Window({**kept.hours, hour: both})
        if sum(map(len, added.hours.values())) > MAX_GUARD_COUNTS:
            return Window({hour: added.sums})
        return added


def _count_hours(now: datetime) -> int:
    return int(now.timestamp() // 3600)


def sum_tallies(items: Iterable[tuple[str, Tally]]) -> dict[str, Tally]:
    """The sums by name."""
    found: dict[str, Tally] = {}
    for name, tally in items:
        found[name] = found.get(name, Tally()) + tally
    return found


@dataclass(frozen=True)
class Snapshot:
    """Everything that one run has read, and the grants that it wants. A plan follows from this
    value alone.
    """

    inventory: Inventory
    wanted: WantedGrants
    entries: Mapping[Grant, LedgerEntry]  # the ledger
    actual: Mapping[Grant, str]  # the grants that exist, each with its id
    # Of `actual`, those with our tag although the ledger has another id for them
    ours: frozenset[Grant]
    authority: Authority
    pairs: frozenset[Pair] = frozenset()  # empty for a focused run
    # Of the roles and users that were read, as the ledger has them
    identities: Mapping[Grantee, Identity] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether the run has looked at everything, and could read it."""
        return self.authority.focus.everything and not self.inventory.unread

    def count_profiles(self) -> dict[str, int]:
        """How many profiles each domain has that was read completely; empty in a focused run."""
        if not self.authority.focus.everything:
            return {}
        found = Counter(profile.domain for profile in self.inventory.profiles)
        unread = self.inventory.unread
        read = (one for one in sorted(self.inventory.domains) if f"domain {one}" not in unread)
        return {domain: found[domain] for domain in read}
