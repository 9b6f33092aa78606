"""Lists in pages: opaque tokens, and pages that may be short or empty though more follow."""

import base64
import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.access_grants.errors import refused
from sandbox.access_grants.switches import Switches


def page(
    order: Sequence[int], find: Callable[[int], Any | None], request: dict[str, Any], switches: Switches
) -> tuple[list[Any], str | None]:
    """One page of what `find` gives for the ascending numbers of `order`, and the token of the next; costs what it reads."""
    size = min(int(request.get("MaxResults") or 0) or switches.default_page, switches.longest_page)
    after, turn = _open(request.get("NextToken"))
    at, items = bisect_right(order, after), []
    empty = switches.empty_page_every and (turn + 1) % switches.empty_page_every == 0
    while at < len(order) and len(items) < size and not empty:
        if (item := find(order[at])) is not None:
            items.append(item)
        after, at = order[at], at + 1
    return items, _seal(after, turn + 1) if at < len(order) else None


def _seal(after: int, turn: int) -> str:
    return base64.urlsafe_b64encode(f"access-grants {after} {turn}".encode()).decode()


def _open(token: str | None) -> tuple[int, int]:
    if token is None:
        return 0, 0
    try:
        _, after, turn = re.fullmatch(r"(access-grants) (\d+) (\d+)", base64.urlsafe_b64decode(token).decode()).groups()
        return int(after), int(turn)
    except (ValueError, AttributeError) as wrong:
        raise refused("InvalidRequest", why="The continuation token provided is incorrect") from wrong
