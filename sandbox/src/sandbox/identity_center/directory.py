"""The directory of one account and Region: requests in, answers out, as values.

Shapes and limits are those of AWS's published models. The texts of errors are not documented; those
that a model's enum or a public client relies on are exact.
"""

import re
import secrets
import uuid
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandbox import aws_models
from sandbox.aws_models import ModelViolation

# What Access Grants calls a thing of the directory, and the directory's own noun for it.
DIRECTORY_KINDS = {"DIRECTORY_USER": "User", "DIRECTORY_GROUP": "Group"}

DirectoryRequest = dict[str, Any]
DirectoryOperation = Callable[["Directory", DirectoryRequest], dict[str, Any]]
DIRECTORY_OPERATIONS: dict[str, dict[str, DirectoryOperation]] = {
    "identitystore": {},
    "sso-admin": {},
    "sso-oidc": {},
}
MAX_PAGE_SIZE = 100  # the model's maximum of MaxResults; AWS does not document the default
PAGE_TOKEN = re.compile(r"after-(\d+)")


class AttributeTaken(Exception):
    """Another entry has this unique attribute: its path."""


@dataclass
class Entry:
    """A user, a group or a membership: the request that created it, and when (clock seconds)."""

    number: int
    id: str
    asked: dict[str, Any]
    created: float
    unique: dict[str, str]


@dataclass
class EntryStore:
    """All entries of one kind, in the order of their creation, found by id and by unique attribute.

    Numbers grow and are never reused, so that a page token stays valid.
    """

    things: dict[str, Entry] = field(default_factory=dict)
    last: int = 0
    by_attribute: dict[tuple[str, str], str] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.things.values())

    def add(self, asked: dict[str, Any], unique: Mapping[str, str], now: float) -> Entry:
        """Return a new entry.

        Raises AttributeTaken, with the path, if another has one of its unique attributes.
        """
        for path in unique:
            if (path, unique[path]) in self.by_attribute:
                raise AttributeTaken(path)
        self.last += 1
        made = Entry(self.last, str(uuid.uuid4()), asked, now, dict(unique))
        self.things[made.id] = made
        self.by_attribute |= dict.fromkeys(made.unique.items(), made.id)
        return made

    def find(self, path: str, value: str) -> Entry | None:
        """Return the entry that has this unique attribute."""
        return self.things.get(self.by_attribute.get((path, value), ""))

    def drop(self, thing: Entry) -> None:
        del self.things[thing.id]
        for pair in thing.unique.items():
            del self.by_attribute[pair]


def take_after(things: Iterator[Entry], number: int, size: int) -> tuple[list[Entry], int | None]:
    """Return the next `size` entries after a number, and the page's last number, if more follow."""
    listed = list(things)
    start = bisect_right(listed, number, key=lambda thing: thing.number)
    page = listed[start : start + size]
    return page, page[-1].number if start + size < len(listed) else None


@dataclass
class Application:
    """An application that people sign in to, and what is configured for it."""

    arn: str
    asked: dict[str, Any]
    created: float
    redirects: tuple[str, ...] = ()  # where a browser may take an authorization code
    actors: dict[str, Any] | None = None  # the policy that says who may exchange codes for tokens
    scopes: tuple[str, ...] = ()
    is_assignment_required: bool = True
    assigned: set[tuple[str, str]] = field(default_factory=set)  # USER or GROUP, and the id


@dataclass(frozen=True)
class SignIn:
    """That somebody has signed in to an application: an authorization code, or a token's context.

    `expires` is in clock seconds.
    """

    user: str
    application: str
    redirect: str
    scopes: tuple[str, ...]
    expires: float


class DirectoryError(Exception):
    """The service refuses: `code`, `message`, and the error's other members."""

    status = 400

    def __init__(self, code: str, message: str, **members: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.members = code, message, members


def directory_operation(
    service: str, name: str = ""
) -> Callable[[DirectoryOperation], DirectoryOperation]:
    """Register an operation of a service under its AWS name, by default that of the function."""

    def register(do: DirectoryOperation) -> DirectoryOperation:
        own = "".join(word.capitalize() for word in do.__name__.split("_"))
        DIRECTORY_OPERATIONS[service][name or own] = do
        return do

    return register


@dataclass
class Directory:
    """The only Identity Center instance, with its identity store. `clock` returns seconds."""

    account: str
    region: str
    clock: Callable[[], float]
    store: str = field(default_factory=lambda: f"d-{secrets.token_hex(5)}")
    instance: str = field(default_factory=lambda: f"ssoins-{secrets.token_hex(8)}")
    users: EntryStore = field(default_factory=EntryStore)
    groups: EntryStore = field(default_factory=EntryStore)
    memberships: EntryStore = field(default_factory=EntryStore)
    applications: dict[str, Application] = field(default_factory=dict)  # by ARN
    codes: dict[str, SignIn] = field(default_factory=dict)
    contexts: dict[str, SignIn] = field(default_factory=dict)  # by context assertion

    def __post_init__(self) -> None:
        self.created = self.clock()

    @property
    def arn(self) -> str:
        """Return the instance's ARN."""
        return f"arn:aws:sso:::instance/{self.instance}"

    @property
    def store_arn(self) -> str:
        return f"arn:aws:identitystore::{self.account}:identitystore/{self.store}"

    def has(self, kind: str, identifier: str) -> bool:
        """Return whether this id exists, of a kind in DIRECTORY_KINDS."""
        shelves = {"User": self.users, "Group": self.groups}
        return kind in DIRECTORY_KINDS and identifier in shelves[DIRECTORY_KINDS[kind]].things

    def list_groups(self, user: str) -> list[str]:
        """Return the ids of the groups that the user is in now."""
        return [
            membership.asked["GroupId"]
            for membership in self.memberships
            if membership.asked["MemberId"]["UserId"] == user
        ]

    def call(self, service: str, name: str, request: DirectoryRequest) -> dict[str, Any]:
        """Carry out one operation of identitystore, sso-admin or sso-oidc.

        Raises DirectoryError as AWS would, and for an operation that AWS has and the
        sandbox lacks.
        """
        do = DIRECTORY_OPERATIONS[service].get(name)
        if do is None:
            known = ", ".join(sorted(DIRECTORY_OPERATIONS[service]))
            raise DirectoryError(
                "UnknownOperationException",
                f"the sandbox has no {name} of {service}: it knows {known}",
            )
        try:
            aws_models.read_service(service).check_request(name, request)
        except ModelViolation as wrong:
            raise invalid_request(
                f"Value at '{wrong.member}' failed to satisfy constraint: {wrong.why}"
            ) from wrong
        if "IdentityStoreId" in request and strip_arn(request["IdentityStoreId"]) != self.store:
            raise not_found("IDENTITY_STORE", request["IdentityStoreId"])
        return do(self, request)


def add_entry(
    shelf: EntryStore, directory: Directory, request: DirectoryRequest, unique: dict[str, str]
) -> Entry:
    """Return a new entry for the request. Raises ConflictException if an attribute is taken."""
    asked = {name: value for name, value in request.items() if name != "IdentityStoreId"}
    try:
        return shelf.add(asked, unique, directory.clock())
    except AttributeTaken as taken:
        raise DirectoryError(
            "ConflictException", f"Duplicate {taken}", Reason="UNIQUENESS_CONSTRAINT_VIOLATION"
        ) from taken


def get_entry(shelf: EntryStore, kind: str, identifier: str) -> Entry:
    """Return the entry with this id or ARN. Raises ResourceNotFoundException if there is none."""
    found = shelf.things.get(strip_arn(identifier))
    if found is None:
        raise not_found(kind, identifier)
    return found


def find_by_attribute(
    shelf: EntryStore, kind: str, request: DirectoryRequest, *paths: str
) -> Entry:
    """Return the entry that an AlternateIdentifier names by a unique attribute of `paths`."""
    wanted = request["AlternateIdentifier"].get("UniqueAttribute")
    if wanted is None:  # an external provider's id, which no entry of this store has
        raise not_found(kind)
    path = next((path for path in paths if path.lower() == wanted["AttributePath"].lower()), None)
    if path is None:
        raise invalid_request(f"The attribute {wanted['AttributePath']} is not a unique attribute")
    found = shelf.find(path, wanted["AttributeValue"])
    if found is None:
        raise not_found(kind)
    return found


def list_page(
    name: str,
    things: Iterator[Entry],
    request: DirectoryRequest,
    shown: Callable[[Entry], dict[str, Any]],
) -> dict[str, Any]:
    """Return one page of a list, with the token of the next."""
    token = PAGE_TOKEN.fullmatch(request.get("NextToken") or "after-0")
    if token is None:
        raise invalid_request("The NextToken is not one of this list")
    listed, end = take_after(things, int(token[1]), request.get("MaxResults") or MAX_PAGE_SIZE)
    more = {} if end is None else {"NextToken": f"after-{end}"}
    return {name: [shown(thing) for thing in listed]} | more


def filter_entries(
    shelf: EntryStore, request: DirectoryRequest, wanted: str, path: str
) -> Iterator[Entry]:
    """Return all entries, or those whose attribute `wanted` matches the request's filter.

    `path` is the attribute's path in the store.
    """
    for each in request.get("Filters") or []:
        if each["AttributePath"] != wanted:
            raise invalid_request(
                f"The attribute path {each['AttributePath']} cannot be filtered by; {wanted} can"
            )
        return iter([found] if (found := shelf.find(path, each["AttributeValue"])) else [])
    return iter(shelf)


def invalid_request(why: str) -> DirectoryError:
    return DirectoryError("ValidationException", why)


def not_found(kind: str, identifier: str | None = None) -> DirectoryError:
    members = {"ResourceId": identifier} if identifier else {}
    return DirectoryError(
        "ResourceNotFoundException", f"{kind} not found.", ResourceType=kind, **members
    )


def strip_arn(identifier: str) -> str:
    """Return an id that may have been sent as an ARN."""
    return identifier.rpartition("/")[2]
