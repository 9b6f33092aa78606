"""What all requests to SageMaker share: checks, errors, lists in pages, and tags.

A page token says after which item the next page begins, so that a deleted item hides no other. Tags
are handled alike for every resource.
"""

import base64
import binascii
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

SageMakerRequest = dict[str, Any]
NAME_PATTERN = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ROLE_ARN = re.compile(r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+")
UNKNOWN_PAGE = "The NextToken is not one of this list."
Item = dict[str, Any]
Place = list[Any]  # what an item is ordered by: values that JSON keeps exactly


class SageMakerError(Exception):
    """SageMaker refuses: `code`, HTTP `status` and `message`."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.status, self.message = code, status, message


def invalid_value(why: str) -> SageMakerError:
    """Return the error for a value that the service's model forbids."""
    return SageMakerError("ValidationException", f"1 validation error detected: {why}")


def require_member(request: SageMakerRequest, member: str) -> Any:
    """Return the member's value. Raises SageMakerError if the request has none."""
    if request.get(member) in (None, ""):
        raise invalid_value(f"Value at '{member}' must not be null.")
    return request[member]


def require_name(request: SageMakerRequest, member: str) -> str:
    """Return the name in the member. Raises SageMakerError if it is not valid."""
    name = str(require_member(request, member))
    if not NAME_PATTERN.fullmatch(name):
        raise invalid_value(
            f"Value '{name}' at '{member}' must satisfy regular expression pattern: "
            f"{NAME_PATTERN.pattern}"
        )
    return name


def require_one_of(request: SageMakerRequest, member: str, *known: str) -> str:
    """Return the member's value, by default the first known one.

    Raises SageMakerError if it is not a known one.
    """
    value = request.get(member) or known[0]
    if value not in known:
        raise invalid_value(f"Value '{value}' at '{member}' must be one of [{', '.join(known)}]")
    return str(value)


def execution_role(request: SageMakerRequest, member: str) -> str | None:
    """Return the execution role in the member's settings, if any.

    Raises SageMakerError if it is not the ARN of a role.
    """
    role = (request.get(member) or {}).get("ExecutionRole")
    if role is not None and not ROLE_ARN.fullmatch(role):
        raise invalid_value(f"Value '{role}' at 'ExecutionRole' is not the ARN of a role.")
    return role


@dataclass(frozen=True)
class ListOrder:
    """The order of a list, by the place of each item, which is unique."""

    place: Callable[[Item], Place]
    falling: bool = False

    def sorted(self, items: list[Item]) -> list[Item]:
        return sorted(items, key=self.place, reverse=self.falling)

    def after(self, last: Place, items: list[Item]) -> list[Item]:
        """Return the items after the place, whether or not an item still has it."""
        if self.falling:
            return [item for item in items if self.place(item) < last]
        return [item for item in items if self.place(item) > last]


def list_page(
    name: str, items: list[Item], order: ListOrder, request: SageMakerRequest, default: int = 10
) -> dict[str, Any]:
    """Return the answer to a list request: as many items as requested, and a token for the rest."""
    size = int(request.get("MaxResults") or default)
    if not 1 <= size <= 100:
        raise invalid_value("MaxResults must lie between 1 and 100.")
    left = order.sorted(items)
    if request.get("NextToken"):
        try:
            left = order.after(_decode_place(request["NextToken"]), left)
        except (binascii.Error, ValueError, TypeError) as wrong:
            raise invalid_value(UNKNOWN_PAGE) from wrong
    shown = left[:size]
    return {name: shown} | (
        {"NextToken": _encode_place(order.place(shown[-1]))} if len(left) > size else {}
    )


def _encode_place(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _decode_place(token: str) -> Place:
    return list(json.loads(base64.b64decode(token, altchars=b"-_", validate=True)))


class Tagged(Protocol):
    """A resource with tags."""

    tags: dict[str, str]


def add_resource_tags(thing: Tagged, request: SageMakerRequest) -> dict[str, Any]:
    """Carry out AddTags. An existing key gets the new value."""
    thing.tags |= {tag["Key"]: tag["Value"] for tag in require_member(request, "Tags")}
    return {"Tags": _describe_tags(thing)}


def list_resource_tags(thing: Tagged, request: SageMakerRequest) -> dict[str, Any]:
    """Carry out ListTags: one page, ordered by key."""
    return list_page(
        "Tags", _describe_tags(thing), ListOrder(lambda tag: [tag["Key"]]), request, default=50
    )


def delete_resource_tags(thing: Tagged, request: SageMakerRequest) -> dict[str, Any]:
    """Carry out DeleteTags. A key that does not exist is no error."""
    for key in require_member(request, "TagKeys"):
        thing.tags.pop(key, None)
    return {}


def _describe_tags(thing: Tagged) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in thing.tags.items()]
