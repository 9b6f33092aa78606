"""Domains, profiles, spaces and apps of one account and Region.

Changes settle later, as in SageMaker.

Statuses, limits and error names are those of the published API (botocore model sagemaker
2017-07-24). The texts of errors are not documented; they say what is wrong in SageMaker's manner.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.studio.sagemaker_requests import (
    ListOrder,
    SageMakerError,
    SageMakerRequest,
    add_resource_tags,
    delete_resource_tags,
    execution_role,
    list_page,
    list_resource_tags,
    require_member,
    require_name,
    require_one_of,
)

STUDIO_OPERATIONS: dict[str, Callable[["Studio", SageMakerRequest], dict[str, Any]]] = {}


class DomainHomes(Protocol):
    """The file systems that SageMaker creates for domains, in the account's own EFS and network."""

    def create_home(self, domain: str, arn: str, request: SageMakerRequest) -> str:
        """Return the id of a new file system that a new domain's subnets reach."""
        ...

    def delete_home(self, domain: str) -> None:
        """Delete it. The security groups that were created with it stay."""
        ...


@dataclass
class StudioResource:
    """A resource of Studio: its request, and the change under way until `settles`."""

    kind: str
    asked: SageMakerRequest
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

    def is_gone(self, now: float) -> bool:
        return self.pending == "Deleting" and now >= self.settles

    def describe_status(self, now: float) -> dict[str, Any]:
        """Return what every description and list has."""
        return {
            "Status": self.status(now),
            "CreationTime": self.created,
            "LastModifiedTime": self.modified,
        }

    def describe_resource(self, now: float) -> dict[str, Any]:
        """Return its request, with its state."""
        return {
            key: value for key, value in self.asked.items() if key != "Tags"
        } | self.describe_status(now)


@dataclass
class Studio:
    """The service.

    `settle` is how long each change takes, in seconds; `settles` has other times by kind.
    `can_assume` says whether SageMaker can assume a role for an ARN.
    """

    account: str
    region: str
    clock: Callable[[], float]
    settle: float
    can_assume: Callable[[str, str], bool]
    homes: DomainHomes
    settles: dict[str, float] = field(default_factory=dict)
    domains: dict[str, StudioResource] = field(default_factory=dict)
    profiles: dict[tuple[str, str], StudioResource] = field(default_factory=dict)
    spaces: dict[tuple[str, str], StudioResource] = field(default_factory=dict)
    apps: dict[tuple[str, str, str, str], StudioResource] = field(
        default_factory=dict
    )  # domain, whose it is, type, name
    # Presigned URLs that were not used, by their tokens: domain, profile, until when
    urls: dict[str, tuple[str, str, float]] = field(default_factory=dict)

    def call(self, name: str, request: SageMakerRequest) -> dict[str, Any]:
        """Carry out one operation.

        Raises SageMakerError as SageMaker would, and for an operation that SageMaker has
        and the sandbox lacks.
        """
        if name not in STUDIO_OPERATIONS:
            raise SageMakerError(
                "UnknownOperationException",
                f"the sandbox has no {name}: it knows {', '.join(sorted(STUDIO_OPERATIONS))}",
            )
        self._drop_gone()
        return STUDIO_OPERATIONS[name](self, request)

    def find_resource_arn(self, request: SageMakerRequest) -> str:
        """Return the ARN that the request is authorized on."""
        if "ResourceArn" in request:
            return str(request["ResourceArn"])
        domain, profile, space = (
            request.get(name) for name in ("DomainId", "UserProfileName", "SpaceName")
        )
        domain = domain or "*"
        if app := request.get("AppType"):
            return self.arn(f"app/{domain}/{profile or space}/{app}/{request.get('AppName', '*')}")
        if space:
            return self.arn(f"space/{domain}/{space}")
        return self.arn(f"user-profile/{domain}/{profile}" if profile else f"domain/{domain}")

    def arn(self, rest: str) -> str:
        return f"arn:aws:sagemaker:{self.region}:{self.account}:{rest}"

    def require_domain(self, request: SageMakerRequest) -> StudioResource:
        """Return the domain that the request names. Raises ResourceNotFound if there is none."""
        found = self.domains.get(require_member(request, "DomainId"))
        if found is None:
            raise SageMakerError(
                "ResourceNotFound", f"Domain [{request['DomainId']}] does not exist."
            )
        return found

    def require_profile(self, request: SageMakerRequest) -> StudioResource:
        """Return the profile that the request names. Raises ResourceNotFound if there is none."""
        self.require_domain(request)
        found = self.profiles.get((request["DomainId"], require_member(request, "UserProfileName")))
        if found is None:
            raise SageMakerError(
                "ResourceNotFound", f"User Profile [{request['UserProfileName']}] does not exist."
            )
        return found

    def build_resource(self, kind: str, asked: SageMakerRequest, arn: str) -> StudioResource:
        """Return a new resource, which is Pending until it settles."""
        now = self.clock()
        tags = {tag["Key"]: tag["Value"] for tag in asked.get("Tags") or []}
        return StudioResource(
            kind, asked, arn, now, now, "Pending", now + self.change_seconds(kind), tags
        )

    def change_seconds(self, kind: str) -> float:
        """Return how long a change of such a resource takes, in seconds."""
        return self.settles.get(kind, self.settle)

    def begin_change(self, thing: StudioResource, status: str) -> None:
        """Begin a change. Raises ResourceInUse while another is under way."""
        now = self.clock()
        if thing.status(now) != "InService":
            raise SageMakerError(
                "ResourceInUse", f"{thing.arn} is {thing.status(now)}; wait until it is InService."
            )
        thing.pending, thing.settles, thing.modified = (
            status,
            now + self.change_seconds(thing.kind),
            now,
        )

    def require_assumable_role(self, request: SageMakerRequest, member: str, arn: str) -> None:
        """Refuse an execution role that SageMaker cannot assume, with its text for a job's role."""
        role = execution_role(request, member)
        if role is not None and not self.can_assume(role, arn):
            why = (
                f"Could not assume role {role}. Please ensure that the role exists and allows "
                "principal 'sagemaker.amazonaws.com'"
            )
            raise SageMakerError("ValidationException", f"{why} to assume the role.")

    def list_running_apps(self, domain: str, whose: str) -> list[str]:
        """Return the apps of "profile NAME" or "space NAME" that have not ended."""
        now = self.clock()
        return [
            f"App {key[3]}"
            for key, app in self.apps.items()
            if key[:2] == (domain, whose) and app.status(now) != "Deleted"
        ]

    def require_unused(self, what: str, *holding: str) -> None:
        """Refuse to delete a resource that others depend on."""
        if holding:
            raise SageMakerError(
                "ResourceInUse", f"Unable to delete {what}: {', '.join(sorted(holding))} exist."
            )

    def _drop_gone(self) -> None:
        now = self.clock()
        self.spaces = {key: thing for key, thing in self.spaces.items() if not thing.is_gone(now)}
        self.profiles = {
            key: thing for key, thing in self.profiles.items() if not thing.is_gone(now)
        }
        self.domains = {key: thing for key, thing in self.domains.items() if not thing.is_gone(now)}


def studio_operation(
    do: Callable[[Studio, SageMakerRequest], dict[str, Any]],
) -> Callable[[Studio, SageMakerRequest], dict[str, Any]]:
    """Register an operation under its AWS name."""
    STUDIO_OPERATIONS["".join(word.capitalize() for word in do.__name__.split("_"))] = do
    return do


@studio_operation
def create_domain(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    name = require_name(request, "DomainName")
    for member in ("AuthMode", "DefaultUserSettings"):
        require_member(request, member)
    require_one_of(request, "AuthMode", "IAM", "SSO")
    if any(thing.asked["DomainName"] == name for thing in studio.domains.values()):
        raise SageMakerError("ResourceInUse", f"Domain with name [{name}] already exists.")
    made = f"d-{secrets.token_hex(6)}"
    arn = studio.arn(f"domain/{made}")
    studio.require_assumable_role(request, "DefaultUserSettings", arn)
    thing = studio.build_resource("Domain", request, arn)
    if require_one_of(request, "HomeEfsFileSystemCreation", "Enabled", "Disabled") == "Enabled":
        thing.files = studio.homes.create_home(made, arn, request)
    studio.domains[made] = thing
    return {"DomainArn": arn, "DomainId": made, "Url": _domain_url(studio, made)}


@studio_operation
def describe_domain(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing, identifier = studio.require_domain(request), request["DomainId"]
    known = {"DomainArn": thing.arn, "DomainId": identifier, "Url": _domain_url(studio, identifier)}
    return (
        thing.describe_resource(studio.clock())
        | known
        | ({"HomeEfsFileSystemId": thing.files} if thing.files else {})
    )


@studio_operation
def update_domain(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = studio.require_domain(request)
    studio.require_assumable_role(request, "DefaultUserSettings", thing.arn)
    studio.begin_change(thing, "Updating")
    thing.asked = merge_settings(thing.asked, request)
    return {"DomainArn": thing.arn}


@studio_operation
def delete_domain(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing, identifier = studio.require_domain(request), request["DomainId"]
    held = [f"UserProfile {name}" for domain, name in studio.profiles if domain == identifier]
    held += [f"Space {name}" for domain, name in studio.spaces if domain == identifier]
    studio.require_unused(f"Domain [{identifier}]", *held)
    keeping = require_one_of(
        request.get("RetentionPolicy") or {}, "HomeEfsFileSystem", "Retain", "Delete"
    )
    studio.begin_change(thing, "Deleting")
    if keeping == "Delete":
        studio.homes.delete_home(identifier)
    return {}


@studio_operation
def list_domains(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    listed = [
        {
            "DomainId": name,
            "DomainName": thing.asked["DomainName"],
            "DomainArn": thing.arn,
            "Url": _domain_url(studio, name),
        }
        | thing.describe_status(studio.clock())
        for name, thing in studio.domains.items()
    ]
    return list_page(
        "Domains", listed, ListOrder(lambda item: [item["CreationTime"], item["DomainId"]]), request
    )


@studio_operation
def create_user_profile(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    domain, name = studio.require_domain(request), require_name(request, "UserProfileName")
    if domain.status(studio.clock()) == "Deleting":
        raise SageMakerError("ResourceInUse", f"Domain [{request['DomainId']}] is being deleted.")
    key = (request["DomainId"], name)
    if key in studio.profiles:
        raise SageMakerError("ResourceInUse", f"User Profile [{name}] already exists.")
    arn = studio.arn(f"user-profile/{key[0]}/{name.lower()}")
    studio.require_assumable_role(request, "UserSettings", arn)
    studio.profiles[key] = studio.build_resource("UserProfile", request, arn)
    return {"UserProfileArn": arn}


@studio_operation
def describe_user_profile(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = studio.require_profile(request)
    return thing.describe_resource(studio.clock()) | {"UserProfileArn": thing.arn}


@studio_operation
def update_user_profile(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = studio.require_profile(request)
    studio.require_assumable_role(request, "UserSettings", thing.arn)
    studio.begin_change(thing, "Updating")
    thing.asked = merge_settings(thing.asked, request)
    return {"UserProfileArn": thing.arn}


@studio_operation
def delete_user_profile(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing, who = studio.require_profile(request), (request["DomainId"], request["UserProfileName"])
    held = studio.list_running_apps(who[0], f"profile {who[1]}")
    held += [
        f"Space {name}"
        for (domain, name), space in studio.spaces.items()
        if (domain, owner_of_space(space.asked)) == who
    ]
    studio.require_unused(f"UserProfile [{who[1]}]", *held)
    studio.begin_change(thing, "Deleting")
    return {}


def owner_of_space(asked: SageMakerRequest) -> str:
    """Return the profile that owns a space so requested; empty if the whole domain shares it."""
    return str((asked.get("OwnershipSettings") or {}).get("OwnerUserProfileName", ""))


@studio_operation
def list_user_profiles(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    domain, part = request.get("DomainIdEquals"), request.get("UserProfileNameContains", "")
    listed = [
        {"DomainId": key[0], "UserProfileName": key[1]} | thing.describe_status(studio.clock())
        for key, thing in studio.profiles.items()
        if domain in (None, key[0]) and part in key[1]
    ]
    by = require_one_of(request, "SortBy", "CreationTime", "LastModifiedTime")
    falling = require_one_of(request, "SortOrder", "Ascending", "Descending") == "Descending"
    order = ListOrder(lambda item: [item[by], item["DomainId"], item["UserProfileName"]], falling)
    return list_page("UserProfiles", listed, order, request)


@studio_operation
def add_tags(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    return add_resource_tags(_find_tagged(studio, request), request)


@studio_operation
def list_tags(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    return list_resource_tags(_find_tagged(studio, request), request)


@studio_operation
def delete_tags(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    return delete_resource_tags(_find_tagged(studio, request), request)


def _find_tagged(studio: Studio, request: SageMakerRequest) -> StudioResource:
    arn = require_member(request, "ResourceArn")
    for thing in (
        *studio.domains.values(),
        *studio.profiles.values(),
        *studio.spaces.values(),
        *studio.apps.values(),
    ):
        if thing.arn == arn:
            return thing
    raise SageMakerError("ResourceNotFound", f"[{arn}] does not exist.")


def merge_settings(asked: SageMakerRequest, request: SageMakerRequest) -> SageMakerRequest:
    """Return the settings after an update. Settings that it does not mention stay."""
    settings = {
        key: {**(asked.get(key) or {}), **value}
        for key, value in request.items()
        if isinstance(value, dict)
    }
    return asked | request | settings


def _domain_url(studio: Studio, domain: str) -> str:
    return f"https://{domain}.studio.{studio.region}.sagemaker.aws"
