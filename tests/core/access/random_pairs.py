"""Random pairs of rules over one inventory: the second is the first, changed a little, or another.

Everything counts: whom rules name, where, permissions, ends, exceptions, applications, single
objects, suspensions and bounds.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from itertools import product
from random import Random

from grantor.core.access.access_index import AccessIndex, Principal
from grantor.core.access.compare import AccessRequest
from grantor.core.access.explain import AccessEvidence
from grantor.core.grant import Permission
from grantor.core.planning.bounds import ALL_FILES, Bounds, FileBounds
from grantor.core.rules import Policy, ProfileName, Rule, Suspension
from tests.core.access.random_rules import ACCOUNT, DOMAINS, NAMES, NOW, make_evidence

APPLICATION = f"arn:aws:sso::{ACCOUNT}:application/ssoins-1/apl-1"
BOUNDS = Bounds({ALL_FILES: FileBounds(ALL_FILES, ("s3://data/p/*",), (ACCOUNT,))})
DAY = timedelta(days=1)
FOLDERS = ("", "p/", "p/q/", "teams/", "teams/blue/", "teams/red/", "other/")
OWN = {f"{name}/" for name in NAMES} | {f"{name[:1].upper()}{name[1:]}/" for name in NAMES}
IN_DOMAINS = {f"{domain}/{name}/" for domain, name in product(DOMAINS, NAMES)}
OBJECTS = [
    *(f"s3://data/{folder}z.csv" for folder in sorted({*FOLDERS, *OWN, *IN_DOMAINS})),
    "s3://data/p/x.csv",
]


def make_pair(random: Random) -> tuple[AccessEvidence, AccessEvidence]:
    """Make two sets of rules over one inventory."""
    old = _add_restrictions(random, make_evidence(random))
    if random.random() < 0.3:
        new = replace(make_evidence(random), inventory=old.inventory)
        return old, _add_restrictions(random, new)
    return old, _change_rules(random, old)


def _add_restrictions(random: Random, evidence: AccessEvidence) -> AccessEvidence:
    """The same with an application on some rules, perhaps bounds and one more suspension."""
    evidence = evidence.map_rules(partial(_restrict_rule, random))
    if random.random() < 0.2:
        evidence = replace(evidence, bounds=BOUNDS)
    return _suspend_for_a_while(random, evidence) if random.random() < 0.2 else evidence


def _restrict_rule(random: Random, rule: Rule) -> Rule:
    """A rule has one kind of end: until a time, or so long from the profile's creation."""
    lasts = None if rule.until else rule.lasts
    return replace(rule, application=random.choice(("", "", APPLICATION)), lasts=lasts)


def _suspend_for_a_while(random: Random, evidence: AccessEvidence) -> AccessEvidence:
    who = ProfileName(random.choice(DOMAINS), random.choice(NAMES))
    end = random.choice((None, NOW + 2 * DAY, NOW + 4 * DAY))
    more = Policy("policy/c.yaml", (), suspensions=(Suspension("policy/c.yaml", who, "why", end),))
    return replace(evidence, policies=(*evidence.policies, more))


def _change_rules(random: Random, evidence: AccessEvidence) -> AccessEvidence:
    """Take one rule away, change one, add one, or restrict all of them."""
    if not evidence.policies or random.random() < 0.2:
        return _add_restrictions(random, evidence)
    kept = list(evidence.policies)
    at = random.randrange(len(kept))
    rules = list(kept[at].rules)
    if rules:
        taken = rules.pop(random.randrange(len(rules)))
        changed = random.choice(
            (
                {"allow": random.choice(list(Permission))},
                {"until": random.choice((None, NOW + DAY, NOW + 3 * DAY)), "lasts": None},
                {"application": APPLICATION},
                {"on": random.choice(("s3://data/p/*", "s3://data/p/x.csv")), "excepts": ()},
                None,
            )
        )
        rules += [replace(taken, **changed)] if changed else []
    kept[at] = replace(kept[at], rules=tuple(rules))
    return replace(evidence, policies=tuple(kept))


def list_times(*sides: AccessEvidence) -> list[datetime]:
    """List now and each later time at which something ends: between two of them nothing changes."""
    ends: set[datetime | None] = {NOW}
    for side in sides:
        free = replace(
            side, policies=tuple(replace(policy, suspensions=()) for policy in side.policies)
        )
        ends |= {one.until for reasons in free.wanted.grants.values() for one in reasons}
        ends |= {one.until for policy in side.policies for one in policy.suspensions}
    return sorted(end for end in ends if end and end >= NOW)


def list_answers(evidence: AccessEvidence, times: Iterable[datetime]) -> Iterator[AccessRequest]:
    """Yield every request of the small account that gets a yes at one of the times: the rules are
    expanded anew at each, and the index decides.
    """
    for at in times:
        inventory = replace(evidence.inventory, now=at)
        grants = replace(evidence, inventory=inventory).wanted.grants
        index = AccessIndex(grants)
        holders = sorted({grant.grantee for grant in grants})
        for who, permission, target, app in product(
            holders, Permission, OBJECTS, ("", APPLICATION)
        ):
            if index.decide(Principal((who,), app), permission, target).is_yes:
                yield AccessRequest(who, permission, target, app, at)
