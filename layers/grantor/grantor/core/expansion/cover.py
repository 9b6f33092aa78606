"""Which rules could go without anybody losing anything, because one other rule gives the same people more, and for as long.

The grants of one grantee, sorted by the letters that their scopes begin with, stand below the grants that cover them, as
folders do; so one walk over them with the way back up finds every cover, however many grants there are.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import NamedTuple

from grantor.core.grant import Grant, Grantee, Permission
from grantor.core.scope import covers

Ends = Mapping[str, datetime]  # by rule, until when it gives a grant
Reach = Mapping[str, tuple[datetime, Grant]]  # likewise, and which grant that is


class Cover(NamedTuple):
    """`rule` grants nothing that `by` does not cover: `inner` and `outer` are one grant of each."""

    rule: str
    by: str
    inner: Grant
    outer: Grant


class _Above(NamedTuple):
    """A scope, and for each permission the rules that give it or more there: until when, and by which grant."""

    scope: str
    reach: Mapping[Permission, Reach]


class _Sheltered(NamedTuple):
    grant: Grant
    end: datetime
    by: Reach


NOTHING = _Above("*", {permission: {} for permission in Permission})


def covered(givers: Mapping[Grant, Ends]) -> Iterator[Cover]:
    """Every rule whose grants all lie in wider scopes or permissions of one other rule, with the first such rule."""
    sheltered: dict[str, list[_Sheltered]] = defaultdict(list)
    for grants in _by_holder(givers).values():
        for grant, above in _walk(grants, givers):
            for rule, end in givers[grant].items():
                sheltered[rule].append(_Sheltered(grant, end, above.reach[grant.permission]))
    for rule, under in sheltered.items():
        fewest = min((one.by for one in under), key=len)
        for by in sorted(fewest):
            if by != rule and all(by in one.by and one.by[by][0] >= one.end for one in under):
                yield Cover(rule, by, under[0].grant, under[0].by[by][1])
                break


def _by_holder(givers: Mapping[Grant, Ends]) -> Mapping[tuple[Grantee, str], list[Grant]]:
    found: dict[tuple[Grantee, str], list[Grant]] = defaultdict(list)
    for grant in givers:
        found[grant.grantee, grant.application].append(grant)
    return found


def _walk(grants: list[Grant], givers: Mapping[Grant, Ends]) -> Iterator[tuple[Grant, _Above]]:
    """Each grant with what covers it."""
    way = [NOTHING]
    for grant in sorted(grants, key=_outermost_first):
        while not covers(way[-1].scope, grant.scope):
            way.pop()
        yield grant, way[-1]
        way.append(_Above(grant.scope, _reach(way[-1], grant, givers[grant])))


def _outermost_first(grant: Grant) -> tuple[str, bool, bool]:
    return grant.scope.removesuffix("*"), not grant.scope.endswith("*"), grant.permission is not Permission.READWRITE


def _reach(above: _Above, grant: Grant, ends: Ends) -> Mapping[Permission, Reach]:
    given = tuple(Permission) if grant.permission is Permission.READWRITE else (grant.permission,)
    return {**above.reach, **{permission: _with(above.reach[permission], grant, ends) for permission in given}}


def _with(reach: Reach, grant: Grant, ends: Ends) -> Reach:
    later = {rule: (end, grant) for rule, end in ends.items() if rule not in reach or reach[rule][0] < end}
    return {**reach, **later} if later else reach
