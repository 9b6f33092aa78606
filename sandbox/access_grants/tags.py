"""Tags on the instance, its locations and its grants: what is a valid tag, and the three operations."""

import re
from collections.abc import Iterable
from typing import Any

from sandbox.access_grants.errors import refused

TEXT = re.compile(r"[\w\s_.:/=+\-@]*")
MOST = 50


def merged(old: dict[str, str], given: Iterable[dict[str, str]]) -> dict[str, str]:
    """`old` with the given tags put over it; refused with InvalidTag, InvalidTags or TooManyTags."""
    new: dict[str, str] = {}
    for tag in given:
        key, value = tag.get("Key"), tag.get("Value")
        if key is None or value is None or not 0 < len(key) <= 128 or len(value) > 256:
            raise refused("InvalidTag", why="a key has 1 to 128 characters, a value at most 256")
        if not (TEXT.fullmatch(key) and TEXT.fullmatch(value)):
            raise refused("InvalidTag", why=f"invalid characters in {key!r}")
        if key.lower().startswith("aws:"):
            raise refused("InvalidTags")
        if key in new:
            raise refused("InvalidTag", why=f"duplicate key {key!r}")
        new[key] = value
    if len(old | new) > MOST:
        raise refused("TooManyTags")
    return old | new


def listed(tags: dict[str, str]) -> list[dict[str, Any]]:
    """Tags as the service lists them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
