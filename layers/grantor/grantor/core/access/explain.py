"""Say why the rules give somebody access to a place, or what keeps them from giving it.

For a yes, the reasons of the grant say it. For a no, the same question is asked of the same rules
without their restrictions: ends, exceptions, suspensions, bounds, applications and refusals of
shared roles. A restriction is a cause if the answer is still no with all of them lifted but this
one. What could not be judged, and files that are not in force as they stand, may be causes as well.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.grant import (
    DOMAIN,
    Grant,
    Grantee,
    Permission,
    Reason,
    find_folder,
    includes_subject,
    sort_reasons,
)
from grantor.core.planning.bounds import Bounds
from grantor.core.planning.expand import expand_rules
from grantor.core.rules import Policy, ProfileSelector, Rule
from grantor.core.snapshot import Hold, Inventory, WantedGrants
from grantor.settings import MAX_GRANTS

FULL = -1  # grants that a file may have of which it is known that it has too many


class Cause(StrEnum):
    """What keeps rules from giving access."""

    NO_RULE = "no rule"
    ENDED = "ended"
    EXCEPTED = "excepted"
    SUSPENDED = "suspended"
    OUT_OF_BOUNDS = "out of bounds"
    SHARED_ROLE = "shared role"
    APPLICATION = "application"
    ON_HOLD = "on hold"
    FILE_REJECTED = "file rejected"


@dataclass(frozen=True)
class FileFault:
    """A policy file that is not in force as it stands, and why; `version` is the one in force
    instead, "" if none is.
    """

    file: str
    why: str
    version: str = ""


@dataclass(frozen=True)
class AccessEvidence:
    """What rules give access by: the policies in force, the inventory and the bounds. `faults` are
    the files of which nobody knows what they would give.
    """

    policies: Sequence[Policy]
    inventory: Inventory
    bounds: Bounds | None = None
    faults: tuple[FileFault, ...] = ()

    @cached_property
    def wanted(self) -> WantedGrants:
        """The grants that the rules want."""
        return expand_rules(self.policies, self.inventory, bounds=self.bounds)

    @cached_property
    def index(self) -> AccessIndex:
        """Those grants, for questions."""
        return AccessIndex(self.wanted.grants)

    def map_rules(self, change: Callable[[Rule], Rule]) -> "AccessEvidence":
        """The same with each rule changed."""
        return replace(
            self,
            policies=tuple(
                replace(policy, rules=tuple(map(change, policy.rules))) for policy in self.policies
            ),
        )

    def narrow(self, target: str) -> "AccessEvidence":
        """The same with only those rules that can concern the target, which expand much faster."""
        policies = tuple(
            replace(policy, rules=tuple(rule for rule in policy.rules if may_reach(rule, target)))
            for policy in self.policies
        )
        bounds = self.bounds
        if bounds and self.crowded:
            full = {
                policy.file: replace(bounds.find(policy.file), grants=FULL)
                for policy in policies
                if policy.rules and policy.file in self.crowded
            }
            bounds = Bounds({**bounds.folders, **full})
        return replace(self, policies=policies, bounds=bounds)

    @cached_property
    def may_be_crowded(self) -> bool:
        """Whether a file may have more grants than its bounds allow, by a quick estimate."""
        return self.bounds is not None and any(
            count_most(policy, self.inventory) > self.bounds.find(policy.file).grants
            for policy in self.policies
        )

    @cached_property
    def crowded(self) -> frozenset[str]:
        """The files that have more grants than their bounds allow."""
        if self.bounds is None or not self.may_be_crowded:
            return frozenset()
        roomy = {name: replace(one, grants=MAX_GRANTS) for name, one in self.bounds.folders.items()}
        wanted = expand_rules(self.policies, self.inventory, bounds=Bounds(roomy))
        counts = Counter(
            file for reasons in wanted.grants.values() for file in {one.file for one in reasons}
        )
        return frozenset(
            file for file, count in counts.items() if count > self.bounds.find(file).grants
        )


def count_most(policy: Policy, inventory: Inventory) -> int:
    """How many grants a policy gives at most, whoever is excepted and whatever has ended."""
    folders = sum(map(len, inventory.folders.values()))
    return sum(
        (len(inventory.profiles) if isinstance(rule.to, ProfileSelector) else 1)
        * (folders if rule.each_prefix or rule.excepts else 1)
        for rule in policy.rules
    )


def may_reach(rule: Rule, target: str) -> bool:
    """Whether some grant of the rule may cover the target, by what stands before its variables."""
    start = rule.on.partition("{")[0].removesuffix("*")
    bare = target.removesuffix("*")
    return start.startswith(bare) or bare.startswith(start)


def _lift_ends(evidence: AccessEvidence) -> AccessEvidence:
    return evidence.map_rules(
        lambda rule: replace(rule, until=None, lasts=None, until_tag="", review=None)
    )


def _lift_exceptions(evidence: AccessEvidence) -> AccessEvidence:
    return evidence.map_rules(_without_exceptions)


def _without_exceptions(rule: Rule) -> Rule:
    to = rule.to
    if isinstance(to, ProfileSelector):
        to = replace(to, except_names=(), except_tags=())
    return replace(rule, excepts=(), to=to)


def _lift_suspensions(evidence: AccessEvidence) -> AccessEvidence:
    policies = (replace(policy, suspensions=()) for policy in evidence.policies)
    return replace(evidence, policies=tuple(policies))


def _lift_bounds(evidence: AccessEvidence) -> AccessEvidence:
    return replace(evidence, bounds=None)


def _accept_shared_roles(evidence: AccessEvidence) -> AccessEvidence:
    return evidence.map_rules(lambda rule: replace(rule, shared_role=True))


def _lift_applications(evidence: AccessEvidence) -> AccessEvidence:
    return evidence.map_rules(lambda rule: replace(rule, application=""))


RESTRICTIONS: Mapping[Cause, Callable[[AccessEvidence], AccessEvidence]] = {
    Cause.ENDED: _lift_ends,
    Cause.EXCEPTED: _lift_exceptions,
    Cause.SUSPENDED: _lift_suspensions,
    Cause.OUT_OF_BOUNDS: _lift_bounds,
    Cause.SHARED_ROLE: _accept_shared_roles,
    Cause.APPLICATION: _lift_applications,
}


@dataclass(frozen=True)
class Explanation:
    """Why the rules answer as they do.

    For a yes, `grant` is the closest that they want and `reasons` are its reasons. For a no,
    `causes` are what keeps rules from it, and `reasons` those that would give it without the
    causes; `on_hold` and `faults` are the rules and files that could not be judged.
    """

    grant: Grant | None = None
    reasons: tuple[Reason, ...] = ()
    causes: tuple[Cause, ...] = ()
    on_hold: tuple[Hold, ...] = ()
    faults: tuple[FileFault, ...] = ()


def explain_access(
    evidence: AccessEvidence, principal: Principal, permission: Permission, target: str
) -> Explanation:
    """Explain what the rules answer to a request for credentials."""
    near = evidence.narrow(target)
    answer = near.index.decide(principal, permission, target)
    if answer.grant:
        return Explanation(answer.grant, sort_reasons(near.wanted.grants[answer.grant]))
    return _RefusedRequest(evidence, near, principal, permission, target).explain()


@dataclass(frozen=True)
class _RefusedRequest:
    """A request that the rules refuse; `near` are those that can concern its target."""

    evidence: AccessEvidence
    near: AccessEvidence
    principal: Principal
    permission: Permission
    target: str

    def explain(self) -> Explanation:
        """Say what keeps the rules from giving it."""
        free, faults = self.lift(RESTRICTIONS), self.evidence.faults
        holds = find_holds(free, self.principal)
        rejected = (Cause.FILE_REJECTED,) if faults else ()
        if self.decide(free) is None:
            is_suspended = self.near.wanted.suspended.find(choose_grantee(self.principal))
            also = (Cause.SUSPENDED,) if is_suspended else ()
            cause = Cause.ON_HOLD if holds else Cause.NO_RULE
            return Explanation(causes=(cause, *also, *rejected), on_hold=holds, faults=faults)
        causes = self.find_causes()
        given = self.lift(causes)
        grant = self.decide(given)
        reasons = sort_reasons(given.wanted.grants[grant]) if grant else ()
        return Explanation(None, reasons, (*causes, *rejected), holds, faults)

    def find_causes(self) -> tuple[Cause, ...]:
        """The restrictions of which each keeps it away while all others are lifted.

        One restriction less may mean fewer grants, so that the bounds keep nothing away any more.
        """
        lifted, before = set(RESTRICTIONS), set[Cause]()
        while lifted != before:
            before = set(lifted)
            for cause in [one for one in RESTRICTIONS if one in lifted]:
                if self.decide(self.lift(lifted - {cause})):
                    lifted.remove(cause)
        return tuple(cause for cause in RESTRICTIONS if cause in lifted)

    def decide(self, evidence: AccessEvidence) -> Grant | None:
        """The grant that would answer the request."""
        return evidence.index.decide(self.principal, self.permission, self.target).grant

    def lift(self, causes: Iterable[Cause]) -> AccessEvidence:
        """The rules that can concern the target, without these restrictions.

        How many grants a file has depends on all of its rules; else few of them are looked at.
        """
        lifted = self.evidence if self.evidence.may_be_crowded else self.near
        for cause in sorted(causes):
            lifted = RESTRICTIONS[cause](lifted)
        return lifted.narrow(self.target)


def find_holds(evidence: AccessEvidence, principal: Principal) -> tuple[Hold, ...]:
    """The holds because of which rules may give the principal something, or may not."""
    sharing = evidence.inventory.sharing
    subjects = {
        subject for one in principal.grantees for subject in sharing.get(one.identifier, ())
    }

    def concerns(hold: Hold) -> bool:
        if any(includes_subject(hold.subject, one) for one in subjects):
            return True
        # The profiles of a domain that could not be read may run as the role.
        is_unknown = hold.subject.startswith(DOMAIN) and not subjects
        return not hold.subject or bool(find_folder(hold.subject)) or is_unknown

    return tuple(filter(concerns, evidence.wanted.on_hold))


def choose_grantee(principal: Principal) -> Grantee:
    """Choose whom of a principal a rule should name: for whom the session acts, or else its role
    or user.
    """
    return principal.grantees[min(1, len(principal.grantees) - 1)]
