"""Random rules over a random inventory: people of two domains, folders, groups, ends, exceptions.

Names are few, so that rules meet. CASES times as many are made by `make test-access`.
"""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from grantor.core.access.access_index import Principal
from grantor.core.access.explain import AccessEvidence
from grantor.core.grant import Grantee, Location, Permission, iam_grantee
from grantor.core.planning.bounds import Bounds, FileBounds
from grantor.core.rules import (
    DirectoryName,
    IamPrincipal,
    Policy,
    ProfileName,
    ProfileSelector,
    Rule,
    Suspension,
)
from grantor.core.snapshot import Inventory, Profile

ACCOUNT = "111122223333"
NOW = datetime(2026, 11, 30, tzinfo=UTC)
DOMAINS = ("Lab", "Office")
NAMES = ("ana", "ben", "cy", "Ana")
TEAMS = ("blue", "red")
GROUPS = {
    "auditors": "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7a",
    "team-blue": "9067642ac7-9e7c1e54-8c4f-4a0e-9a1b-2f6f0c3d5e7b",
}
FOLDERS = ("blue", "red", "ana")
PLACES = (
    "s3://data/*", "s3://data/p/*", "s3://data/p/q/*", "s3://data/teams/*", "s3://data/p/x.csv",
)  # fmt: skip
OWN_PLACES = (
    "s3://data/{profile.name}/*", "s3://data/{profile.folder}/*",
    "s3://data/teams/{profile.tags.team}/*", "s3://data/{domain.name}/{profile.name}/*",
)  # fmt: skip
TARGETS = (
    "s3://data/p/x.csv", "s3://data/p/q/y.csv", "s3://data/p/q/*", "s3://data/teams/blue/z.csv",
    "s3://data/ana/mine.csv", "s3://data/Ana/mine.csv", "s3://data/Lab/ana/*", "s3://data/other",
)  # fmt: skip
APPLICATION = "arn:aws:sso::111122223333:application/ssoins-1/apl-1"
ENDS = (None, None, None, NOW - timedelta(days=1), NOW + timedelta(days=1))


def make_evidence(random: Random) -> AccessEvidence:
    """Make a few policies over an inventory."""
    inventory = _make_inventory(random)
    rules = [_make_rule(random, number) for number in range(random.randint(0, 6))]
    cut = random.randint(0, len(rules))
    suspensions = (_suspend(random),) if random.random() < 0.3 else ()
    policies = (
        Policy("policy/a.yaml", tuple(rules[:cut])),
        Policy(
            "policy/b.yaml",
            tuple(replace(rule, file="policy/b.yaml") for rule in rules[cut:]),
            suspensions=suspensions,
        ),
    )
    return AccessEvidence(
        tuple(policy for policy in policies if policy.rules or policy.suspensions),
        inventory,
        _make_bounds(random) if random.random() < 0.5 else None,
    )


def choose_request(random: Random, evidence: AccessEvidence) -> tuple[Principal, Permission, str]:
    """Choose who asks for what where; half of the requests are for what some rule gives."""
    wanted = list(evidence.wanted.grants)
    if wanted and random.random() < 0.5:
        grant = random.choice(wanted)
        role = iam_grantee(_role("auditor"))
        both = (grant.grantee,) if grant.grantee.kind == "IAM" else (role, grant.grantee)
        return Principal(both), random.choice(list(Permission)), grant.scope
    roles = sorted({profile.role for profile in evidence.inventory.profiles} | {_role("auditor")})
    grantees = [iam_grantee(random.choice(roles))]
    if random.random() < 0.3:
        grantees.append(Grantee("DIRECTORY_GROUP", random.choice(list(GROUPS.values()))))
    return Principal(tuple(grantees)), random.choice(list(Permission)), random.choice(TARGETS)


def _make_inventory(random: Random) -> Inventory:
    profiles = []
    for domain in DOMAINS:
        for name in random.sample(NAMES, random.randint(1, 3)):
            role = _role("shared" if random.random() < 0.2 else f"{domain}-{name}")
            tags = (("team", random.choice(TEAMS)),) if random.random() < 0.7 else ()
            created = NOW - timedelta(days=random.randint(0, 20))
            profiles.append(Profile(domain, name, role, created, tags))
    sharing = {
        role: frozenset(one.subject for one in profiles if one.role == role)
        for role in {one.role for one in profiles}
    }
    folders = {
        "s3://data/teams/": FOLDERS,
        "s3://data/": ("p", "teams", "ana"),
        "s3://data/p/": ("q",),
    }
    return Inventory(
        NOW, (Location("1", "s3://data/"),), tuple(profiles), frozenset(DOMAINS), folders,
        {("DIRECTORY_GROUP", name): found for name, found in GROUPS.items()}, sharing,
        identity_center="arn:aws:sso:::instance/ssoins-1234567890abcdef",
    )  # fmt: skip


def _make_bounds(random: Random) -> Bounds:
    """Bounds that some rules exceed by their scope, permission, account or number of grants, and a
    folder of wider ones.
    """
    narrow = FileBounds(
        "policy/",
        random.choice((("s3://data/*",), ("s3://data/p/*", "s3://data/ana/*"), ("s3://other/*",))),
        random.choice(((ACCOUNT,), (ACCOUNT,), ("999999999999",))),
        random.choice((("READ", "WRITE", "READWRITE"), ("READ",), ("READ", "WRITE"))),
        grants=random.choice((1000, 1000, 4)),
    )
    wide = FileBounds("policy/admin/", ("s3://data/*",), (ACCOUNT,), grants=1000)
    return Bounds({"policy/": narrow, **({"policy/admin/": wide} if random.random() < 0.5 else {})})


def _make_rule(random: Random, number: int) -> Rule:
    each = random.random() < 0.4
    to = _choose_grantees(random, each=each)
    own = each and isinstance(to, ProfileSelector) and random.random() < 0.7
    on = random.choice(OWN_PLACES if own else PLACES)
    excepts = ("s3://data/p/q/*",) if on in PLACES[:2] and random.random() < 0.3 else ()
    return Rule(
        "policy/a.yaml", f"rule-{number}", to, on, random.choice(list(Permission)), number + 3,
        excepts=excepts, until=random.choice(ENDS),
        lasts=timedelta(days=random.choice((5, 30)))
        if isinstance(to, ProfileSelector) and random.random() < 0.2 else None,
        application=APPLICATION
        if isinstance(to, DirectoryName) and random.random() < 0.3 else "",
        shared_role=random.random() < 0.3,
    )  # fmt: skip


def _choose_grantees(
    random: Random, *, each: bool
) -> IamPrincipal | ProfileSelector | DirectoryName:
    if not each and random.random() < 0.3:
        return IamPrincipal(_role(random.choice(("auditor", "Lab-ana"))))
    if not each and random.random() < 0.3:
        return DirectoryName("DIRECTORY_GROUP", random.choice(list(GROUPS)))
    return ProfileSelector(
        random.choice((("Lab",), ("Office",), ("*",))),
        random.choice(((), ("ana",), ("*n*",))),
        random.choice(((), (("team", "blue"),))),
        each=each,
        except_names=random.choice(((), (), ("ben",))),
        except_tags=random.choice(((), (), ((("team", "red"),),))),
    )


def _suspend(random: Random) -> Suspension:
    who = random.choice((IamPrincipal(_role("Lab-ana")), ProfileName("Lab", "ana")))
    return Suspension("policy/b.yaml", who, "a laptop was stolen")


def _role(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"
