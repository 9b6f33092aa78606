"""How much of the rules their tests cover.

A part of a rule is covered if a test fails without it; PartKind says what that means. So a part
counts that the tests protect from a change, and not what they happen to pass through.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial

from grantor.core.access.policy_tests import run_tests
from grantor.core.diagnostics import join_words
from grantor.core.expectations import PolicyTests
from grantor.core.grant import Permission
from grantor.core.rules import DirectoryName, IamPrincipal, Policy, ProfileSelector, Rule, Tags
from grantor.core.snapshot import Inventory

Grantees = IamPrincipal | ProfileSelector | DirectoryName
Place = tuple[str, tuple[str, ...]]  # the scope of a rule, and its exceptions


class PartKind(StrEnum):
    """What a part of a rule is; the value is what is changed to see whether a test fails."""

    RULE = "the rule is removed"
    GRANTEE = "one item of to is removed"
    PLACE = "one item of on is removed"
    NAMES = "names is removed"
    TAG = "one tag is removed"
    PROFILE_EXCEPTION = "one exception of to is removed"
    SCOPE_EXCEPTION = "one exception of on is removed"
    SCOPE = "the scope ends one folder earlier"
    PERMISSION = "the permission is another one"
    END = "the rule never ends"
    APPLICATION = "application is removed"
    SUSPENSION = "the suspension is removed"


@dataclass(frozen=True)
class RulePart:
    """A part of a rule or suspension, and where that stands. `detail` is the part as it is written,
    where a rule can have several of the kind.
    """

    kind: PartKind
    rule: str  # id
    file: str
    line: int
    column: int
    detail: str = ""


@dataclass(frozen=True)
class Coverage:
    """All parts, and those that no test covers."""

    parts: tuple[RulePart, ...] = ()
    uncovered: tuple[RulePart, ...] = ()

    @property
    def percent(self) -> int:
        """How many parts of a hundred are covered, rounded down; 100 if there are none."""
        covered = len(self.parts) - len(self.uncovered)
        return 100 * covered // len(self.parts) if self.parts else 100


def measure_coverage(
    policies: Sequence[Policy],
    suites: Iterable[PolicyTests] = (),
    inventory: Inventory | None = None,
) -> Coverage:
    """Measure what the tests of the files themselves and of `suites` cover; all of them pass."""
    suites = tuple(suites)
    parts, uncovered = [], []
    for policy in policies:
        others = tuple(one for one in policies if one is not policy)
        for part, changed in list_parts(policy):
            parts.append(part)
            asked = run_tests(policy.tests, (changed,)) if policy.tests else ()
            every = (run_tests(one, (*others, changed), inventory) for one in suites)
            if all(one.passed for results in (asked, *every) for one in results):
                uncovered.append(part)
    return Coverage(tuple(parts), tuple(uncovered))


def list_parts(policy: Policy) -> Iterator[tuple[RulePart, Policy]]:
    """Yield each part of a policy's rules and suspensions, and the policy without it."""
    for name in dict.fromkeys(rule.name for rule in policy.rules):
        group = [rule for rule in policy.rules if rule.name == name]
        first = group[0]
        for kind, detail, change in _list_changes(group):
            part = RulePart(kind, first.id, first.file, first.line, first.column, detail)
            changed = (change(rule) if rule.name == name else rule for rule in policy.rules)
            yield part, replace(policy, rules=tuple(filter(None, changed)))
    for one in policy.suspensions:
        part = RulePart(PartKind.SUSPENSION, one.id, one.file, one.line, one.column)
        left = tuple(other for other in policy.suspensions if other != one)
        yield part, replace(policy, suspensions=left)


# A kind of part, which one it is, and what a rule is without it: None for no rule at all.
Change = tuple[PartKind, str, Callable[[Rule], Rule | None]]


def _list_changes(group: Sequence[Rule]) -> Iterator[Change]:
    """The changes of a rule. `group` is the rule for each grantee at each place."""
    first = group[0]
    yield PartKind.RULE, "", lambda _: None
    grantees = list(dict.fromkeys(rule.to for rule in group))
    for to in grantees:
        if len(grantees) > 1:
            yield PartKind.GRANTEE, _name_grantees(to), partial(_remove_grantee, to)
        if isinstance(to, ProfileSelector):
            for kind, detail, wider in _widen_selector(to):
                yield kind, detail, partial(_replace_grantee, to, wider)
    places = list(dict.fromkeys(map(_place_of, group)))
    for place in places:
        if len(places) > 1:
            yield PartKind.PLACE, place[0], partial(_remove_place, place)
        for kind, detail, other in _widen_place(place):
            yield kind, detail, partial(_replace_place, place, other)
    yield PartKind.PERMISSION, str(first.allow), _change_permission
    if first.until or first.lasts or first.until_tag:
        yield PartKind.END, "", partial(replace, until=None, lasts=None, until_tag="")
    if first.application:
        yield PartKind.APPLICATION, "", partial(replace, application="")


def _name_grantees(to: Grantees) -> str:
    if isinstance(to, ProfileSelector):
        return f"profiles of {join_words(to.domains, 'and')}"
    return to.arn if isinstance(to, IamPrincipal) else f"{to.kind.lower()}:{to.who}"


def _widen_selector(to: ProfileSelector) -> Iterator[tuple[PartKind, str, ProfileSelector]]:
    if to.names:
        yield PartKind.NAMES, ", ".join(to.names), replace(to, names=())
    for tag in to.tags:
        left = tuple(one for one in to.tags if one != tag)
        yield PartKind.TAG, _format_tags((tag,)), replace(to, tags=left)
    for name in to.except_names:
        names = tuple(one for one in to.except_names if one != name)
        yield PartKind.PROFILE_EXCEPTION, name, replace(to, except_names=names)
    for tags in to.except_tags:
        others = tuple(one for one in to.except_tags if one != tags)
        yield PartKind.PROFILE_EXCEPTION, _format_tags(tags), replace(to, except_tags=others)


def _format_tags(tags: Tags) -> str:
    return ", ".join(f"{key}: {value}" for key, value in tags)


def _widen_place(place: Place) -> Iterator[tuple[PartKind, str, Place]]:
    on, excepts = place
    if wider := widen_scope(on):
        yield PartKind.SCOPE, on, (wider, excepts)
    for scope in excepts:
        left = tuple(one for one in excepts if one != scope)
        yield PartKind.SCOPE_EXCEPTION, scope, (on, left)


def widen_scope(scope: str) -> str:
    """The scope that ends one folder earlier; "" for a whole bucket.

    >>> widen_scope("s3://b/a/x/*"), widen_scope("s3://b/a.csv"), widen_scope("s3://b/*")
    ('s3://b/a/*', 's3://b/*', '')
    """
    bare = scope.removeprefix("s3://").removesuffix("*").removesuffix("/")
    folder, slash, _ = bare.rpartition("/")
    return f"s3://{folder}/*" if slash else ""


def _place_of(rule: Rule) -> Place:
    return rule.on, rule.excepts


def _remove_grantee(to: Grantees, rule: Rule) -> Rule | None:
    return None if rule.to == to else rule


def _replace_grantee(to: Grantees, other: Grantees, rule: Rule) -> Rule:
    return replace(rule, to=other) if rule.to == to else rule


def _remove_place(place: Place, rule: Rule) -> Rule | None:
    return None if _place_of(rule) == place else rule


def _replace_place(place: Place, other: Place, rule: Rule) -> Rule:
    return replace(rule, on=other[0], excepts=other[1]) if _place_of(rule) == place else rule


def _change_permission(rule: Rule) -> Rule:
    """With more than before; of READWRITE, which is everything, with less."""
    is_all = rule.allow is Permission.READWRITE
    return replace(rule, allow=Permission.READ if is_all else Permission.READWRITE)
