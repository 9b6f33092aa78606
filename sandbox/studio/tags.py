"""Tags of SageMaker's things, which are put, listed and taken away alike whatever carries them."""

from typing import Any, Protocol

from sandbox.studio.pages import Order, page
from sandbox.studio.requests import Request, needed


class Tagged(Protocol):
    """What carries tags."""

    tags: dict[str, str]


def add(thing: Tagged, request: Request) -> dict[str, Any]:
    """AddTags: a key that is there already gets the new value."""
    thing.tags |= {tag["Key"]: tag["Value"] for tag in needed(request, "Tags")}
    return {"Tags": _shown(thing)}


def listed(thing: Tagged, request: Request) -> dict[str, Any]:
    """ListTags: a page of them, in the order of their keys."""
    return page("Tags", _shown(thing), Order(lambda tag: [tag["Key"]]), request, default=50)


def delete(thing: Tagged, request: Request) -> dict[str, Any]:
    """DeleteTags: keys that are not there are no mistake."""
    for key in needed(request, "TagKeys"):
        thing.tags.pop(key, None)
    return {}


def _shown(thing: Tagged) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in thing.tags.items()]
