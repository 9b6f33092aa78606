"""Compare two sets of rules over one inventory, or over every inventory that there could be: what
they give now, and after each suspension that ends.

A rule that cannot be judged gives nothing, and takes nothing either. The verdict holds in spite of
it only if it stands on both sides alike; else it is named, and nobody should rely on the verdict.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from grantor.core.access.compare import (
    AccessComparison,
    AccessDifference,
    AccessVerdict,
    WantedAccess,
    compare_access,
)
from grantor.core.access.explain import AccessEvidence
from grantor.core.diagnostics import Fault
from grantor.core.grant import Grant, Grantee, Location, iam_grantee
from grantor.core.planning.bounds import Bounds, FileBounds, RuleBounds
from grantor.core.planning.required_reads import list_directory_names, list_suspended_names
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    Policy,
    ProfileName,
    ProfileSelector,
    Rule,
    Suspension,
)
from grantor.core.snapshot import Hold, Inventory, WantedGrants


@dataclass(frozen=True)
class ComparedSide:
    """One side of a comparison: the grants that rules give, or grants that are known."""

    name: str
    evidence: AccessEvidence | None = None
    grants: WantedAccess = field(default_factory=dict)

    @cached_property
    def wanted(self) -> WantedGrants:
        """What the rules give now, and what keeps them from it."""
        return self.evidence.wanted if self.evidence else WantedGrants()

    def give(self, at: datetime) -> WantedAccess:
        """Return the grants in force at a time."""
        if self.evidence is None:
            return self.grants
        inventory = self.evidence.inventory
        if at == inventory.now:
            return self.wanted.grants
        rules = (rule for policy in self.evidence.policies for rule in policy.rules)
        # A rule that nobody has reviewed counts from now on, and not from then on.
        reviews = {**dict.fromkeys((rule.id for rule in rules), inventory.now), **inventory.reviews}
        then = replace(inventory, now=at, reviews=reviews)
        return replace(self.evidence, inventory=then).wanted.grants

    def list_suspension_ends(self) -> frozenset[datetime]:
        """When access may come back: everything else that happens by itself takes it away."""
        policies = self.evidence.policies if self.evidence else ()
        ends = (one.until for policy in policies for one in policy.suspensions)
        return frozenset(filter(None, ends))


@dataclass(frozen=True)
class SideComparison:
    """What only one of two sides gives, and what could not be judged on one of them."""

    old: ComparedSide
    new: ComparedSide
    found: AccessComparison
    now: datetime
    unjudged: tuple[Hold, ...] = ()

    @property
    def verdict(self) -> AccessVerdict | None:
        """The comparison in one word; None if some rule could not be judged."""
        return None if self.unjudged else self.found.verdict


def compare_sides(old: ComparedSide, new: ComparedSide, now: datetime) -> SideComparison:
    """Compare two sides from `now` on. Both have the same inventory."""
    ends = old.list_suspension_ends() | new.list_suspension_ends()
    lost: list[AccessDifference] = []
    gained: list[AccessDifference] = []
    for at in (now, *sorted(end for end in ends if end > now)):
        found = compare_access(old.give(at), new.give(at), at)
        lost += _date_new(found.lost, lost, at, now)
        gained += _date_new(found.gained, gained, at, now)
    comparison = AccessComparison(tuple(lost), tuple(gained))
    return SideComparison(old, new, comparison, now, find_unjudged(old, new))


def _date_new(
    found: Iterable[AccessDifference], known: list[AccessDifference], at: datetime, now: datetime
) -> list[AccessDifference]:
    """The differences that no earlier time has shown, each with a request of this time."""
    seen = {(one.grant, one.request.permission) for one in known}
    fresh = [one for one in found if (one.grant, one.request.permission) not in seen]
    if at == now:
        return fresh
    return [replace(one, request=replace(one.request, at=one.request.at or at)) for one in fresh]


def find_unjudged(old: ComparedSide, new: ComparedSide) -> tuple[Hold, ...]:
    """Find what is on hold on one side and is not certainly the same on the other."""
    held, also = _list_holds(old), _list_holds(new)
    if not held | also:
        return ()
    if not (old.evidence and new.evidence and _restrict_alike(old.evidence, new.evidence)):
        return tuple(sorted(held | also))
    before, after = _index_rules(old.evidence), _index_rules(new.evidence)
    alike = {one for one in held & also if before.get(one.rule) == after.get(one.rule)}
    return tuple(sorted((held | also) - alike))


def _list_holds(side: ComparedSide) -> frozenset[Hold]:
    """The rules on hold, and the suspensions of whom nobody could find."""
    if side.evidence is None:
        return frozenset()
    unread = side.evidence.inventory.unread
    return frozenset(side.wanted.on_hold) | {
        Hold(one.id, "", f"{subject} could not be read: {unread[subject]}")
        for policy in side.evidence.policies
        for one in policy.suspensions
        if (subject := name_needed(one)) in unread
    }


def name_needed(suspension: Suspension) -> str:
    """What must be read to know whom a suspension concerns, as Inventory.unread names it."""
    match suspension.who:
        case ProfileName(domain, _):
            return f"domain {domain}"
        case DirectoryName(kind, who):
            return f"directory {kind} {who}"
        case _:
            return ""


def _restrict_alike(old: AccessEvidence, new: AccessEvidence) -> bool:
    """Whether suspensions and bounds are the same."""
    return _list_suspended(old) == _list_suspended(new) and old.bounds == new.bounds


def _index_rules(evidence: AccessEvidence) -> dict[str, list[Rule]]:
    """The rules by their ids, without where they stand in their files."""
    found: dict[str, list[Rule]] = {}
    for rule in (rule for policy in evidence.policies for rule in policy.rules):
        found.setdefault(rule.id, []).append(strip_place(rule))
    return found


def strip_place(rule: Rule) -> Rule:
    """The rule without its place and without what it is for, which give nobody anything."""
    return replace(rule, line=1, column=1, owner="", description="")


ANYWHERE = Location("anywhere", "s3://")
NEED_INVENTORY = "save an inventory with grantor inventory > FILE, and name it with --profiles FILE"


def assume_nothing(
    old: AccessEvidence, new: AccessEvidence
) -> tuple[AccessEvidence, AccessEvidence] | tuple[Fault, ...]:
    """Return both sides over an inventory in which every name is somebody else; or why that does
    not decide for every inventory that there could be. Either both sides have bounds, or none.

    Rules that depend on profiles or folders must be the same on both sides; then they give the
    same, and only rules that name whom and what they are for remain. What these give in such an
    inventory they give in any other, where two names may be one person. Bounds take a grant as a
    whole, so all of these rules must lie within them; without any, the default bounds are whole
    buckets. How many grants a file may have is left out.
    """
    if faults := tuple(_find_dependence(old, new)):
        return faults
    both = (*old.policies, *new.policies)
    rules = [rule for policy in both for rule in policy.rules if not depends_on_inventory(rule)]
    names = list_directory_names(rules, {})
    names |= list_suspended_names(one for policy in both for one in policy.suspensions)
    directory = {(kind, who): who for kind, who in names}
    inventory = Inventory(old.inventory.now, (ANYWHERE,), directory=directory)
    first, second = (
        AccessEvidence(tuple(map(_keep_named, each.policies)), inventory) for each in (old, new)
    )
    return first, second


def depends_on_inventory(rule: Rule) -> bool:
    """Whether what the rule gives depends on who and what there is."""
    return isinstance(rule.to, ProfileSelector) or bool(rule.each_prefix or rule.excepts)


def _keep_named(policy: Policy) -> Policy:
    """The rules and suspensions that name a role, or a user or group."""
    rules = (rule for rule in policy.rules if not depends_on_inventory(rule))
    named = (one for one in policy.suspensions if not isinstance(one.who, ProfileName))
    return replace(policy, rules=tuple(rules), suspensions=tuple(named))


def _find_dependence(old: AccessEvidence, new: AccessEvidence) -> Iterator[Fault]:
    """Find what differs, and has an effect that depends on the inventory."""
    before, after = _index_dependent(old), _index_dependent(new)
    for rule_id in sorted({*_subtract(before, after), *_subtract(after, before)}):
        what = f"rule {rule_id} is not the same on both sides"
        yield Fault(what, "which profiles and folders exist decides what it gives", NEED_INVENTORY)
    changed = _list_suspended(old) ^ _list_suspended(new)
    if changed and (before or any(isinstance(who, ProfileName) for who, _ in changed)):
        what = "the suspensions are not the same on both sides"
        yield Fault(what, "which profiles exist decides whom they concern", NEED_INVENTORY)
    yield from _find_bounds(old, new)


def _find_bounds(*sides: AccessEvidence) -> Iterator[Fault]:
    """Find rules that the bounds may take away, and bounds whose accounts differ: nobody knows
    which account is the stack's own.
    """
    for side in sides:
        rules = (rule for policy in side.policies for rule in policy.rules)
        for rule in rules:
            if (
                side.bounds
                and not depends_on_inventory(rule)
                and not _lies_within(rule, side.bounds)
            ):
                what = f"rule {rule.id} may be outside of the bounds of its file"
                yield Fault(what, "the names of the stack's buckets decide", NEED_INVENTORY)
    accounts = {
        side.bounds.find(policy.file).accounts
        for side in sides
        for policy in side.policies
        if side.bounds and policy.rules
    }
    if len(accounts) > 1:
        what = "not all of the policy files may give something to the same accounts"
        yield Fault(
            what, "the account of the stack decides what their bounds allow", NEED_INVENTORY
        )


def _lies_within(rule: Rule, bounds: Bounds) -> bool:
    """Whether the bounds let the rule give what it names, whatever they say of accounts."""
    own, to = bounds.find(rule.file), rule.to
    if isinstance(to, IamPrincipal):
        own = replace(own, accounts=(to.arn.split(":")[4],))
        grantee = iam_grantee(to.arn)
    else:
        assert isinstance(to, DirectoryName)
        grantee = Grantee(to.kind, to.who)
    return RuleBounds(rule, own).allow(Grant(grantee, rule.allow, rule.on))


def _index_dependent(evidence: AccessEvidence) -> dict[tuple[Rule, FileBounds | None], str]:
    """The rules that depend on the inventory, each with the bounds of its file, and its id."""
    bounds = evidence.bounds
    return {
        (
            replace(strip_place(rule), file="", name=""),
            replace(bounds.find(rule.file), folder="") if bounds else None,
        ): rule.id
        for policy in evidence.policies
        for rule in policy.rules
        if depends_on_inventory(rule)
    }


def _subtract[K](rules: Mapping[K, str], others: Mapping[K, str]) -> list[str]:
    return [rule_id for rule, rule_id in rules.items() if rule not in others]


def _list_suspended(side: AccessEvidence) -> set[tuple[object, datetime | None]]:
    return {(one.who, one.until) for policy in side.policies for one in policy.suspensions}
