"""Where grants can be made: a registered location, and how a scope is written as one of its sub-prefixes."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Location:
    """A location of the Access Grants instance: its id, and its scope exactly as it was registered."""

    id: str
    scope: str

    @property
    def root(self) -> str:
        """The string that every scope below this location begins with.

        The service itself puts a slash between `s3://bucket` and a sub-prefix; a location that ends in `*` adds nothing.

        >>> Location("1", "s3://data").root, Location("2", "s3://data/team/*").root, Location("default", "s3://").root
        ('s3://data/', 's3://data/team/', 's3://')
        """
        bare = self.scope.removesuffix("*")
        return bare if bare.endswith("/") else f"{bare}/"

    def covers(self, scope: str) -> bool:
        """Whether a grant for `scope` can be made here; the whole of `s3://` can not be granted."""
        return scope.startswith(self.root) and scope != "s3://"


def closest(scope: str, locations: Iterable[Location]) -> tuple[Location, str] | None:
    """The location that lies closest above `scope`, and the sub-prefix to ask it for; None where none covers it.

    >>> closest("s3://data/team/x/*", [Location("default", "s3://"), Location("2", "s3://data/")])
    (Location(id='2', scope='s3://data/'), 'team/x/*')
    """
    above = [location for location in locations if location.covers(scope)]
    if not above:
        return None
    best = max(above, key=lambda location: (len(location.root), location.id))
    return best, scope.removeprefix(best.root)
