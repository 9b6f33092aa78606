"""Whether a grant for a scope, its variables filled in, can be made at all: its length, and a location above it."""

from collections.abc import Iterable

from grantor.core.expansion.refusal import Refused
from grantor.core.location import Location
from grantor.core.problem import Fault, listed, shown
from grantor.core.scope import LONGEST

SHOWN = 5  # locations that a message lists


class Placing:
    """Checks scopes against the locations that are registered; cheap, because each of very many grants comes by."""

    def __init__(self, locations: Iterable[Location]) -> None:
        self._roots = tuple(sorted({location.root for location in locations}))

    def check(self, scope: str) -> None:
        """Raises Refused where the service would not take the scope."""
        if len(scope) > LONGEST:
            what = f"{shown(scope)} has {len(scope):,} characters"
            raise Refused(Fault(what, f"S3 Access Grants takes up to {LONGEST:,}", "shorten the names in it"))
        if not scope.startswith(self._roots):
            raise Refused(self._misplaced(scope))

    def _misplaced(self, scope: str) -> Fault:
        below = [root for root in self._roots if scope.endswith("*") and root.startswith(scope[:-1])]
        if below:
            what, why = (
                f"{shown(scope)} is wider than every location",
                "a grant can not reach beyond the location that it is made in",
            )
            return Fault(what, why, f"write a scope below {_few(below)}, or register a location for all of it")
        why = f"a grant is made in a registered location, and there is {_few(self._roots) or 'none'}"
        return Fault(f"{shown(scope)} lies under no location", why, "write a scope below a location, or register one there")


def _few(roots: Iterable[str]) -> str:
    words = list(roots)
    return listed([*words[:SHOWN], "others"] if len(words) > SHOWN else words) if words else ""
