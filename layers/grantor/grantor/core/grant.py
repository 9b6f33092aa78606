"""Grants, their reasons, their ledger entries, who holds them, and the locations that they are made
in.

A grant's identity is its whole value, because S3 Access Grants has no call that changes a grant.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum


class Permission(StrEnum):
    """What a grant allows. WRITE includes deleting (AWS: "S3 Access Grants get data", table of
    actions). How each appears in policy files is in PERMISSIONS.
    """

    READ = "READ"
    WRITE = "WRITE"
    READWRITE = "READWRITE"

    @property
    def included(self) -> tuple["Permission", ...]:
        """The permissions that it gives: itself, and those that it combines."""
        return self, *PERMISSIONS[self].combines


@dataclass(frozen=True)
class PermissionType:
    """A permission in policy files."""

    meaning: str
    slips: tuple[str, ...]  # what authors write instead, in lower case without separators
    combines: tuple[Permission, ...] = ()  # two other permissions, first the one that reads


# A new permission needs a member of Permission and a line here; the rest of Grantor reads both.
PERMISSIONS = {
    Permission.READ: PermissionType("get and list", ("r", "readonly", "get", "list")),
    Permission.WRITE: PermissionType(
        "put and delete, without reading", ("w", "writeonly", "put", "delete")
    ),
    Permission.READWRITE: PermissionType(
        "both", ("rw", "writeread", "all", "full", "*"), (Permission.READ, Permission.WRITE)
    ),
}


def split_uri(uri: str) -> tuple[str, str]:
    """Split an s3:// URI into bucket and key.

    >>> split_uri("s3://data/UserA/abalone 100%.csv")
    ('data', 'UserA/abalone 100%.csv')
    """
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


def covers(outer: str, inner: str) -> bool:
    """Whether every key of the scope `inner` (or the key that it is) is also one of `outer`.

    >>> covers("s3://data/a/*", "s3://data/a/b/*"), covers("s3://data/a/*", "s3://data/ab/*")
    (True, False)
    >>> covers("s3://data/a", "s3://data/a/b")
    False
    """
    return inner.startswith(outer[:-1]) if outer.endswith("*") else inner == outer


@dataclass(frozen=True, order=True, slots=True)
class Grantee:
    """Who holds a grant: `kind` as the service names it (IAM, DIRECTORY_USER, DIRECTORY_GROUP) and
    its ARN or id.

    As text it never hides the account; core.planning.rendering shortens what belongs to the stack's
    own.

    >>> print(Grantee("IAM", "arn:aws:iam::111122223333:role/studio/ana"))
    arn:aws:iam::111122223333:role/studio/ana
    """

    kind: str
    identifier: str

    def __str__(self) -> str:
        return self.identifier if self.kind == "IAM" else f"{self.kind.lower()} {self.identifier}"


def iam_grantee(arn: str) -> Grantee:
    """The grantee that an IAM role or user is."""
    return Grantee("IAM", arn)


# A subject (see Reason), and a grantee that holds or held grants because of it.
Pair = tuple[str, Grantee]


@dataclass(frozen=True)
class Principals:
    """The IAM roles and users that the account has, by ARN with their unique ids.

    Only what would have been listed is known: principals of this account, of the kinds (role, user)
    that were listed completely. `unread` says of the other kinds why they could not be listed.

    >>> role = "arn:aws:iam::111122223333:role/{}".format
    >>> known = Principals("111122223333", {role("ana"): "AROA1"}, frozenset({"role"}))
    >>> known.lacks(iam_grantee(role("bea"))), known.lacks(iam_grantee(role("ana")))
    (True, False)
    >>> known.lacks(iam_grantee("arn:aws:iam::444455556666:role/bea"))
    False
    """

    account: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    unread: Mapping[str, str] = field(default_factory=dict)

    def lacks(self, grantee: Grantee) -> bool:
        """Whether it is certain that there is no such role or user."""
        if grantee.kind != "IAM" or grantee.identifier in self.ids:
            return False
        _, _, _, _, account, resource = grantee.identifier.split(":", 5)
        return account == self.account and resource.partition("/")[0] in self.kinds


@dataclass(frozen=True, slots=True)
class Identity:
    """Who is behind a grantee's ARN, by the unique ids that IAM gives: `granted` is the one that
    its grants are for, `seen` the one that a run has seen last.

    A role that is deleted and made again has its old ARN and another unique id.
    """

    granted: str
    seen: str


def find_made_again(
    recorded: Mapping[Grantee, Identity], principals: Principals
) -> frozenset[Grantee]:
    """The grantees that are somebody else now; whom nobody has listed is who the ledger says."""
    ids = principals.ids
    return frozenset(
        grantee
        for grantee, one in recorded.items()
        if ids.get(grantee.identifier, one.seen) != one.granted
    )


@dataclass(frozen=True, slots=True)
class Grant:
    """A permission of a grantee on every key that the scope covers.

    >>> ana = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")
    >>> print(Grant(ana, Permission.READ, "s3://data/Product/*"))
    READ s3://data/Product/* to arn:aws:iam::111122223333:role/ana
    """

    grantee: Grantee
    permission: Permission
    scope: str
    application: str = ""

    def __hash__(self) -> int:
        """Of what nearly always differs: a plan of 100,000 grants looks each up several times."""
        return hash((self.scope, self.grantee.identifier))

    def sort_key(self) -> tuple[str, str, str, str, str]:
        """The key by which grants are sorted for people; much faster than comparing field
        by field.
        """
        grantee = self.grantee
        return grantee.kind, grantee.identifier, self.scope, self.permission, self.application

    def overlaps(self, other: "Grant") -> bool:
        """Whether both are for the same grantee, and one scope lies in the other."""
        one, two = sorted((self.scope.removesuffix("*"), other.scope.removesuffix("*")))
        return self.grantee == other.grantee and two.startswith(one)

    def __str__(self) -> str:
        through = f" through {self.application}" if self.application else ""
        return f"{self.permission} {self.scope} to {self.grantee}{through}"


PROFILE = "profile "
DOMAIN = "domain "


@dataclass(frozen=True, order=True, slots=True)
class Reason:
    """A rule and the subjects that justify a grant. Subjects are as profile_subject and
    prefix_subject write them.

    >>> print(Reason("policy/a.yaml#own-folder", (profile_subject("Product-Domain", "userA"),)))
    policy/a.yaml#own-folder for profile Product-Domain/userA
    """

    rule: str
    subjects: tuple[str, ...] = ()
    until: datetime | None = None  # aware, UTC
    additive: bool = False  # from an additive file: it stays when the rule is gone

    @property
    def file(self) -> str:
        """The policy file of the rule."""
        return self.rule.partition("#")[0]

    def __str__(self) -> str:
        whom = f" for {', '.join(self.subjects)}" if self.subjects else ""
        end = f" {format_end(self.until)}" if self.until else ""
        return f"{self.rule}{whom}{end}{' (additive)' if self.additive else ''}"


def format_end(until: datetime | None) -> str:
    """The end of a reason or a grant, exactly.

    >>> format_end(datetime(2027, 1, 1)), format_end(None)
    ('until 2027-01-01 00:00Z', 'without end')
    >>> format_end(datetime(2027, 1, 1, 0, 0, 30, 250_000))
    'until 2027-01-01 00:00:30.250000Z'
    """
    if until is None:
        return "without end"
    exactness = "auto" if until.second or until.microsecond else "minutes"
    return f"until {until.replace(tzinfo=None).isoformat(' ', exactness)}Z"


def profile_subject(domain: str, name: str) -> str:
    """The subject of a profile.

    >>> profile_subject("Product-Domain", "userA")
    'profile Product-Domain/userA'
    """
    return f"{PROFILE}{domain}/{name}"


def parse_profile_subject(subject: str) -> tuple[str, str] | None:
    """Domain and name of a profile's subject; None for any other subject.

    >>> parse_profile_subject("profile Product-Domain/userA")
    ('Product-Domain', 'userA')
    >>> parse_profile_subject("prefix s3://data/x/")
    """
    if not subject.startswith(PROFILE):
        return None
    domain, _, name = subject.removeprefix(PROFILE).partition("/")
    return domain, name


def name_profiles(subjects: Iterable[str]) -> list[str]:
    """The profiles among subjects, each as DOMAIN/NAME.

    >>> name_profiles(["profile Product-Domain/userA", "prefix s3://data/x/"])
    ['Product-Domain/userA']
    """
    return ["/".join(found) for found in map(parse_profile_subject, subjects) if found]


def domain_subject(domain: str) -> str:
    """The subject of all profiles of a domain, where only some domains of a rule are on hold.

    >>> domain_subject("Product-Domain")
    'domain Product-Domain'
    """
    return f"{DOMAIN}{domain}"


def includes_subject(subject: str, other: str) -> bool:
    """Whether `other` is the subject, or a profile of the domain.

    >>> [includes_subject(one, "profile Lab/ana") for one in ("domain Lab", "domain L")]
    [True, False]
    """
    if subject == other:
        return True
    if not subject.startswith(DOMAIN):
        return False
    return other.startswith(profile_subject(subject.removeprefix(DOMAIN), ""))


def prefix_subject(prefix: str) -> str:
    """The subject of a folder.

    >>> prefix_subject("s3://data/projects/x/")
    'prefix s3://data/projects/x/'
    """
    return f"prefix {prefix}"


def find_folder(subject: str) -> str:
    """The folder of a folder's subject; "" for any other subject.

    >>> find_folder("prefix s3://data/x/"), find_folder("profile Product-Domain/userA")
    ('s3://data/x/', '')
    """
    return subject.removeprefix("prefix ") if subject.startswith("prefix ") else ""


def sort_reasons(reasons: Iterable[Reason]) -> tuple[Reason, ...]:
    """The reasons, sorted; of equal ones, the one without an end comes first."""
    found = tuple(reasons)
    # Most grants have one reason, and there may be 100,000 grants.
    return found if len(found) < 2 else tuple(sorted(found, key=_reason_key))


def _reason_key(reason: Reason) -> tuple[str, tuple[str, ...], str, bool]:
    return reason.rule, reason.subjects, str(reason.until or ""), reason.additive


def last_end(reasons: Iterable[Reason]) -> datetime | None:
    """When the last of the reasons ends; None if one of them never does."""
    found = [reason.until for reason in reasons]
    return None if None in found else max(filter(None, found), default=None)


class State(StrEnum):
    """A grant's life in the ledger: recorded before it is created, confirmed after, marked before
    it is revoked.

    Its entry is removed last.
    """

    INTENDED = "intended"
    LIVE = "live"
    LEAVING = "leaving"


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One item of the ledger. `since` and `run` belong to the last change."""

    grant: Grant
    state: State
    reasons: frozenset[Reason]
    id: str = ""  # of the grant in S3 Access Grants; empty until it is confirmed
    since: str = ""  # ISO 8601, UTC
    run: str = ""
    tried: str = ""  # since when runs have tried in vain to create it; as `since`
    refusal: str = ""  # why the last of them could not

    def with_state(self, state: State, grant_id: str | None = None) -> "LedgerEntry":
        """The same grant in another state. What exists was not tried in vain."""
        known = replace(self, state=state, id=self.id if grant_id is None else grant_id)
        return known if state is State.INTENDED else replace(known, tried="", refusal="")


@dataclass(frozen=True, order=True)
class Location:
    """A location of the Access Grants instance: its id, and its scope exactly as it was
    registered.
    """

    id: str
    scope: str

    @property
    def root(self) -> str:
        """The string that every scope below this location begins with.

        S3 Access Grants itself puts a slash between `s3://bucket` and a sub-prefix. A `*` at the
        end adds nothing.

        >>> Location("1", "s3://data").root, Location("2", "s3://data/team/*").root
        ('s3://data/', 's3://data/team/')
        >>> Location("default", "s3://").root
        's3://'
        """
        bare = self.scope.removesuffix("*")
        return bare if bare.endswith("/") else f"{bare}/"

    def covers(self, scope: str) -> bool:
        """Whether a grant for `scope` can be made here; the whole of `s3://` cannot be granted."""
        return scope.startswith(self.root) and scope != "s3://"


def choose_location(scope: str, locations: Iterable[Location]) -> tuple[Location, str] | None:
    """The location to make a grant for `scope` at, and the sub-prefix to request from it; None if
    none covers the scope.

    It is the closest one that covers the whole bucket. Locations inside of a bucket belong to
    others, such as SageMaker Unified Studio, who could not delete them while a grant of ours is
    there; so they come last.

    >>> locations = [Location("default", "s3://"), Location("2", "s3://data/")]
    >>> choose_location("s3://data/team/x/*", [*locations, Location("3", "s3://data/team/")])
    (Location(id='2', scope='s3://data/'), 'team/x/*')
    """
    above = [location for location in locations if location.covers(scope)]
    if not above:
        return None
    bucket = f"s3://{split_uri(scope)[0]}/"

    def rank(location: Location) -> tuple[bool, int, str]:
        return bucket.startswith(location.root), len(location.root), location.id

    best = max(above, key=rank)
    return best, scope.removeprefix(best.root)
