"""Spaces: where people of a domain work. A space stays while an app of it runs, and keeps its owner's profile from being deleted."""

from typing import Any

from sandbox.studio.pages import Order, page
from sandbox.studio.requests import Refused, Request, named, needed
from sandbox.studio.service import Studio, Thing, operation, owner


@operation
def create_space(studio: Studio, request: Request) -> dict[str, Any]:
    studio.domain(request)
    key = (request["DomainId"], named(request, "SpaceName"))
    if key in studio.spaces:
        raise Refused("ResourceInUse", f"Space [{key[1]}] already exists.")
    arn = studio.arn(f"space/{key[0]}/{key[1]}")
    made = studio.made("Space", request, arn)
    if belongs_to := owner(made):
        studio.profile({"DomainId": key[0], "UserProfileName": belongs_to})
    studio.spaces[key] = made
    return {"SpaceArn": arn}


@operation
def describe_space(studio: Studio, request: Request) -> dict[str, Any]:
    thing = find(studio, request)
    return thing.described(studio.clock()) | {"SpaceArn": thing.arn}


@operation
def delete_space(studio: Studio, request: Request) -> dict[str, Any]:
    thing = find(studio, request)
    studio.free(f"Space [{request['SpaceName']}]", *studio.running(request["DomainId"], f"space {request['SpaceName']}"))
    studio.change(thing, "Deleting")
    return {}


@operation
def list_spaces(studio: Studio, request: Request) -> dict[str, Any]:
    domain, part = request.get("DomainIdEquals"), request.get("SpaceNameContains", "")
    listed = [
        {"DomainId": key[0], "SpaceName": key[1]} | thing.shown(studio.clock())
        for key, thing in studio.spaces.items()
        if domain in (None, key[0]) and part in key[1]
    ]
    return page("Spaces", listed, Order(lambda item: [item["CreationTime"], item["DomainId"], item["SpaceName"]]), request)


def find(studio: Studio, request: Request) -> Thing:
    """The space that the request names; ResourceNotFound if there is none."""
    studio.domain(request)
    found = studio.spaces.get((request["DomainId"], needed(request, "SpaceName")))
    if found is None:
        raise Refused("ResourceNotFound", f"Space [{request['SpaceName']}] does not exist.")
    return found
