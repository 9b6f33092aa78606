"""Spaces and apps.

A space is where people of a domain work. It cannot be deleted while an app of it runs, and keeps
its owner's profile from being deleted. An app runs for a profile or in a space. After its end it is
listed as Deleted for a day (botocore's model, DescribeApp).
"""

from typing import Any

from sandbox.studio.domains import (
    Studio,
    StudioResource,
    merge_settings,
    owner_of_space,
    studio_operation,
)
from sandbox.studio.sagemaker_requests import (
    ListOrder,
    SageMakerError,
    SageMakerRequest,
    invalid_value,
    list_page,
    require_member,
    require_name,
    require_one_of,
)

SPACE_APPS = ("JupyterLab", "CodeEditor")  # SageMaker guide, "Amazon SageMaker Studio spaces"
SUMMARIZED_SETTINGS = ("AppType", "RemoteAccess", "SpaceStorageSettings")
REMEMBERED_SECONDS = 24 * 3600  # seconds
APP_TYPES = (
    "JupyterLab",
    "CodeEditor",
    "JupyterServer",
    "KernelGateway",
    "DetailedProfiler",
    "TensorBoard",
    "RStudioServerPro",
    "RSessionGateway",
    "Canvas",
)
AppKey = tuple[str, str, str, str]


@studio_operation
def create_space(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    studio.require_domain(request)
    key = (request["DomainId"], require_name(request, "SpaceName"))
    if key in studio.spaces:
        raise SageMakerError("ResourceInUse", f"Space [{key[1]}] already exists.")
    arn = studio.arn(f"space/{key[0]}/{key[1]}")
    made = studio.build_resource("Space", request, arn)
    if belongs_to := owner_of_space(request):
        studio.require_profile({"DomainId": key[0], "UserProfileName": belongs_to})
    studio.spaces[key] = made
    return {"SpaceArn": arn}


@studio_operation
def describe_space(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = find_space(studio, request)
    return thing.describe_resource(studio.clock()) | {"SpaceArn": thing.arn}


@studio_operation
def update_space(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = find_space(studio, request)
    studio.begin_change(thing, "Updating")
    thing.asked = merge_settings(thing.asked, request)
    return {"SpaceArn": thing.arn}


@studio_operation
def delete_space(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = find_space(studio, request)
    studio.require_unused(
        f"Space [{request['SpaceName']}]",
        *studio.list_running_apps(request["DomainId"], f"space {request['SpaceName']}"),
    )
    studio.begin_change(thing, "Deleting")
    return {}


@studio_operation
def list_spaces(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    domain, part = request.get("DomainIdEquals"), request.get("SpaceNameContains", "")
    listed = [
        {"DomainId": key[0], "SpaceName": key[1]}
        | _summarize_settings(thing)
        | thing.describe_status(studio.clock())
        for key, thing in studio.spaces.items()
        if domain in (None, key[0]) and part in key[1]
    ]
    return list_page(
        "Spaces",
        listed,
        ListOrder(lambda item: [item["CreationTime"], item["DomainId"], item["SpaceName"]]),
        request,
    )


def _summarize_settings(space: StudioResource) -> dict[str, Any]:
    """Return what a list shows of a space's owner, sharing and settings."""
    settings = space.asked.get("SpaceSettings") or {}
    shown = {key: settings[key] for key in SUMMARIZED_SETTINGS if key in settings}
    summaries = {
        "SpaceSettingsSummary": shown,
        "OwnershipSettingsSummary": space.asked.get("OwnershipSettings"),
        "SpaceSharingSettingsSummary": space.asked.get("SpaceSharingSettings"),
    }
    return {name: value for name, value in summaries.items() if value}


def find_space(studio: Studio, request: SageMakerRequest) -> StudioResource:
    """Return the space that the request names. Raises ResourceNotFound if it does not exist."""
    studio.require_domain(request)
    found = studio.spaces.get((request["DomainId"], require_member(request, "SpaceName")))
    if found is None:
        raise SageMakerError("ResourceNotFound", f"Space [{request['SpaceName']}] does not exist.")
    return found


@studio_operation
def create_app(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    require_member(request, "AppType")
    require_name(request, "AppName")
    key, now = _app_key(studio, request), studio.clock()
    _check_place_of_app(studio, request, now)
    if key in studio.apps and studio.apps[key].status(now) != "Deleted":
        raise SageMakerError("ResourceInUse", f"App [{key[3]}] already exists.")
    studio.apps[key] = studio.build_resource("App", request, studio.find_resource_arn(request))
    return {"AppArn": studio.apps[key].arn}


def _check_place_of_app(studio: Studio, request: SageMakerRequest, now: float) -> None:
    """Refuse an app whose space is not ready for it, or that runs in spaces only and has none."""
    if not request.get("SpaceName"):
        if request["AppType"] in SPACE_APPS:
            raise invalid_value(f"An app of type {request['AppType']} runs in a space.")
        return
    space = find_space(studio, request)
    if space.status(now) not in ("InService", "Updating"):
        raise SageMakerError(
            "ResourceInUse", f"{space.arn} is {space.status(now)}; wait until it is InService."
        )
    meant = (space.asked.get("SpaceSettings") or {}).get("AppType", request["AppType"])
    if meant != request["AppType"]:
        raise invalid_value(f"The space is for apps of type {meant}.")


@studio_operation
def describe_app(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = _find_app(studio, request)
    return _describe_app(thing, studio.clock()) | {
        "AppArn": thing.arn,
        "LastUserActivityTimestamp": thing.created,
    }


@studio_operation
def delete_app(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    thing = _find_app(studio, request)
    if thing.status(studio.clock()) == "Deleted":
        raise SageMakerError("ResourceNotFound", f"App [{request['AppName']}] does not exist.")
    studio.begin_change(thing, "Deleting")
    return {}


@studio_operation
def list_apps(studio: Studio, request: SageMakerRequest) -> dict[str, Any]:
    wanted = {
        name: request[f"{name}Equals"]
        for name in ("DomainId", "UserProfileName", "SpaceName")
        if f"{name}Equals" in request
    }
    listed = [
        _describe_app(thing, studio.clock())
        for thing in studio.apps.values()
        if not (
            thing.status(studio.clock()) == "Deleted"
            and studio.clock() > thing.settles + REMEMBERED_SECONDS
        )
        and all(thing.asked.get(name) == value for name, value in wanted.items())
    ]
    place = ("CreationTime", "DomainId", "AppType", "AppName")
    return list_page(
        "Apps",
        listed,
        ListOrder(lambda item: [*(item[name] for name in place), item.get("SpaceName", "")]),
        request,
    )


def _describe_app(thing: StudioResource, now: float) -> dict[str, Any]:
    members = ("DomainId", "UserProfileName", "SpaceName", "AppType", "AppName", "ResourceSpec")
    named = {name: thing.asked[name] for name in members if name in thing.asked}
    return named | {"Status": thing.status(now), "CreationTime": thing.created}


def _app_key(studio: Studio, request: SageMakerRequest) -> AppKey:
    """Return what identifies the app. Raises SageMakerError if its profile or space is missing."""
    require_one_of(request, "AppType", *APP_TYPES)
    if bool(request.get("UserProfileName")) == bool(request.get("SpaceName")):
        raise invalid_value("An app belongs to either UserProfileName or SpaceName.")
    if request.get("SpaceName"):
        find_space(studio, request)
    else:
        studio.require_profile(request)
    whose = (
        f"space {request['SpaceName']}"
        if request.get("SpaceName")
        else f"profile {request['UserProfileName']}"
    )
    return request["DomainId"], whose, request["AppType"], require_member(request, "AppName")


def _find_app(studio: Studio, request: SageMakerRequest) -> StudioResource:
    found = studio.apps.get(_app_key(studio, request))
    if found is None:
        raise SageMakerError("ResourceNotFound", f"App [{request['AppName']}] does not exist.")
    return found
