"""Scopes with exceptions, as positive prefixes, because S3 Access Grants cannot deny; and scopes
against locations.

At each folder from the scope's own down to the one that an exception lies in, every folder that
does not lead to an exception is granted by its name. For s3://b/* except s3://b/UserA/private/*,
with the folders that exist:

    s3://b/         Product, UserA, UserB      s3://b/Product/* and s3://b/UserB/*
    s3://b/UserA/   models, private            s3://b/UserA/models/*

Two limits follow. A folder gets its grant once it is seen, not before. And single objects directly
at these levels (s3://b/readme.txt, s3://b/UserA/notes.txt) are not granted: one grant for each
would soon be thousands.
"""

from collections.abc import Iterable, Iterator, Mapping

from grantor.core.diagnostics import Fault, join_words, quote_text
from grantor.core.grant import Location
from grantor.core.planning.holds import RuleRejected
from grantor.limits import MAX_SCOPE_CHARACTERS
from grantor.settings import MAX_GRANTS_PER_GRANTEE, MAX_LISTED_LOCATIONS


def find_levels(scope: str, excepts: Iterable[str]) -> frozenset[str]:
    """The folders that must be listed, because the folders in them decide what is granted.

    An exception that is not below the scope adds none.

    >>> sorted(find_levels("s3://b/*", ["s3://b/UserA/private/*", "s3://b/UserA/private/more/*"]))
    ['s3://b/', 's3://b/UserA/']
    """
    below = [excepted for excepted in excepts if _lies_below(scope, excepted)]
    excluded = _list_excluded(below)
    return frozenset(
        level for excepted in below for level in _walk_down(scope[:-1], excepted, excluded)
    )


def find_closed_folders(scope: str, excepts: Iterable[str]) -> frozenset[str]:
    """The folders that are never granted as a whole: the exceptions, and the levels above them."""
    listed = tuple(excepts)
    return find_levels(scope, listed) | _list_excluded(listed)


def list_open_folders(
    scope: str, excepts: tuple[str, ...], folders: Mapping[str, tuple[str, ...]]
) -> list[tuple[str, str]]:
    """What is granted in place of `scope`, as (level, name of the folder directly below it).

    Raises RuleRejected if prefixes cannot express it: a scope or an exception ends inside a name,
    an exception is not below the scope, or it takes more than MAX_GRANTS_PER_GRANTEE grants.
    """
    _check_exceptions(scope, excepts)
    closed = find_closed_folders(scope, excepts)
    names = (
        (level, name) for level in find_levels(scope, excepts) for name in folders.get(level, ())
    )
    found = [(level, name) for level, name in names if f"{level}{name}/" not in closed]
    if len(found) > MAX_GRANTS_PER_GRANTEE:
        what = f"{scope} without its exceptions takes {len(found)} grants"
        why = (
            "each folder that is not excepted needs one, "
            f"and {MAX_GRANTS_PER_GRANTEE} are the most for one rule and grantee"
        )
        remedy = (
            "put what is excepted into a folder of its own, or grant the folders that are meant"
        )
        raise RuleRejected(Fault(what, why, remedy))
    return found


def _check_exceptions(scope: str, excepts: tuple[str, ...]) -> None:
    for text in (scope, *excepts):
        if not text.endswith("/*") and (text == scope or text.endswith("*")):
            what = f"{text} is not a folder, and the rule has exceptions"
            why = "exceptions are kept by granting whole folders"
            raise RuleRejected(Fault(what, why, "write a scope that ends in /*"))
    for excepted in excepts:
        if not _lies_below(scope, excepted):
            why = "an exception takes a part of the scope away, neither all of it nor anything else"
            what = f"the exception {excepted} is not below {scope}"
            raise RuleRejected(Fault(what, why, "name a folder below the scope"))


def _lies_below(scope: str, excepted: str) -> bool:
    return scope.endswith("/*") and excepted != scope and excepted.startswith(scope[:-1])


def _list_excluded(excepts: Iterable[str]) -> frozenset[str]:
    return frozenset(excepted[:-1] for excepted in excepts if excepted.endswith("/*"))


def _walk_down(stem: str, excepted: str, excluded: frozenset[str]) -> Iterator[str]:
    """The folders from `stem` to the one that the exception lies in, or to another exception on the
    way.
    """
    yield stem
    for name in excepted.removeprefix(stem).removesuffix("/*").split("/")[:-1]:
        stem += f"{name}/"
        if stem in excluded:
            return
        yield stem


class LocationCheck:
    """Checks scopes against the registered locations; cheap, because it sees each of very many
    grants.
    """

    def __init__(self, locations: Iterable[Location]) -> None:
        self._roots = tuple(sorted({location.root for location in locations}))

    def check_scope(self, scope: str) -> None:
        """Raise RuleRejected if S3 Access Grants would not accept the scope."""
        if len(scope) > MAX_SCOPE_CHARACTERS:
            what = f"{quote_text(scope)} has {len(scope):,} characters"
            why = f"S3 Access Grants takes up to {MAX_SCOPE_CHARACTERS:,}"
            raise RuleRejected(Fault(what, why, "shorten the names in it"))
        if not scope.startswith(self._roots):
            raise RuleRejected(self._explain_misplaced(scope))

    def _explain_misplaced(self, scope: str) -> Fault:
        below = [
            root for root in self._roots if scope.endswith("*") and root.startswith(scope[:-1])
        ]
        if below:
            what = f"{quote_text(scope)} is wider than every location"
            why = "a grant cannot reach beyond the location that it is made in"
            remedy = (
                f"write a scope below {_name_some(below)}, or register a location for all of it"
            )
            return Fault(what, why, remedy)
        known = _name_some(self._roots) or "none"
        what = f"{quote_text(scope)} lies under no location"
        why = f"a grant is made in a registered location, and there is {known}"
        return Fault(what, why, "write a scope below a location, or register one there")


def _name_some(roots: Iterable[str]) -> str:
    """The first few locations; empty if there are none."""
    words = list(roots)
    if len(words) > MAX_LISTED_LOCATIONS:
        words = [*words[:MAX_LISTED_LOCATIONS], "others"]
    return join_words(words) if words else ""
