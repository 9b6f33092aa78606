"""What a job's role holds, and what the rules in force would give it; the second is asked only where the first is not enough."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from grantor.core.expansion import needs
from grantor.core.expansion.expand import expand
from grantor.core.focus import Focus
from grantor.core.grant import Grant, Grantee
from grantor.core.job import Start
from grantor.core.jobs.preflight import Answer, Preflight, preflight
from grantor.core.reason import profile_subject
from grantor.core.rule import Policy, Rule
from grantor.core.wanted import Wanted
from grantor.core.whom import Principal
from grantor.intake import Intake
from grantor.surroundings import focused
from grantor.world import World

EVERYTHING = Focus()


def judge(world: World, policies: Intake, start: Start, now: datetime) -> Preflight:
    """Whether the role holds what the job needs. A call if it does; else what the reconciler would read for it.

    Raises ClientError or NotYet where that can't be read.
    """
    held = world.grants.list([Grantee("IAM", start.role)])
    found = preflight(start, held, ())
    if found.answer is Answer.OK:
        return found
    wanted = _wanted(world, policies, start, now)
    grants: set[Grant] = {grant for one in wanted for grant in one.grants}
    unread = [*(held.why for one in wanted for held in one.held), *policies.unread.values()]
    return preflight(start, held, grants, sorted(set(unread)))


def _wanted(world: World, policies: Intake, start: Start, now: datetime) -> list[Wanted]:
    """What rules for the role itself give, and what rules for the profile do."""
    own = [_only(policy, start.role) for policy in policies.policies.values()]
    found = [_expanded(world, own, EVERYTHING, now)]
    if start.profile:
        focus = Focus.of([profile_subject(*start.profile.split("/", 1))])
        found.append(_expanded(world, policies.policies.values(), focus, now))
    return found


def _expanded(world: World, policies: Iterable[Policy], focus: Focus, now: datetime) -> Wanted:
    listed = list(policies)
    rules = needs.concerned([rule for policy in listed for rule in policy.rules], focus)
    return expand(listed, focused(world, rules, focus, now), focus) if rules else Wanted()


def _only(policy: Policy, role: str) -> Policy:
    """The policy with those of its rules that name the role."""
    return replace(policy, rules=tuple(rule for rule in policy.rules if _names(rule, role)))


def _names(rule: Rule, role: str) -> bool:
    return isinstance(rule.to, Principal) and (rule.to.arn == role or "{" in rule.to.arn)
