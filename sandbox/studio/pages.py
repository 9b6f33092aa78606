"""Lists in pages. A token says after which item the next page begins, so that one that goes meanwhile hides no other."""

import base64
import binascii
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.studio.requests import Request, invalid

STRANGE = "The NextToken is not one of this list."
Item = dict[str, Any]
Place = list[Any]  # what an item is ordered by: values that JSON keeps exactly


@dataclass(frozen=True)
class Order:
    """The order of a list: by the place of each item, which no other item has."""

    place: Callable[[Item], Place]
    falling: bool = False

    def sorted(self, items: list[Item]) -> list[Item]:
        return sorted(items, key=self.place, reverse=self.falling)

    def after(self, last: Place, items: list[Item]) -> list[Item]:
        """The items that come after the place, whether an item still has it or not."""
        if self.falling:
            return [item for item in items if self.place(item) < last]
        return [item for item in items if self.place(item) > last]


def page(name: str, items: list[Item], order: Order, request: Request, default: int = 10) -> dict[str, Any]:
    """The answer to a list request: as many items as it asks for, or `default`, and a token if more follow."""
    size = int(request.get("MaxResults") or default)
    if not 1 <= size <= 100:
        raise invalid("MaxResults must lie between 1 and 100.")
    left = order.sorted(items)
    if request.get("NextToken"):
        try:
            left = order.after(_open(request["NextToken"]), left)
        except (binascii.Error, ValueError, TypeError) as wrong:
            raise invalid(STRANGE) from wrong
    shown = left[:size]
    return {name: shown} | ({"NextToken": _seal(order.place(shown[-1]))} if len(left) > size else {})


def _seal(place: Place) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _open(token: str) -> Place:
    return list(json.loads(base64.b64decode(token, altchars=b"-_", validate=True)))
