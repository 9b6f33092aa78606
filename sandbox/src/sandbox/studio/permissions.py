"""What the caller of an operation of Studio must be allowed to do, and what Studio adds by itself.

Sources: Service Authorization Reference, "Amazon SageMaker": resource types and condition keys of
each action. SageMaker guide, "Give your users access to spaces" and "Provide permissions for
tagging SageMaker AI resources": Studio tags what people create in it, so their role needs
sagemaker:AddTags as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.studio.domains import Studio, StudioResource, owner_of_space
from sandbox.studio.sagemaker_requests import SageMakerRequest

# An action, its resource, and the condition keys of the request.
NeededPermission = tuple[str, str, Mapping[str, str]]
LISTS = ("ListDomains", "ListUserProfiles", "ListApps", "ListSpaces")  # on every resource
CREATIONS = ("CreateDomain", "CreateUserProfile", "CreateSpace", "CreateApp")
OF_SPACES = ("CreateSpace", "UpdateSpace", "DeleteSpace", "CreateApp", "DeleteApp")
DOMAIN_KEY, PROFILE_KEY = "sagemaker:domainid", "sagemaker:userprofilename"


@dataclass(frozen=True)
class StudioVisit:
    """A session of an execution role that Studio started: whose it is, and where."""

    domain: str
    profile: str

    def session_keys(self, spelling: str) -> dict[str, str]:
        """Return the session's condition keys, with `spelling` as in StudioSwitches."""
        return {DOMAIN_KEY: self.domain, PROFILE_KEY: spell_profile(self.profile, spelling)}

    @classmethod
    def from_keys(cls, keys: Mapping[str, Any]) -> "StudioVisit | None":
        """Return the visit of a session with these condition keys; None if it is none."""
        if DOMAIN_KEY not in keys or PROFILE_KEY not in keys:
            return None
        return cls(str(keys[DOMAIN_KEY]), str(keys[PROFILE_KEY]))


def spell_profile(name: str, spelling: str) -> str:
    """Return a profile's name as policies see it.

    >>> spell_profile("userA", "given"), spell_profile("userA", "lower")
    ('userA', 'usera')
    """
    return name.lower() if spelling == "lower" else name


def add_studio_tags(
    studio: Studio, operation: str, request: SageMakerRequest, visit: StudioVisit | None
) -> SageMakerRequest:
    """Return the request with the two tags that Studio gives to a space or an app.

    The tags were seen in CloudTrail's events (data-dot-all/dataall, issue 1208).
    """
    if visit is None or operation not in ("CreateSpace", "CreateApp"):
        return request
    found = studio.profiles.get((visit.domain, visit.profile))
    profile = found.arn if found else studio.arn(f"user-profile/{visit.domain}/{visit.profile}")
    own = {
        "sagemaker:user-profile-arn": profile,
        "sagemaker:domain-arn": studio.arn(f"domain/{visit.domain}"),
    }
    given = [tag for tag in request.get("Tags") or [] if tag["Key"] not in own]
    return request | {
        "Tags": [*given, *({"Key": key, "Value": value} for key, value in own.items())]
    }


def list_studio_permissions(
    studio: Studio, operation: str, request: SageMakerRequest, spelling: str
) -> list[NeededPermission]:
    """List what a request needs; `spelling` as in StudioSwitches."""
    if operation in LISTS:
        return [(f"sagemaker:{operation}", "*", {})]
    profile = request.get("UserProfileName")
    named = request | ({"UserProfileName": spell_profile(profile, spelling)} if profile else {})
    if operation == "CreatePresignedDomainUrl":
        named.pop("SpaceName", None)  # it is authorized on the profile
    arn = studio.find_resource_arn(named)
    keys = list_request_tags(request) | _list_resource_tags(studio, request)
    if operation in OF_SPACES:
        keys |= _list_space_keys(studio, request, spelling)
    needed: list[NeededPermission] = [(f"sagemaker:{operation}", arn, keys)]
    if operation in CREATIONS and request.get("Tags"):
        needed.append(need_tagging(operation, arn, request))
    return needed


def need_tagging(operation: str, arn: str, request: Mapping[str, Any]) -> NeededPermission:
    """Return the permission for the tags of a new resource."""
    return (
        "sagemaker:AddTags",
        arn,
        {"sagemaker:TaggingAction": operation} | list_request_tags(request),
    )


def list_request_tags(request: Mapping[str, Any]) -> dict[str, str]:
    """Return the condition keys of the tags that a request gives."""
    return {f"aws:RequestTag/{tag['Key']}": tag["Value"] for tag in request.get("Tags") or ()}


def _list_space_keys(studio: Studio, request: SageMakerRequest, spelling: str) -> dict[str, str]:
    """Return whose the space is, how it is shared, and the type of the instance, where known."""
    known = studio.spaces.get((str(request.get("DomainId")), str(request.get("SpaceName"))))
    asked = known.asked if known else request
    keys = {}
    if owner := owner_of_space(asked):
        arn = f"user-profile/{request['DomainId']}/{spell_profile(owner, spelling)}"
        keys["sagemaker:OwnerUserProfileArn"] = studio.arn(arn)
    if sharing := (asked.get("SpaceSharingSettings") or {}).get("SharingType"):
        keys["sagemaker:SpaceSharingType"] = str(sharing)
    if instance := _find_instance_type(request):
        keys["sagemaker:InstanceTypes"] = instance
    return keys


def _find_instance_type(request: SageMakerRequest) -> str:
    settings = (request.get("SpaceSettings") or {}).values()
    specs = [each.get("DefaultResourceSpec") for each in settings if isinstance(each, dict)]
    found = (spec["InstanceType"] for spec in (request.get("ResourceSpec"), *specs) if spec)
    return str(next(found, ""))


def _list_resource_tags(studio: Studio, request: SageMakerRequest) -> dict[str, str]:
    """Return the condition keys of the tags that an existing resource has."""
    found = _find_resource(studio, request)
    tags = found.tags if found else {}
    return {
        f"{service}:ResourceTag/{key}": value
        for key, value in tags.items()
        for service in ("aws", "sagemaker")
    }


def _find_resource(studio: Studio, request: SageMakerRequest) -> StudioResource | None:
    domain, profile, space, app = (
        str(request.get(name) or "")
        for name in ("DomainId", "UserProfileName", "SpaceName", "AppType")
    )
    if arn := request.get("ResourceArn"):
        every = (studio.domains, studio.profiles, studio.spaces, studio.apps)
        found = (one for kind in every for one in kind.values())
        return next((one for one in found if one.arn == arn), None)
    if app:
        whose = f"space {space}" if space else f"profile {profile}"
        return studio.apps.get((domain, whose, app, str(request.get("AppName"))))
    if space and not profile:
        return studio.spaces.get((domain, space))
    return studio.profiles.get((domain, profile)) if profile else studio.domains.get(domain)
