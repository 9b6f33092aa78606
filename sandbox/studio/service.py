"""Domains, profiles, spaces and apps of one account and Region. Each change settles a little later, as in SageMaker.

Statuses, limits and error names are those of the published API (botocore model sagemaker 2017-07-24); the texts of the
errors are not documented and say what is wrong in SageMaker's manner.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.studio import tags
from sandbox.studio.pages import Order, page
from sandbox.studio.requests import Refused, Request, named, needed, one_of, role_of

OPERATIONS: dict[str, Callable[["Studio", Request], dict[str, Any]]] = {}


class Homes(Protocol):
    """The file systems that SageMaker makes for domains, in the account's own EFS and network."""

    def make(self, domain: str, arn: str, request: Request) -> str:
        """A file system for the people of a new domain, which the domain's subnets reach; its id."""
        ...

    def drop(self, domain: str) -> None:
        """Delete it. The security groups that were made with it stay."""
        ...


@dataclass
class Thing:
    """Whatever Studio has: what was asked for, and the change that is under way until `settles` (seconds of the clock)."""

    kind: str
    asked: Request
    arn: str
    created: float
    modified: float
    pending: str
    settles: float
    tags: dict[str, str] = field(default_factory=dict)
    files: str = ""  # a domain's file system

    def status(self, now: float) -> str:
        if now < self.settles:
            return self.pending
        return "Deleted" if self.pending == "Deleting" else "InService"

    def gone(self, now: float) -> bool:
        return self.pending == "Deleting" and now >= self.settles

    def shown(self, now: float) -> dict[str, Any]:
        """What every description and list tells of it."""
        return {"Status": self.status(now), "CreationTime": self.created, "LastModifiedTime": self.modified}

    def described(self, now: float) -> dict[str, Any]:
        """What was asked for, and what has become of it."""
        return {key: value for key, value in self.asked.items() if key != "Tags"} | self.shown(now)


@dataclass
class Studio:
    """The service. `settle` is how long, in seconds, each change takes, `settles` how long those of a kind do instead;
    `assumes` says whether SageMaker can assume a role for an ARN.
    """

    account: str
    region: str
    clock: Callable[[], float]
    settle: float
    assumes: Callable[[str, str], bool]
    homes: Homes
    settles: dict[str, float] = field(default_factory=dict)
    domains: dict[str, Thing] = field(default_factory=dict)
    profiles: dict[tuple[str, str], Thing] = field(default_factory=dict)
    spaces: dict[tuple[str, str], Thing] = field(default_factory=dict)
    apps: dict[tuple[str, str, str, str], Thing] = field(default_factory=dict)  # domain, whose it is, type, name

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
        domain, profile, space = (request.get(name) for name in ("DomainId", "UserProfileName", "SpaceName"))
        domain = domain or "*"
        if app := request.get("AppType"):
            return self.arn(f"app/{domain}/{profile or space}/{app}/{request.get('AppName', '*')}")
        if space:
            return self.arn(f"space/{domain}/{space}")
        return self.arn(f"user-profile/{domain}/{profile}" if profile else f"domain/{domain}")

    def arn(self, rest: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{rest}"

    def domain(self, request: Request) -> Thing:
        """The domain that the request names; ResourceNotFound if there is none."""
        found = self.domains.get(needed(request, "DomainId"))
        if found is None:
            raise Refused("ResourceNotFound", f"Domain [{request['DomainId']}] does not exist.")
        return found

    def profile(self, request: Request) -> Thing:
        """The profile that the request names; ResourceNotFound if there is none."""
        self.domain(request)
        found = self.profiles.get((request["DomainId"], needed(request, "UserProfileName")))
        if found is None:
            raise Refused("ResourceNotFound", f"User Profile [{request['UserProfileName']}] does not exist.")
        return found

    def made(self, kind: str, asked: Request, arn: str) -> Thing:
        """A new thing that is Pending until it settles."""
        now = self.clock()
        tags = {tag["Key"]: tag["Value"] for tag in asked.get("Tags") or []}
        return Thing(kind, asked, arn, now, now, "Pending", now + self.takes(kind), tags)

    def takes(self, kind: str) -> float:
        """How long a change of such a thing takes, in seconds."""
        return self.settles.get(kind, self.settle)

    def change(self, thing: Thing, status: str) -> None:
        """Begin a change; ResourceInUse while another is under way."""
        now = self.clock()
        if thing.status(now) != "InService":
            raise Refused("ResourceInUse", f"{thing.arn} is {thing.status(now)}; wait until it is InService.")
        thing.pending, thing.settles, thing.modified = status, now + self.takes(thing.kind), now

    def check_role(self, request: Request, member: str, arn: str) -> None:
        """Refuse an execution role that SageMaker cannot assume, with the text that it has for a job's role."""
        role = role_of(request, member)
        if role is not None and not self.assumes(role, arn):
            why = (
                f"Could not assume role {role}. Please ensure that the role exists and allows principal 'sagemaker.amazonaws.com'"
            )
            raise Refused("ValidationException", f"{why} to assume the role.")

    def running(self, domain: str, whose: str) -> list[str]:
        """The apps of "profile NAME" or "space NAME" that have not ended."""
        now = self.clock()
        return [f"App {key[3]}" for key, app in self.apps.items() if key[:2] == (domain, whose) and app.status(now) != "Deleted"]

    def free(self, what: str, *holding: str) -> None:
        """Refuse to delete what something else still stands on."""
        if holding:
            raise Refused("ResourceInUse", f"Unable to delete {what}: {', '.join(sorted(holding))} exist.")

    def _sweep(self) -> None:
        now = self.clock()
        self.spaces = {key: thing for key, thing in self.spaces.items() if not thing.gone(now)}
        self.profiles = {key: thing for key, thing in self.profiles.items() if not thing.gone(now)}
        self.domains = {key: thing for key, thing in self.domains.items() if not thing.gone(now)}


def operation(do: Callable[[Studio, Request], dict[str, Any]]) -> Callable[[Studio, Request], dict[str, Any]]:
    """Register an operation under its AWS name."""
    OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@operation
def create_domain(studio: Studio, request: Request) -> dict[str, Any]:
    name = named(request, "DomainName")
    for member in ("AuthMode", "DefaultUserSettings"):
        needed(request, member)
    one_of(request, "AuthMode", "IAM", "SSO")
    if any(thing.asked["DomainName"] == name for thing in studio.domains.values()):
        raise Refused("ResourceInUse", f"Domain with name [{name}] already exists.")
    made = f"d-{secrets.token_hex(6)}"
    arn = studio.arn(f"domain/{made}")
    studio.check_role(request, "DefaultUserSettings", arn)
    thing = studio.made("Domain", request, arn)
    if one_of(request, "HomeEfsFileSystemCreation", "Enabled", "Disabled") == "Enabled":
        thing.files = studio.homes.make(made, arn, request)
    studio.domains[made] = thing
    return {"DomainArn": arn, "DomainId": made, "Url": _url(studio, made)}


@operation
def describe_domain(studio: Studio, request: Request) -> dict[str, Any]:
    thing, identifier = studio.domain(request), request["DomainId"]
    known = {"DomainArn": thing.arn, "DomainId": identifier, "Url": _url(studio, identifier)}
    return thing.described(studio.clock()) | known | ({"HomeEfsFileSystemId": thing.files} if thing.files else {})


@operation
def update_domain(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.domain(request)
    studio.check_role(request, "DefaultUserSettings", thing.arn)
    studio.change(thing, "Updating")
    thing.asked = _changed(thing.asked, request)
    return {"DomainArn": thing.arn}


@operation
def delete_domain(studio: Studio, request: Request) -> dict[str, Any]:
    thing, identifier = studio.domain(request), request["DomainId"]
    held = [f"UserProfile {name}" for domain, name in studio.profiles if domain == identifier]
    held += [f"Space {name}" for domain, name in studio.spaces if domain == identifier]
    studio.free(f"Domain [{identifier}]", *held)
    keeping = one_of(request.get("RetentionPolicy") or {}, "HomeEfsFileSystem", "Retain", "Delete")
    studio.change(thing, "Deleting")
    if keeping == "Delete":
        studio.homes.drop(identifier)
    return {}


@operation
def list_domains(studio: Studio, request: Request) -> dict[str, Any]:
    listed = [
        {"DomainId": name, "DomainName": thing.asked["DomainName"], "DomainArn": thing.arn, "Url": _url(studio, name)}
        | thing.shown(studio.clock())
        for name, thing in studio.domains.items()
    ]
    return page("Domains", listed, Order(lambda item: [item["CreationTime"], item["DomainId"]]), request)


@operation
def create_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    domain, name = studio.domain(request), named(request, "UserProfileName")
    if domain.status(studio.clock()) == "Deleting":
        raise Refused("ResourceInUse", f"Domain [{request['DomainId']}] is being deleted.")
    key = (request["DomainId"], name)
    if key in studio.profiles:
        raise Refused("ResourceInUse", f"User Profile [{name}] already exists.")
    arn = studio.arn(f"user-profile/{key[0]}/{name.lower()}")
    studio.check_role(request, "UserSettings", arn)
    studio.profiles[key] = studio.made("UserProfile", request, arn)
    return {"UserProfileArn": arn}


@operation
def describe_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.profile(request)
    return thing.described(studio.clock()) | {"UserProfileArn": thing.arn}


@operation
def update_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    thing = studio.profile(request)
    studio.check_role(request, "UserSettings", thing.arn)
    studio.change(thing, "Updating")
    thing.asked = _changed(thing.asked, request)
    return {"UserProfileArn": thing.arn}


@operation
def delete_user_profile(studio: Studio, request: Request) -> dict[str, Any]:
    thing, who = studio.profile(request), (request["DomainId"], request["UserProfileName"])
    held = studio.running(who[0], f"profile {who[1]}")
    held += [f"Space {name}" for (domain, name), space in studio.spaces.items() if (domain, owner(space)) == who]
    studio.free(f"UserProfile [{who[1]}]", *held)
    studio.change(thing, "Deleting")
    return {}


def owner(space: Thing) -> str:
    """The profile that a space belongs to; empty where all of the domain share it."""
    return str((space.asked.get("OwnershipSettings") or {}).get("OwnerUserProfileName", ""))


@operation
def list_user_profiles(studio: Studio, request: Request) -> dict[str, Any]:
    domain, part = request.get("DomainIdEquals"), request.get("UserProfileNameContains", "")
    listed = [
        {"DomainId": key[0], "UserProfileName": key[1]} | thing.shown(studio.clock())
        for key, thing in studio.profiles.items()
        if domain in (None, key[0]) and part in key[1]
    ]
    by = one_of(request, "SortBy", "CreationTime", "LastModifiedTime")
    falling = one_of(request, "SortOrder", "Ascending", "Descending") == "Descending"
    order = Order(lambda item: [item[by], item["DomainId"], item["UserProfileName"]], falling)
    return page("UserProfiles", listed, order, request)


@operation
def add_tags(studio: Studio, request: Request) -> dict[str, Any]:
    return tags.add(_tagged(studio, request), request)


@operation
def list_tags(studio: Studio, request: Request) -> dict[str, Any]:
    return tags.listed(_tagged(studio, request), request)


@operation
def delete_tags(studio: Studio, request: Request) -> dict[str, Any]:
    return tags.delete(_tagged(studio, request), request)


def _tagged(studio: Studio, request: Request) -> Thing:
    arn = needed(request, "ResourceArn")
    for thing in (*studio.domains.values(), *studio.profiles.values(), *studio.spaces.values(), *studio.apps.values()):
        if thing.arn == arn:
            return thing
    raise Refused("ResourceNotFound", f"[{arn}] does not exist.")


def _changed(asked: Request, request: Request) -> Request:
    """What is wanted after an update: settings that it does not speak of stay as they were."""
    settings = {key: {**(asked.get(key) or {}), **value} for key, value in request.items() if isinstance(value, dict)}
    return asked | request | settings


def _url(studio: Studio, domain: str) -> str:
    return f"https://{domain}.studio.{studio.region}.sagemaker.aws"
