"""The directory of one account and Region: requests in, answers out, as values. Shapes and limits are those of AWS's published models.

The texts of errors are not documented; those that a model's enum or a public client relies on are kept.
"""

import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox import published
from sandbox.directory.shelf import Shelf, Taken, Thing, after
from sandbox.published import Wrong

Request = dict[str, Any]
Operation = Callable[["Directory", Request], dict[str, Any]]
OPERATIONS: dict[str, dict[str, Operation]] = {"identitystore": {}, "sso-admin": {}}
LONGEST_PAGE = 100  # of the model's MaxResults; how long a page is without it AWS does not say
TOKEN = re.compile(r"after-(\d+)")


class Refused(Exception):
    """The service says no: `code`, `message`, and the error's other members."""

    status = 400

    def __init__(self, code: str, message: str, **members: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.members = code, message, members


def operation(service: str) -> Callable[[Operation], Operation]:
    """Register an operation of a service under its AWS name."""

    def register(do: Operation) -> Operation:
        OPERATIONS[service]["".join(word.capitalize() for word in do.__name__.split("_"))] = do
        return do

    return register


@dataclass
class Directory:
    """The one Identity Center instance there is, with its identity store. `clock` gives seconds."""

    account: str
    region: str
    clock: Callable[[], float]
    store: str = field(default_factory=lambda: f"d-{secrets.token_hex(5)}")
    instance: str = field(default_factory=lambda: f"ssoins-{secrets.token_hex(8)}")
    users: Shelf = field(default_factory=Shelf)
    groups: Shelf = field(default_factory=Shelf)
    memberships: Shelf = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self.created = self.clock()

    @property
    def arn(self) -> str:
        """The instance's."""
        return f"arn:aws:sso:::instance/{self.instance}"

    @property
    def store_arn(self) -> str:
        return f"arn:aws:identitystore::{self.account}:identitystore/{self.store}"

    def has(self, kind: str, identifier: str) -> bool:
        """Whether there is such a DIRECTORY_USER or DIRECTORY_GROUP."""
        shelves = {"DIRECTORY_USER": self.users, "DIRECTORY_GROUP": self.groups}
        return kind in shelves and identifier in shelves[kind].things

    def call(self, service: str, name: str, request: Request) -> dict[str, Any]:
        """One operation of identitystore or sso-admin, or Refused; what AWS has and this does not is refused too."""
        do = OPERATIONS[service].get(name)
        if do is None:
            known = ", ".join(sorted(OPERATIONS[service]))
            raise Refused("UnknownOperationException", f"the sandbox has no {name} of {service}: it knows {known}")
        try:
            published.service(service).check(name, request)
        except Wrong as wrong:
            raise invalid(f"Value at '{wrong.member}' failed to satisfy constraint: {wrong.why}") from wrong
        if "IdentityStoreId" in request and last(request["IdentityStoreId"]) != self.store:
            raise missing("IDENTITY_STORE", request["IdentityStoreId"])
        return do(self, request)


def add(shelf: Shelf, directory: Directory, request: Request, unique: dict[str, str]) -> Thing:
    """A new thing of what was asked for; ConflictException if its unique attributes are another's."""
    asked = {name: value for name, value in request.items() if name != "IdentityStoreId"}
    try:
        return shelf.add(asked, unique, directory.clock())
    except Taken as taken:
        raise Refused("ConflictException", f"Duplicate {taken}", Reason="UNIQUENESS_CONSTRAINT_VIOLATION") from taken


def get(shelf: Shelf, kind: str, identifier: str) -> Thing:
    """The thing with this id, or with this ARN; ResourceNotFoundException if there is none."""
    found = shelf.things.get(last(identifier))
    if found is None:
        raise missing(kind, identifier)
    return found


def by_attribute(shelf: Shelf, kind: str, request: Request, *paths: str) -> Thing:
    """The thing that an AlternateIdentifier names by one of the unique attributes `paths`."""
    wanted = request["AlternateIdentifier"].get("UniqueAttribute")
    if wanted is None:  # an external provider's id: nothing in this store came from one
        raise missing(kind)
    path = next((path for path in paths if path.lower() == wanted["AttributePath"].lower()), None)
    if path is None:
        raise invalid(f"The attribute {wanted['AttributePath']} is not a unique attribute")
    found = shelf.find(path, wanted["AttributeValue"])
    if found is None:
        raise missing(kind)
    return found


def page(name: str, things: Iterator[Thing], request: Request, shown: Callable[[Thing], dict[str, Any]]) -> dict[str, Any]:
    """One page of a list, with the token of the next."""
    token = TOKEN.fullmatch(request.get("NextToken") or "after-0")
    if token is None:
        raise invalid("The NextToken is not one of this list")
    listed, end = after(things, int(token[1]), request.get("MaxResults") or LONGEST_PAGE)
    more = {} if end is None else {"NextToken": f"after-{end}"}
    return {name: [shown(thing) for thing in listed]} | more


def filtered(shelf: Shelf, request: Request, wanted: str, path: str) -> Iterator[Thing]:
    """All things, or those whose attribute `wanted`, unique by `path`, is that of the request's filter."""
    for each in request.get("Filters") or []:
        if each["AttributePath"] != wanted:
            raise invalid(f"The attribute path {each['AttributePath']} can not be filtered by; {wanted} can")
        return iter([found] if (found := shelf.find(path, each["AttributeValue"])) else [])
    return iter(shelf)


def invalid(why: str) -> Refused:
    return Refused("ValidationException", why)


def missing(kind: str, identifier: str | None = None) -> Refused:
    told = {"ResourceId": identifier} if identifier else {}
    return Refused("ResourceNotFoundException", f"{kind} not found.", ResourceType=kind, **told)


def last(identifier: str) -> str:
    """An id, which may have come as the end of an ARN."""
    return identifier.rpartition("/")[2]
