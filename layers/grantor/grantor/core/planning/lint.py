"""Which rules could go without anybody losing anything, because one other rule gives the same people more, and for as long.

The grants of one grantee, sorted by the letters that their scopes begin with, stand below the grants that cover them, as
folders do; so one walk over them with the way back up finds every cover, however many grants there are.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from grantor.core.diagnostics import Fault, Problem
from grantor.core.grant import Grant, Grantee, Permission, Reason
from grantor.core.planning.templates import LAST, OWN, VARIABLE, problem
from grantor.core.rules import Policy, Rule
from grantor.core.scope import covers
from grantor.core.snapshot import Wanted

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


Givers = Mapping[Grant, Ends]
Found = Iterator[tuple[str, Fault]]  # by the id of the rule that could be changed


def lint(wanted: Wanted, policies: Iterable[Policy]) -> tuple[Problem, ...]:
    """Warnings, each at a rule that could be changed and naming the other. `wanted` is all that `policies` want, not some of it.

    Costs about as much as sorting the grants.
    """
    rules = {rule.id: rule for policy in policies for rule in policy.rules}
    givers = {grant: _ends(reasons) for grant, reasons in wanted.grants.items()}
    found = [*_twice(givers), *_covered(givers), *_halves(givers), *_whole_buckets(givers), *_joined(rules.values())]
    return tuple(sorted(problem(rules[rule], fault) for rule, fault in found))


def _ends(reasons: Iterable[Reason]) -> Ends:
    found: dict[str, datetime] = {}
    for reason in reasons:
        end = reason.until or LAST
        found[reason.rule] = max(end, found.get(reason.rule, end))
    return found


def _twice(givers: Givers) -> Found:
    """Grants that several rules give: the one that gives it longest is compared with each of the others."""
    pairs: dict[tuple[str, str], list[Grant]] = {}
    for grant, ends in givers.items():
        if len(ends) > 1:
            longest, *others = sorted(sorted(ends), key=lambda rule: ends[rule], reverse=True)
            for rule in others:
                pairs.setdefault((rule, longest), []).append(grant)
    for (rule, longest), grants in pairs.items():
        yield rule, _same(grants, longest, {givers[grant][rule]: givers[grant][longest] for grant in grants})


def _same(grants: list[Grant], longest: str, ends: Mapping[datetime, datetime]) -> Fault:
    contradicting = {end: later for end, later in ends.items() if end < later}
    if not contradicting:
        why = "one grant stands for both, and goes only when neither rule wants it"
        return Fault(f"{longest} grants the same: {_example(grants)}", why, "keep one of the two")
    end, later = min(contradicting.items())
    what = f"it grants {_example(grants)} {_at(end)}, but {longest} {_at(later)}"
    return Fault(what, "a grant stands until its last rule has ended", "give both the same end, or keep one of the two")


def _at(end: datetime) -> str:
    return "without end" if end == LAST else f"until {end:%Y-%m-%d %H:%M}Z"


def _covered(givers: Givers) -> Found:
    for cover in covered(givers):
        what = f"{cover.by} covers all that it grants, as {cover.outer} covers {cover.inner}"
        remedy = "remove it, or narrow the other rule if that says more than is meant"
        yield cover.rule, Fault(what, "without it nobody could do less", remedy)


def _halves(givers: Givers) -> Found:
    """READ and WRITE as two grants, with no READWRITE beside them."""
    pairs: dict[tuple[str, str], list[Grant]] = {}
    for grant, writers in givers.items():
        if grant.permission is Permission.WRITE and replace(grant, permission=Permission.READWRITE) not in givers:
            readers = givers.get(replace(grant, permission=Permission.READ), {})
            for reader in sorted(readers)[:1]:
                pairs.setdefault((min(writers), reader), []).append(grant)
    for (writer, reader), grants in pairs.items():
        what = f"it grants {_example(grants)}, and {reader} grants READ there"
        why = "who asks S3 Access Grants for READWRITE is not served by two grants, one for each"
        yield writer, Fault(what, why, "write allow: READWRITE in one of the two, and remove the other")


def _whole_buckets(givers: Givers) -> Found:
    found: dict[tuple[str, str], list[Grant]] = {}
    for grant, ends in givers.items():
        if grant.scope.count("/") == 3 and grant.scope.endswith("/*"):
            for rule in ends:
                found.setdefault((rule, grant.scope), []).append(grant)
    for (rule, _), grants in found.items():
        why = "whatever is put into the bucket one day is granted with it"
        yield rule, Fault(f"it grants a whole bucket: {_example(grants)}", why, "write a prefix, if not all of it is meant")


def _joined(rules: Iterable[Rule]) -> Found:
    """A profile's own variable beside another in one name."""
    for rule in rules:
        for name in rule.on.split("/"):
            used = {found[0] for found in VARIABLE.finditer(name)}
            if not used.isdisjoint(OWN) and not used.issubset(OWN):
                what, why = (
                    f"{name} is made of two variables",
                    "a-b and c make the same name as a and b-c, and two profiles one folder",
                )
                yield rule.id, Fault(what, why, "put a slash between them")


def _example(grants: list[Grant]) -> str:
    return f"{min(grants, key=Grant.order)}" + (f", and {len(grants) - 1:,} more" if len(grants) > 1 else "")
