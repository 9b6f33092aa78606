"""Exceptions as positive prefixes, because S3 Access Grants has no deny: everything below the scope but what lies below an exception.

At each folder from the scope's own down to the one that an exception lies in, every folder that does not lead to an exception
is granted by its name. So for s3://b/* except s3://b/UserA/private/*, with the folders that there are:

    s3://b/         Product, UserA, UserB      s3://b/Product/* and s3://b/UserB/*
    s3://b/UserA/   models, private            s3://b/UserA/models/*

Two limits follow. A folder gets its grant when it is seen, not before. And single objects that lie right at these levels
(s3://b/readme.txt, s3://b/UserA/notes.txt) are not granted: one grant for each object would soon be thousands.
"""

from collections.abc import Iterable, Iterator, Mapping

from grantor.core.diagnostics import Fault, listed, shown
from grantor.core.grant import Location
from grantor.core.planning.templates import Refused
from grantor.core.scope import LONGEST

MOST = 100  # grants that one rule may need for one grantee; an instance holds 100,000


def levels(scope: str, excepts: Iterable[str]) -> frozenset[str]:
    """The folders whose own folders decide what is granted. What no prefix is, or does not lie below the scope, has none.

    >>> sorted(levels("s3://b/*", ["s3://b/UserA/private/*", "s3://b/UserA/private/more/*"]))
    ['s3://b/', 's3://b/UserA/']
    """
    below = [excepted for excepted in excepts if _lies_below(scope, excepted)]
    closed = _closed(below)
    return frozenset(level for excepted in below for level in _down_to(scope[:-1], excepted, closed))


def leads(scope: str, excepts: Iterable[str]) -> frozenset[str]:
    """The folders that are never granted as they are: what is excepted, and the levels above it."""
    listed = tuple(excepts)
    return levels(scope, listed) | _closed(listed)


def open_folders(scope: str, excepts: tuple[str, ...], folders: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    """What is granted instead of `scope`, as (level, name of the folder right below it).

    Raises Refused where prefixes can not say it: a scope or an exception that ends inside a name, an exception that is not
    below the scope, or more than MOST grants.
    """
    _check(scope, excepts)
    shut = leads(scope, excepts)
    names = ((level, name) for level in levels(scope, excepts) for name in folders.get(level, ()))
    found = [(level, name) for level, name in names if f"{level}{name}/" not in shut]
    if len(found) > MOST:
        what = f"{scope} without its exceptions takes {len(found)} grants"
        why = f"each folder that is not excepted needs one, and {MOST} are the most for one rule and grantee"
        raise Refused(Fault(what, why, "put what is excepted into a folder of its own, or grant the folders that are meant"))
    return found


def _check(scope: str, excepts: tuple[str, ...]) -> None:
    for text in (scope, *excepts):
        if not text.endswith("/*") and (text == scope or text.endswith("*")):
            why = "exceptions are kept by granting whole folders"
            raise Refused(Fault(f"{text} is no folder, and the rule has exceptions", why, "write a scope that ends in /*"))
    for excepted in excepts:
        if not _lies_below(scope, excepted):
            why = "an exception takes a part of the scope away, neither all of it nor anything else"
            raise Refused(Fault(f"the exception {excepted} is not below {scope}", why, "name a folder below the scope"))


def _lies_below(scope: str, excepted: str) -> bool:
    return scope.endswith("/*") and excepted != scope and excepted.startswith(scope[:-1])


def _closed(excepts: Iterable[str]) -> frozenset[str]:
    return frozenset(excepted[:-1] for excepted in excepts if excepted.endswith("/*"))


def _down_to(stem: str, excepted: str, closed: frozenset[str]) -> Iterator[str]:
    """The folders from `stem` to the one that the exception lies in, unless another exception has closed it before."""
    yield stem
    for name in excepted.removeprefix(stem).removesuffix("/*").split("/")[:-1]:
        stem += f"{name}/"
        if stem in closed:
            return
        yield stem


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
