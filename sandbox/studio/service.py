"""Domains and profiles of one account and Region. Each change settles a little later, as in SageMaker.

Statuses, limits and error names are those of the published API (botocore model sagemaker 2017-07-24); the texts of the
errors are not documented and say what is wrong in SageMaker's manner.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Request = dict[str, Any]
NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
OPERATIONS: dict[str, Callable[["Studio", Request], dict[str, Any]]] = {}


class Refused(Exception):
    """SageMaker says no: `code`, HTTP `status` and `message`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.status, self.message = code, status, message


@dataclass
class Thing:
    """A domain or a profile: what was asked for, and the change that is under way until `settles` (seconds of the clock)."""

    asked: Request
    arn: str
    created: float
    modified: float
    pending: str
    settles: float
    tags: dict[str, str] = field(default_factory=dict)

    def status(self, now: float) -> str:
        return self.pending if now < self.settles else "InService"

    def gone(self, now: float) -> bool:
        return self.pending == "Deleting" and now >= self.settles


@dataclass
class Studio:
    """The service. `settle` is how long, in seconds, each change takes."""

    account: str
    region: str
    clock: Callable[[], float]
    settle: float
    domains: dict[str, Thing] = field(default_factory=dict)
    profiles: dict[tuple[str, str], Thing] = field(default_factory=dict)

    def call(self, name: str, request: Request) -> dict[str, Any]:
        """One operation, or Refused; what SageMaker has and this does not is refused too, never answered empty."""
        if name not in OPERATIONS:
            raise Refused("UnknownOperationException", f"the sandbox has no {name}: it knows {', '.join(sorted(OPERATIONS))}")
        self._sweep()
        return OPERATIONS[name](self, request)

    def resource(self, request: Request) -> str:
        """The ARN that the request is judged on."""
        if "ResourceArn" in request:
            return str(request["ResourceArn"])
        domain, profile = request.get("DomainId", "*"), request.get("UserProfileName")
        return self.arn(f"user-profile/{domain}/{profile}" if profile else f"domain/{domain}")

    def arn(self, rest: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{rest}"

    def domain(self, request: Request) -> Thing:
        """The domain that the request names; ResourceNotFound if there is none."""
        found = self.domains.get(_needed(request, "DomainId"))
        if found is None:
            raise Refused("ResourceNotFound", f"Domain [{request['DomainId']}] does not exist.")
        return found

    def profile(self, request: Request) -> Thing:
        """The profile that the request names; ResourceNotFound if there is none."""
        self.domain(request)
        found = self.profiles.get((request["DomainId"], _needed(request, "UserProfileName")))
        if found is None:
            raise Refused("ResourceNotFound", f"User Profile [{request['UserProfileName']}] does not exist.")
        return found

    def made(self, asked: Request, arn: str) -> Thing:
        """A new thing that is Pending until it settles."""
        now = self.clock()
        tags = {tag["Key"]: tag["Value"] for tag in asked.get("Tags") or []}
        return Thing(asked, arn, now, now, "Pending", now + self.settle, tags)

    def change(self, thing: Thing, status: str) -> None:
        """Begin a change; ResourceInUse while another is under way."""
        now = self.clock()
        if thing.status(now) != "InService":
            raise Refused("ResourceInUse", f"{thing.arn} is {thing.status(now)}; wait until it is InService.")
        thing.pending, thing.settles, thing.modified = status, now + self.settle, now

    def _sweep(self) -> None:
        now = self.clock()
        self.profiles = {key: thing for key, thing in self.profiles.items() if not thing.gone(now)}
        self.domains = {key: thing for key, thing in self.domains.items() if not thing.gone(now)}


def operation(do: Callable[[Studio, Request], dict[str, Any]]) -> Callable[[Studio, Request], dict[str, Any]]:
    """Register an operation under its AWS name."""
    OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@operation
def create_domain(studio: Studio, request: Request) -> dict[str, Any]:
    name = _name(request, "DomainName")
    for needed in ("AuthMode", "DefaultUserSettings"):
        _needed(request, needed)
    _one_of(request, "AuthMode", "IAM", "SSO")
    if any(thing.asked["DomainName"] == name for thing in studio.domains.values()):
        raise Refused("ResourceInUse", f"Domain with name [{name}] already exists.")
    _role(request.get("DefaultUserSettings"))
    made = f"d-{secrets.token_hex(6)}"
    studio.domains[made] = studio.made(request, studio.arn(f"domain/{made}"))
    return {"DomainArn": studio.domains[made].arn, "DomainId": made, "Url": _url(studio, made)}


@operation
def describe_domain(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.domain(request)
    shown = {key: value for key, value in thing.asked.items() if key != "Tags"}
    files = f"fs-{request['DomainId'].removeprefix('d-')}"
    return shown | _state(studio, thing) | {
        "DomainArn": thing.arn, "DomainId": request["DomainId"], "HomeEfsFileSystemId": files, "Url": _url(studio, request["DomainId"])
    }  # fmt: skip


@operation
def update_domain(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.domain(request)
    _role(request.get("DefaultUserSettings"))
    studio.change(thing, "Updating")
    thing.asked = thing.asked | {key: value for key, value in request.items() if key != "DomainId"}
    return {"DomainArn": thing.arn}


@operation
def delete_domain(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.domain(request)
    left = sorted(name for domain, name in studio.profiles if domain == request["DomainId"])
    if left:
        raise Refused(
            "ResourceInUse", f"Unable to delete Domain [{request['DomainId']}]: UserProfile(s) {', '.join(left)} exist."
        )
    studio.change(thing, "Deleting")
    return {}


@operation
def list_domains(studio: Studio, request: Request) -> dict[str, Any]:
    listed = [
        {"DomainId": name, "DomainName": thing.asked["DomainName"], "DomainArn": thing.arn, "Url": _url(studio, name)}
        | _state(studio, thing)
        for name, thing in studio.domains.items()
    ]
    return _page("Domains", listed, request)


@operation
def create_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    domain, name = studio.domain(request), _name(request, "UserProfileName")
    if domain.status(studio.clock()) == "Deleting":
        raise Refused("ResourceInUse", f"Domain [{request['DomainId']}] is being deleted.")
    key = (request["DomainId"], name)
    if key in studio.profiles:
        raise Refused("ResourceInUse", f"User Profile [{name}] already exists.")
    _role(request.get("UserSettings"))
    studio.profiles[key] = studio.made(request, studio.arn(f"user-profile/{key[0]}/{name.lower()}"))
    return {"UserProfileArn": studio.profiles[key].arn}


@operation
def describe_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.profile(request)
    shown = {key: value for key, value in thing.asked.items() if key != "Tags"}
    return shown | _state(studio, thing) | {"UserProfileArn": thing.arn}


@operation
def update_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.profile(request)
    _role(request.get("UserSettings"))
    studio.change(thing, "Updating")
    settings = {**(thing.asked.get("UserSettings") or {}), **(request.get("UserSettings") or {})}
    thing.asked = thing.asked | {"UserSettings": settings}
    return {"UserProfileArn": thing.arn}


@operation
def delete_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    studio.change(studio.profile(request), "Deleting")
    return {}


@operation
def list_user_profiles(studio: Studio, request: Request) -> dict[str, Any]:
    domain, part = request.get("DomainIdEquals"), request.get("UserProfileNameContains", "")
    listed = [
        {"DomainId": key[0], "UserProfileName": key[1]} | _state(studio, thing)
        for key, thing in studio.profiles.items()
        if domain in (None, key[0]) and part in key[1]
    ]
    by = _one_of(request, "SortBy", "CreationTime", "LastModifiedTime")
    order = _one_of(request, "SortOrder", "Ascending", "Descending")
    listed.sort(key=lambda item: item[by], reverse=order == "Descending")
    return _page("UserProfiles", listed, request)


@operation
def add_tags(studio: Studio, request: Request) -> dict[str, Any]:
    thing = _tagged(studio, request)
    thing.tags |= {tag["Key"]: tag["Value"] for tag in _needed(request, "Tags")}
    return {"Tags": _tags(thing)}


@operation
def list_tags(studio: Studio, request: Request) -> dict[str, Any]:
    return _page("Tags", _tags(_tagged(studio, request)), request)


@operation
def delete_tags(studio: Studio, request: Request) -> dict[str, Any]:
    thing = _tagged(studio, request)
    for key in _needed(request, "TagKeys"):
        thing.tags.pop(key, None)
    return {}


def _tagged(studio: Studio, request: Request) -> Thing:
    arn = _needed(request, "ResourceArn")
    for thing in (*studio.domains.values(), *studio.profiles.values()):
        if thing.arn == arn:
            return thing
    raise Refused("ResourceNotFound", f"[{arn}] does not exist.")


def _tags(thing: Thing) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in thing.tags.items()]


def _state(studio: Studio, thing: Thing) -> dict[str, Any]:
    return {"Status": thing.status(studio.clock()), "CreationTime": thing.created, "LastModifiedTime": thing.modified}


def _url(studio: Studio, domain: str) -> str:
    return f"https://{domain}.studio.{studio.region}.sagemaker.aws"


def _page(name: str, listed: list[Any], request: Request) -> dict[str, Any]:
    size = int(request.get("MaxResults") or 10)
    if not 1 <= size <= 100:
        raise Refused("ValidationException", "MaxResults must lie between 1 and 100.")
    try:
        start = int((request.get("NextToken") or "page-0").removeprefix("page-"))
    except ValueError as wrong:
        raise Refused("ValidationException", "The NextToken is not one of this list.") from wrong
    more = {"NextToken": f"page-{start + size}"} if start + size < len(listed) else {}
    return {name: listed[start : start + size]} | more


def _needed(request: Request, member: str) -> Any:
    if request.get(member) in (None, ""):
        raise Refused("ValidationException", f"1 validation error detected: Value at '{member}' must not be null.")
    return request[member]


def _name(request: Request, member: str) -> str:
    name = str(_needed(request, member))
    if not NAME.fullmatch(name):
        why = f"Value '{name}' at '{member}' must satisfy regular expression pattern: {NAME.pattern}"
        raise Refused("ValidationException", f"1 validation error detected: {why}")
    return name


def _one_of(request: Request, member: str, *known: str) -> str:
    value = request.get(member) or known[0]
    if value not in known:
        why = f"Value '{value}' at '{member}' must be one of [{', '.join(known)}]"
        raise Refused("ValidationException", f"1 validation error detected: {why}")
    return str(value)


def _role(settings: dict[str, Any] | None) -> None:
    role = (settings or {}).get("ExecutionRole")
    if role is not None and not re.fullmatch(r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+", role):
        raise Refused("ValidationException", f"Value '{role}' at 'ExecutionRole' is not the ARN of a role.")
