"""Say why the rules give somebody access to a place, or what keeps them from giving it.

For a yes, the reasons of the grant say it. For a no, the same question is asked of the same rules
without their restrictions: ends, exceptions, suspensions, bounds and refusals of shared roles. A
restriction is a cause if the answer is still no with all of them lifted but this one.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from grantor.core.access.access_index import AccessIndex, Principal, spell_bucket
from grantor.core.grant import Grant, Grantee, Permission, Reason, sort_reasons
from grantor.core.planning.bounds import Bounds
from grantor.core.planning.expand import expand_rules
from grantor.core.policy.grantee_types import DIRECTORY_TYPES, find_iam_key
from grantor.core.policy.language import format_rule
from grantor.core.rules import Policy, ProfileSelector, Rule
from grantor.core.snapshot import Hold, Inventory, WantedGrants


class Cause(StrEnum):
    """What keeps rules from giving access."""

    NO_RULE = "no rule"
    ENDED = "ended"
    EXCEPTED = "excepted"
    SUSPENDED = "suspended"
    OUT_OF_BOUNDS = "out of bounds"
    SHARED_ROLE = "shared role"


@dataclass(frozen=True)
class AccessEvidence:
    """What rules give access by: the policies in force, the inventory and the bounds."""

    policies: tuple[Policy, ...]
    inventory: Inventory
    bounds: Bounds | None = None

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
        return replace(
            self,
            policies=tuple(
                replace(
                    policy, rules=tuple(rule for rule in policy.rules if may_reach(rule, target))
                )
                for policy in self.policies
            ),
        )


def may_reach(rule: Rule, target: str) -> bool:
    """Whether some grant of the rule may cover the target, by what stands before its variables."""
    start = rule.on.partition("{")[0].removesuffix("*")
    bare = target.removesuffix("*")
    return start.startswith(bare) or bare.startswith(start)


def _lift_ends(evidence: AccessEvidence) -> AccessEvidence:
    return evidence.map_rules(lambda rule: replace(rule, until=None, lasts=None, until_tag=""))


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


RESTRICTIONS: Mapping[Cause, Callable[[AccessEvidence], AccessEvidence]] = {
    Cause.ENDED: _lift_ends,
    Cause.EXCEPTED: _lift_exceptions,
    Cause.SUSPENDED: _lift_suspensions,
    Cause.OUT_OF_BOUNDS: _lift_bounds,
    Cause.SHARED_ROLE: _accept_shared_roles,
}


@dataclass(frozen=True)
class Explanation:
    """Why the rules answer as they do.

    For a yes, `grant` is the closest that they want and `reasons` are its reasons. For a no,
    `causes` are what keeps rules from it, and `reasons` those that would give it without the
    causes; `on_hold` says of these rules what could not be judged.
    """

    grant: Grant | None = None
    reasons: tuple[Reason, ...] = ()
    causes: tuple[Cause, ...] = ()
    on_hold: tuple[Hold, ...] = ()


def explain_access(
    evidence: AccessEvidence, principal: Principal, permission: Permission, target: str
) -> Explanation:
    """Explain what the rules answer to a request for credentials."""
    near = evidence.narrow(target)
    answer = near.index.decide(principal, permission, target)
    if answer.grant:
        return Explanation(answer.grant, sort_reasons(near.wanted.grants[answer.grant]))
    lifted = set(RESTRICTIONS)
    free = _lift(near, lifted).index.decide(principal, permission, target)
    if free.grant is None:
        suspended = near.wanted.suspended.find(choose_grantee(principal)) is not None
        also = (Cause.SUSPENDED,) if suspended else ()
        return Explanation(causes=(Cause.NO_RULE, *also), on_hold=near.wanted.on_hold)
    for cause in RESTRICTIONS:
        if _lift(near, lifted - {cause}).index.decide(principal, permission, target).is_yes:
            lifted.remove(cause)
    given = _lift(near, lifted)
    grant = given.index.decide(principal, permission, target).grant
    reasons = sort_reasons(given.wanted.grants[grant]) if grant else ()
    causes = tuple(cause for cause in RESTRICTIONS if cause in lifted)
    return Explanation(None, reasons, causes, near.wanted.on_hold)


def _lift(evidence: AccessEvidence, causes: Iterable[Cause]) -> AccessEvidence:
    for cause in sorted(causes):
        evidence = RESTRICTIONS[cause](evidence)
    return evidence


def choose_grantee(principal: Principal) -> Grantee:
    """Choose whom of a principal a rule should name: for whom the session acts, or else its role
    or user.
    """
    return principal.grantees[min(1, len(principal.grantees) - 1)]


PROPOSED_NAME = "proposed"


def propose_rule(principal: Principal, permission: Permission, target: str) -> str:
    """Write the smallest rule that makes exactly this request a yes, to paste below `rules:`.

    A principal who is suspended gets nothing by it.
    """
    whom = choose_grantee(principal)
    is_iam = whom.kind == "IAM"
    key = find_iam_key(whom.identifier) if is_iam else DIRECTORY_TYPES[whom.kind].key.name
    scope = spell_bucket(target)
    place = json.dumps(scope) if scope.endswith("*") else f"{{object: {json.dumps(scope)}}}"
    raw = ["raw_prefix: true"] if scope.endswith("*") and not scope.endswith("/*") else []
    to = f"{key}: {json.dumps(whom.identifier)}"
    return format_rule(PROPOSED_NAME, to, place, permission, *raw)
