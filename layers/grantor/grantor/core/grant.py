"""A grant as a value: its identity is all of it, because S3 Access Grants has no call that changes one."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum


class Permission(StrEnum):
    """What a grant allows; WRITE includes deleting (AWS: "S3 Access Grants get data", table of actions)."""

    READ = "READ"
    WRITE = "WRITE"
    READWRITE = "READWRITE"


@dataclass(frozen=True, order=True, slots=True)
class Grantee:
    """Who holds a grant: `kind` as the service names it (IAM, DIRECTORY_USER, DIRECTORY_GROUP) and its ARN or id.

    >>> print(Grantee("IAM", "arn:aws:iam::111122223333:role/studio/ana"))
    role/studio/ana
    """

    kind: str
    identifier: str

    def __str__(self) -> str:
        return self.identifier.rpartition(":")[2] if self.kind == "IAM" else f"{self.kind.lower()} {self.identifier}"


@dataclass(frozen=True, order=True, slots=True)
class Grant:
    """One right: this grantee may do this on every key that the scope covers.

    >>> print(Grant(Grantee("IAM", "arn:aws:iam::111122223333:role/ana"), Permission.READ, "s3://data/Product/*"))
    READ s3://data/Product/* to role/ana
    """

    grantee: Grantee
    permission: Permission
    scope: str
    application: str = ""

    def order(self) -> tuple[str, str, str, str, str]:
        """The key by which grants are sorted wherever a person sees them; much faster than comparing them field by field."""
        return self.grantee.kind, self.grantee.identifier, self.scope, self.permission, self.application

    def overlaps(self, other: "Grant") -> bool:
        """Whether both give the same grantee something in the same place: one scope begins with the other."""
        one, two = sorted((self.scope.removesuffix("*"), other.scope.removesuffix("*")))
        return self.grantee == other.grantee and two.startswith(one)

    def __str__(self) -> str:
        through = f" through {self.application}" if self.application else ""
        return f"{self.permission} {self.scope} to {self.grantee}{through}"


PROFILE = "profile "


@dataclass(frozen=True, order=True, slots=True)
class Reason:
    """One justification. `subjects` are what the rule was expanded for, as profile_subject and prefix_subject write them.

    >>> print(Reason("policy/a.yaml#own-folder", (profile_subject("Product-Domain", "userA"),)))
    policy/a.yaml#own-folder for profile Product-Domain/userA
    """

    rule: str
    subjects: tuple[str, ...] = ()
    until: datetime | None = None  # aware, UTC
    additive: bool = False  # an additive file gave it: it stays though the rule goes

    @property
    def file(self) -> str:
        """The policy file that the rule stands in."""
        return self.rule.partition("#")[0]

    def __str__(self) -> str:
        whom = f" for {', '.join(self.subjects)}" if self.subjects else ""
        end = f" until {self.until:%Y-%m-%d %H:%M}Z" if self.until else ""
        return f"{self.rule}{whom}{end}"


def profile_subject(domain: str, name: str) -> str:
    """How a reason names a profile.

    >>> profile_subject("Product-Domain", "userA")
    'profile Product-Domain/userA'
    """
    return f"{PROFILE}{domain}/{name}"


def of_subject(subject: str) -> tuple[str, str] | None:
    """Domain and name in what profile_subject writes; None for any other subject.

    >>> of_subject("profile Product-Domain/userA"), of_subject("prefix s3://data/x/")
    (('Product-Domain', 'userA'), None)
    """
    if not subject.startswith(PROFILE):
        return None
    domain, _, name = subject.removeprefix(PROFILE).partition("/")
    return domain, name


def prefix_subject(prefix: str) -> str:
    """How a reason names a folder of a bucket.

    >>> prefix_subject("s3://data/projects/x/")
    'prefix s3://data/projects/x/'
    """
    return f"prefix {prefix}"


def in_order(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """Reasons sorted; of the same one, that without end comes first."""
    found = tuple(reasons)
    # Most grants have one reason, and there may be hundred thousands of them.
    return found if len(found) < 2 else tuple(sorted(found, key=_order))


def _order(reason: Reason) -> tuple[str, tuple[str, ...], str, bool]:
    return reason.rule, reason.subjects, str(reason.until or ""), reason.additive


def ends(reasons: Iterable[Reason]) -> datetime | None:
    """When the last of the reasons ends; None if one of them never does."""
    found = [reason.until for reason in reasons]
    return None if None in found else max(filter(None, found), default=None)


class State(StrEnum):
    """A grant's life in the ledger: written down before it is made, confirmed after, marked before it is taken away, forgotten last."""

    INTENDED = "intended"
    LIVE = "live"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class Entry:
    """One item of the ledger. `id` is the service's, "" until it is confirmed; `since` and `run` tell of the last change."""

    grant: Grant
    state: State
    reasons: frozenset[Reason]
    id: str = ""
    since: str = ""  # ISO 8601, UTC
    run: str = ""

    def because(self, reasons: frozenset[Reason]) -> "Entry":
        """The same grant with other reasons."""
        return replace(self, reasons=reasons)

    def becomes(self, state: State, grant_id: str | None = None) -> "Entry":
        """The same grant in another state."""
        return replace(self, state=state, id=self.id if grant_id is None else grant_id)


@dataclass(frozen=True, order=True)
class Location:
    """A location of the Access Grants instance: its id, and its scope exactly as it was registered."""

    id: str
    scope: str

    @property
    def root(self) -> str:
        """The string that every scope below this location begins with.

        The service itself puts a slash between `s3://bucket` and a sub-prefix; a location that ends in `*` adds nothing.

        >>> Location("1", "s3://data").root, Location("2", "s3://data/team/*").root, Location("default", "s3://").root
        ('s3://data/', 's3://data/team/', 's3://')
        """
        bare = self.scope.removesuffix("*")
        return bare if bare.endswith("/") else f"{bare}/"

    def covers(self, scope: str) -> bool:
        """Whether a grant for `scope` can be made here; the whole of `s3://` can not be granted."""
        return scope.startswith(self.root) and scope != "s3://"


def closest(scope: str, locations: Iterable[Location]) -> tuple[Location, str] | None:
    """The location that lies closest above `scope`, and the sub-prefix to ask it for; None where none covers it.

    >>> closest("s3://data/team/x/*", [Location("default", "s3://"), Location("2", "s3://data/")])
    (Location(id='2', scope='s3://data/'), 'team/x/*')
    """
    above = [location for location in locations if location.covers(scope)]
    if not above:
        return None
    best = max(above, key=lambda location: (len(location.root), location.id))
    return best, scope.removeprefix(best.root)
