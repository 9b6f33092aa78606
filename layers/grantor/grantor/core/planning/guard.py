"""What no run does by itself: take away so much at once that it is more likely a mistake than a decision."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from grantor.core.planning.plan import Plan

SHARE = 0.25  # of what we own
COUNT = 20


@dataclass(frozen=True)
class Before:
    """How things stood when everything was last read: how many grants we own, how many profiles each domain had."""

    owned: int = 0
    profiles: Mapping[str, int] = field(default_factory=dict)


def guard(plan: Plan, before: Before, rules: int, profiles: Mapping[str, int]) -> tuple[str, ...]:
    """Why the plan's deletes need a person's approval; empty if they need none. `profiles` are those found now, by domain read.

    >>> guard(Plan(), Before(owned=100, profiles={"D": 9}), rules=1, profiles={"D": 0})
    ()
    """
    deletes = sum(not change.agreed for change in plan.delete)
    if not deletes:
        return ()
    found = []
    if deletes > COUNT and deletes > SHARE * before.owned:
        found.append(f"it takes away {deletes} of {before.owned} grants: more than {COUNT} and more than {SHARE:.0%}")
    if not rules:
        found.append("the policy files hold no rule at all")
    found += [
        f"Studio domain {domain} has no profile, and had {before.profiles[domain]}"
        for domain, count in sorted(profiles.items())
        if not count and before.profiles.get(domain)
    ]
    return tuple(found)
