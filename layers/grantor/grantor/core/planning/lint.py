"""Warnings about rules that could be written better, although nothing is wrong with them.

To find rules that another covers, the grants of one grantee are sorted by the text of their scopes.
Each then follows the grants that cover it, as in a tree of folders, so one pass with a stack finds
every cover, however many grants there are.
"""

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from grantor.core.diagnostics import Fault, Problem, find_nearest, show_text
from grantor.core.grant import (
    PERMISSIONS,
    Grant,
    Grantee,
    Permission,
    Principals,
    Reason,
    covers,
)
from grantor.core.planning.bounds import BOUNDS_FILE
from grantor.core.planning.grantees import LAST_MOMENT
from grantor.core.planning.plan import LeftoverGrant, UnmanagedGrant
from grantor.core.planning.scopes import VARIABLE, locate_fault
from grantor.core.policy.text_forms import TEST_SUFFIXES
from grantor.core.rules import PROFILE_VARIABLES, Policy, Rule, Suspension
from grantor.core.snapshot import Suspended, WantedGrants
from grantor.settings import MAX_IGNORED_FILES

Ends = Mapping[str, datetime]  # rule → until when it gives a grant
Givers = Mapping[Grant, Ends]
Reach = Mapping[str, tuple[datetime, Grant]]  # rule → until when, and by which grant
Warnings = Iterator[tuple[str, Fault]]  # with the id of the rule that could be changed


def lint_rules(wanted: WantedGrants, policies: Iterable[Policy]) -> tuple[Problem, ...]:
    """Warnings, each at a rule that could be changed, naming the other rule.

    `wanted` must be everything that `policies` want. Costs about as much as sorting the grants.
    """
    rules = {rule.id: rule for policy in policies for rule in policy.rules}
    givers = {grant: _find_ends(reasons) for grant, reasons in wanted.grants.items()}
    pointless = _find_pointless_ends(givers)
    found = [
        *_warn_of_duplicates(givers),
        *_warn_of_covered(givers, pointless),
        *_warn_of_pointless_ends(pointless, rules),
        *_warn_of_halves(givers),
        *_warn_of_buckets(givers),
        *_warn_of_joined_variables(rules.values()),
    ]
    return tuple(sorted(locate_fault(rules[rule], fault) for rule, fault in found))


def warn_of_unmanaged(
    unmanaged: Iterable[UnmanagedGrant], suspended: Suspended
) -> tuple[Problem, ...]:
    """Grants of suspended principals that stay, because Grantor did not create them."""
    found: dict[Suspension, list[Grant]] = defaultdict(list)
    for one in unmanaged:
        if suspension := suspended.find(one.grant.grantee):
            found[suspension].append(one.grant)
    return tuple(locate_fault(by, _explain_unmanaged(grants)) for by, grants in found.items())


def _explain_unmanaged(grants: list[Grant]) -> Fault:
    number, gives = "1 unmanaged grant", "gives"
    if len(grants) > 1:
        number, gives = f"{len(grants):,} unmanaged grants", "give"
    what = f"{number} of whom it suspends still {gives} access: {_describe_some(grants)}"
    why = "Grantor deletes only what it has created"
    return Fault(what, why, "delete it in S3 Access Grants, or adopt it: grantor adopt GRANT_ID")


def warn_of_leftovers(leftover: Iterable[LeftoverGrant]) -> tuple[Problem, ...]:
    """Grants that stay because an additive file gave them, although no rule gives them any more."""
    found: dict[str, list[Grant]] = defaultdict(list)
    for one in leftover:
        for file in sorted({reason.file for reason in one.reasons}):
            found[file].append(one.grant)
    why = "this additive file gave it, and no rule gives it any more"
    remedy = "grantor leftovers lists what stays like that, and deletes it with --revoke"
    return tuple(
        Problem(file, 1, 1, f"leftover: {_describe_some(grants)}", why, remedy)
        for file, grants in sorted(found.items())
    )


POLICY_FOLDER, BOUNDS_FOLDER = "policy", "bounds"
YAML_PART = re.compile(r"\s*\.(ya?ml|json)(?![a-z]).*", re.IGNORECASE | re.DOTALL)


def warn_of_ignored(keys: Iterable[str]) -> tuple[Problem, ...]:
    """Files that nobody reads, although somebody may have meant them as policy files; `keys` are
    all that a bucket or folder holds besides those that are read.

    Other files, such as README.md, are nobody's mistake. Of very many, the first ones are named.
    """
    found = sorted(filter(_is_near_miss, keys))
    named = [_explain_ignored(key) for key in found[:MAX_IGNORED_FILES]]
    if len(found) > len(named):
        what = f"nobody reads {len(found) - len(named):,} more files like these"
        named.append(replace(named[-1], what=what, remedy="rename or delete them"))
    return tuple(named)


def _is_near_miss(key: str) -> bool:
    """Whether a key looks like that of a policy file or of the bounds file.

    >>> [_is_near_miss(key) for key in ("policy/x.YAML", "Policy/a.yaml", "a.json", "policy/team")]
    [True, True, True, True]
    >>> [_is_near_miss(key) for key in ("policy/README.md", "policy/", "policy/.keep", "logs/2026")]
    [False, False, False, False]
    """
    top, slash, rest = key.partition("/")
    name = key.rpartition("/")[2]
    if YAML_PART.search(name):
        return True
    return bool(slash and rest and name) and "." not in name and _find_folder(top) != ""


def _find_folder(top: str) -> str:
    """The folder of the bucket that somebody means who writes this, if one is near."""
    return find_nearest(top.strip(), (POLICY_FOLDER, BOUNDS_FOLDER))


def _explain_ignored(key: str) -> Problem:
    if key.endswith(TEST_SUFFIXES):
        return _explain_test_file(key)
    top, slash, rest = key.partition("/")
    folder = _find_folder(top) if slash else ""
    stem = YAML_PART.sub("", rest if folder else key).strip()
    meant = BOUNDS_FILE if folder == BOUNDS_FOLDER else f"{POLICY_FOLDER}/{stem}.yaml"
    why = (
        "policy files are policy/*.yaml and policy/*.yml, in small letters, and bounds/bounds.yaml"
    )
    remedy = f"if runs should follow it, write it as {show_text(meant)}, else delete it"
    return Problem(show_text(key), 1, 1, "nobody reads this file", why, remedy)


def _explain_test_file(key: str) -> Problem:
    shown = show_text(key)
    plain = next(f"{key.removesuffix(one)}.yaml" for one in TEST_SUFFIXES if key.endswith(one))
    why = "its name says that it has tests alone, which grantor test runs beside the policy files"
    remedy = f"delete it here, or write its rules, if it has any, as {show_text(plain)}"
    return Problem(shown, 1, 1, "no run reads this file", why, remedy)


def report_principals(
    wanted: WantedGrants, principals: Principals, withheld: Container[Grantee]
) -> WantedGrants:
    """The same, with an error for each role that was made again and gets nothing, by the files that
    name it, and with a warning of what could not be listed.
    """
    again = {
        (reason.file, grant.grantee)
        for grant, reasons in wanted.grants.items()
        if grant.grantee in withheld
        for reason in reasons
    }
    rejected = (_explain_made_again(file, grantee) for file, grantee in sorted(again))
    warnings = (_explain_unlisted(kind, why) for kind, why in sorted(principals.unread.items()))
    return replace(
        wanted,
        rejected=(*wanted.rejected, *rejected),
        warnings=(*wanted.warnings, *warnings),
    )


def _explain_made_again(file: str, grantee: Grantee) -> Problem:
    why = "it may be somebody else's now, so its grants are withheld"
    remedy = (
        "if it is meant, set the stack's parameter RecreatedRoles to grant for a run, or take it "
        "out of the rules for a run"
    )
    return Problem(file, 1, 1, f"{grantee} was deleted and made again", why, remedy)


def _explain_unlisted(kind: str, said: str) -> Problem:
    what = f"the {kind}s of the account could not be listed: {said}"
    why = f"no run sees whether a {kind} exists, or was deleted and made again"
    return Problem("policy/", 1, 1, what, why, f"allow iam:List{kind.title()}s")


class Cover(NamedTuple):
    """`rule` grants nothing that `by` does not cover: `inner` and `outer` are one grant of each."""

    rule: str
    by: str
    inner: Grant
    outer: Grant


class _Level(NamedTuple):
    """A scope, and for each permission the rules that give it there: until when, by which grant."""

    scope: str
    reach: Mapping[Permission, Reach]


class _CoveredGrant(NamedTuple):
    grant: Grant
    end: datetime
    by: Reach


TOP = _Level("*", {permission: {} for permission in Permission})


def find_covered(givers: Givers) -> Iterator[Cover]:
    """Rules whose grants all lie in wider scopes or permissions of another, with the first such."""
    covered: dict[str, list[_CoveredGrant]] = defaultdict(list)
    for grants in _group_by_grantee(givers).values():
        for grant, above in _walk_scopes(grants, givers):
            for rule, end in givers[grant].items():
                covered[rule].append(_CoveredGrant(grant, end, above.reach[grant.permission]))
    for rule, found in covered.items():
        fewest = min((one.by for one in found), key=len)
        for by in sorted(fewest):
            if by != rule and all(by in one.by and one.by[by][0] >= one.end for one in found):
                yield Cover(rule, by, found[0].grant, found[0].by[by][1])
                break


def _group_by_grantee(givers: Givers) -> Mapping[tuple[Grantee, str], list[Grant]]:
    found: dict[tuple[Grantee, str], list[Grant]] = defaultdict(list)
    for grant in givers:
        found[grant.grantee, grant.application].append(grant)
    return found


def _walk_scopes(grants: list[Grant], givers: Givers) -> Iterator[tuple[Grant, _Level]]:
    """Each grant with what covers it."""
    levels = [TOP]
    for grant in sorted(grants, key=_outermost_first):
        while not covers(levels[-1].scope, grant.scope):
            levels.pop()
        yield grant, levels[-1]
        levels.append(_Level(grant.scope, _extend_reach(levels[-1], grant, givers[grant])))


def _outermost_first(grant: Grant) -> tuple[str, bool, int]:
    scope, permission = grant.scope, grant.permission
    return scope.removesuffix("*"), not scope.endswith("*"), -len(permission.included)


def _extend_reach(above: _Level, grant: Grant, ends: Ends) -> Mapping[Permission, Reach]:
    included = grant.permission.included
    return {**above.reach, **{one: _add_rules(above.reach[one], grant, ends) for one in included}}


def _add_rules(reach: Reach, grant: Grant, ends: Ends) -> Reach:
    later = {
        rule: (end, grant)
        for rule, end in ends.items()
        if rule not in reach or reach[rule][0] < end
    }
    return {**reach, **later} if later else reach


def _find_ends(reasons: Iterable[Reason]) -> Ends:
    found: dict[str, datetime] = {}
    for reason in reasons:
        end = reason.until or LAST_MOMENT
        found[reason.rule] = max(end, found.get(reason.rule, end))
    return found


def _warn_of_duplicates(givers: Givers) -> Warnings:
    """Grants that several rules give. The rule with the latest end is compared with each other."""
    pairs: dict[tuple[str, str], list[Grant]] = defaultdict(list)
    for grant, ends in givers.items():
        if len(ends) > 1:
            longest, *others = sorted(sorted(ends), key=lambda rule: ends[rule], reverse=True)
            for rule in others:
                pairs[rule, longest].append(grant)
    for (rule, longest), grants in pairs.items():
        both = {givers[grant][rule]: givers[grant][longest] for grant in grants}
        yield rule, _explain_duplicate(grants, longest, both)


def _explain_duplicate(
    grants: list[Grant], longest: str, ends: Mapping[datetime, datetime]
) -> Fault:
    contradicting = {end: later for end, later in ends.items() if end < later}
    if not contradicting:
        what = f"{longest} grants the same: {_describe_some(grants)}"
        why = "the two rules share one grant, which is deleted only when neither wants it"
        return Fault(what, why, "keep one of the two")
    end, later = map(_format_end, min(contradicting.items()))
    what = f"it grants {_describe_some(grants)} {end}, but {longest} {later}"
    why = "a grant stays until its last rule has ended"
    return Fault(what, why, "give both the same end, or keep one of the two")


def _format_end(end: datetime) -> str:
    return "without end" if end == LAST_MOMENT else f"until {end:%Y-%m-%d %H:%M}Z"


PointlessEnds = Mapping[tuple[str, str], list[tuple[Grant, Grant]]]  # by the two rules


def _find_pointless_ends(givers: Givers) -> PointlessEnds:
    """Grants that end, each with a wider one that another rule gives the same grantee without end;
    by the rule that ends and the other one. Of two rules for one grant _warn_of_duplicates warns.
    """
    found: dict[tuple[str, str], list[tuple[Grant, Grant]]] = defaultdict(list)
    ending = {grant.grantee for grant, ends in givers.items() if _find_ending(ends)}
    some = {grant: ends for grant, ends in givers.items() if grant.grantee in ending}
    for grants in _group_by_grantee(some).values():
        for grant, above in _walk_scopes(grants, some):
            endless = [
                (by, outer)
                for by, (end, outer) in above.reach[grant.permission].items()
                if end == LAST_MOMENT
            ]
            for rule in _find_ending(some[grant]):
                for by, outer in endless:
                    found[rule, by].append((grant, outer))
    return found


def _find_ending(ends: Ends) -> list[str]:
    """The rules that give a grant, and end; none if another one gives the same without end."""
    return [] if LAST_MOMENT in ends.values() else list(ends)


def _warn_of_pointless_ends(pointless: PointlessEnds, rules: Mapping[str, Rule]) -> Warnings:
    for (rule, by), pairs in pointless.items():
        grant, outer = min(pairs, key=lambda pair: pair[0].sort_key())
        more = f", and on {len(pairs) - 1:,} more" if len(pairs) > 1 else ""
        what = f"its end has no effect on {grant}{more}"
        why = f"{by} on line {rules[by].line} gives {outer} without end"
        remedy = "give the other rule an end, or except there whom this rule is for"
        yield rule, Fault(what, why, remedy)


def _warn_of_covered(givers: Givers, pointless: PointlessEnds) -> Warnings:
    for cover in find_covered(givers):
        if (cover.rule, cover.by) in pointless:
            continue
        what = f"{cover.by} covers all that it grants, as {cover.outer} covers {cover.inner}"
        remedy = "remove it, or narrow the other rule if it grants more than you mean"
        yield cover.rule, Fault(what, "everybody keeps the same access without it", remedy)


def _warn_of_halves(givers: Givers) -> Warnings:
    """READ and WRITE as two grants, with no READWRITE beside them."""
    for whole, permission_type in PERMISSIONS.items():
        if permission_type.combines:
            yield from _warn_of_parts(givers, whole, *permission_type.combines)


def _warn_of_parts(
    givers: Givers, whole: Permission, reads: Permission, writes: Permission
) -> Warnings:
    pairs: dict[tuple[str, str], list[Grant]] = defaultdict(list)
    for grant, writers in givers.items():
        if grant.permission is writes and replace(grant, permission=whole) not in givers:
            readers = givers.get(replace(grant, permission=reads), {})
            for reader in sorted(readers)[:1]:
                pairs[min(writers), reader].append(grant)
    for (writer, reader), grants in pairs.items():
        what = f"it grants {_describe_some(grants)}, and {reader} grants {reads} there"
        why = f"a request to S3 Access Grants for {whole} is not served by two grants, one for each"
        remedy = f"write allow: {whole} in one of the two, and remove the other"
        yield writer, Fault(what, why, remedy)


def _warn_of_buckets(givers: Givers) -> Warnings:
    found: dict[tuple[str, str], list[Grant]] = defaultdict(list)
    for grant, ends in givers.items():
        if grant.scope.count("/") == 3 and grant.scope.endswith("/*"):
            for rule in ends:
                found[rule, grant.scope].append(grant)
    for (rule, _), grants in found.items():
        what = f"it grants a whole bucket: {_describe_some(grants)}"
        why = "it also covers everything that is put into the bucket later"
        yield rule, Fault(what, why, "write a prefix if you do not mean all of it")


def _warn_of_joined_variables(rules: Iterable[Rule]) -> Warnings:
    """A profile's own variable beside another variable in one name."""
    for rule in rules:
        for name in rule.on.split("/"):
            used = {found[0] for found in VARIABLE.finditer(name)}
            if not used.isdisjoint(PROFILE_VARIABLES) and not used.issubset(PROFILE_VARIABLES):
                what = f"{name} is made of two variables"
                why = "a-b and c make the same name as a and b-c, and two profiles one folder"
                yield rule.id, Fault(what, why, "put a slash between them")


def _describe_some(grants: list[Grant]) -> str:
    first = str(min(grants, key=Grant.sort_key))
    return first if len(grants) == 1 else f"{first}, and {len(grants) - 1:,} more"
