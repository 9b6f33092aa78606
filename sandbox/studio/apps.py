"""Apps: what runs for a profile or in a space. One that has ended is listed, as Deleted, for a day (botocore's model, DescribeApp)."""

from typing import Any

from sandbox.studio import spaces
from sandbox.studio.pages import Order, page
from sandbox.studio.requests import Refused, Request, invalid, named, needed, one_of
from sandbox.studio.service import Studio, Thing, operation

REMEMBERED = 24 * 3600  # seconds
TYPES = ("JupyterLab", "CodeEditor", "JupyterServer", "KernelGateway", "DetailedProfiler", "TensorBoard", "RStudioServerPro",
         "RSessionGateway", "Canvas")  # fmt: skip
Key = tuple[str, str, str, str]


@operation
def create_app(studio: Studio, request: Request) -> dict[str, Any]:
    needed(request, "AppType")
    named(request, "AppName")
    key, now = _key(studio, request), studio.clock()
    if key in studio.apps and studio.apps[key].status(now) != "Deleted":
        raise Refused("ResourceInUse", f"App [{key[3]}] already exists.")
    studio.apps[key] = studio.made("App", request, studio.resource(request))
    return {"AppArn": studio.apps[key].arn}


@operation
def describe_app(studio: Studio, request: Request) -> dict[str, Any]:
    thing = _found(studio, request)
    return _shown(thing, studio.clock()) | {"AppArn": thing.arn, "LastUserActivityTimestamp": thing.created}


@operation
def delete_app(studio: Studio, request: Request) -> dict[str, Any]:
    thing = _found(studio, request)
    if thing.status(studio.clock()) == "Deleted":
        raise Refused("ResourceNotFound", f"App [{request['AppName']}] does not exist.")
    studio.change(thing, "Deleting")
    return {}


@operation
def list_apps(studio: Studio, request: Request) -> dict[str, Any]:
    wanted = {
        name: request[f"{name}Equals"] for name in ("DomainId", "UserProfileName", "SpaceName") if f"{name}Equals" in request
    }
    listed = [
        _shown(thing, studio.clock())
        for thing in studio.apps.values()
        if not (thing.status(studio.clock()) == "Deleted" and studio.clock() > thing.settles + REMEMBERED)
        and all(thing.asked.get(name) == value for name, value in wanted.items())
    ]
    place = ("CreationTime", "DomainId", "AppType", "AppName")
    return page("Apps", listed, Order(lambda item: [*(item[name] for name in place), item.get("SpaceName", "")]), request)


def _shown(thing: Thing, now: float) -> dict[str, Any]:
    members = ("DomainId", "UserProfileName", "SpaceName", "AppType", "AppName", "ResourceSpec")
    named = {name: thing.asked[name] for name in members if name in thing.asked}
    return named | {"Status": thing.status(now), "CreationTime": thing.created}


def _key(studio: Studio, request: Request) -> Key:
    """What tells the app from all others; Refused if its profile or space does not exist."""
    one_of(request, "AppType", *TYPES)
    if bool(request.get("UserProfileName")) == bool(request.get("SpaceName")):
        raise invalid("An app belongs to either UserProfileName or SpaceName.")
    if request.get("SpaceName"):
        spaces.find(studio, request)
    else:
        studio.profile(request)
    whose = f"space {request['SpaceName']}" if request.get("SpaceName") else f"profile {request['UserProfileName']}"
    return request["DomainId"], whose, request["AppType"], needed(request, "AppName")


def _found(studio: Studio, request: Request) -> Thing:
    found = studio.apps.get(_key(studio, request))
    if found is None:
        raise Refused("ResourceNotFound", f"App [{request['AppName']}] does not exist.")
    return found
