"""Random instances of S3 Access Grants, and random questions about them.

The names are few and short, so that scopes nest, overlap and nearly match.
"""

from collections.abc import Iterator
from random import Random
from typing import NamedTuple

from grantor.core.access.access_index import Principal
from grantor.core.grant import Grant, Grantee, Permission
from tests.core.access.grants_account import ACCOUNT, GrantsAccount

SEGMENTS = ("a", "ab", "a-b", "b")
BUCKETS = ("one", "one-more")
ROLES = [Grantee("IAM", f"arn:aws:iam::{ACCOUNT}:role/{name}") for name in ("r", "s", "path/r")]
USERS = [Grantee("IAM", f"arn:aws:iam::{ACCOUNT}:user/{name}") for name in ("r", "u")]
PEOPLE = [Grantee("DIRECTORY_USER", f"user-{n}") for n in range(2)]
GROUPS = [Grantee("DIRECTORY_GROUP", f"group-{n}") for n in range(3)]
APPLICATIONS = [f"arn:aws:sso::{ACCOUNT}:application/ssoins-1/apl-{n}" for n in range(2)]
PERMISSIONS = list(Permission)


class Question(NamedTuple):
    """One request for credentials."""

    principal: Principal
    permission: Permission
    target: str
    minimal: bool


def make_account(random: Random) -> GrantsAccount:
    """Make an instance with a few locations and up to 40 grants."""
    account, locations = GrantsAccount(), {}
    for _ in range(random.randint(1, 5)):
        scope = _choose_location(random)
        if name := account.add_location(scope):
            locations[name] = scope
    for _ in range(random.randint(0, 40)):
        name = random.choice(list(locations))
        account.add_grant(name, _choose_sub_prefix(random, locations[name]), _choose_grant(random))
    return account


def ask_questions(random: Random, count: int) -> Iterator[Question]:
    """Yield so many questions."""
    for _ in range(count):
        yield Question(
            _choose_principal(random),
            random.choice(PERMISSIONS),
            _choose_target(random),
            random.random() < 0.3,
        )


def _choose_location(random: Random) -> str:
    bucket = f"s3://{random.choice(BUCKETS)}"
    forms = ("s3://", bucket, f"{bucket}/", f"{bucket}/a/", f"{bucket}/a*", f"{bucket}/a")
    return random.choice(forms)


def _choose_sub_prefix(random: Random, location: str) -> str:
    path = random.choice(("", _choose_path(random), f"{_choose_path(random)}/*", "*"))
    if location == "s3://":
        return f"{random.choice(BUCKETS)}/{path}"
    return random.choice((path, f"{path}*".replace("**", "*"))) if path else path


def _choose_path(random: Random) -> str:
    return "/".join(random.choice(SEGMENTS) for _ in range(random.randint(1, 3)))


def _choose_grant(random: Random) -> Grant:
    grantee = random.choice([*ROLES, *USERS, *PEOPLE, *GROUPS])
    application = random.choice(["", "", *APPLICATIONS])
    return Grant(grantee, random.choice(PERMISSIONS), "", application)


def _choose_principal(random: Random) -> Principal:
    who = random.choice([*ROLES, *USERS])
    if random.random() < 0.4:
        groups = random.sample(GROUPS, random.randint(0, len(GROUPS)))
        return Principal((who, random.choice(PEOPLE), *groups), random.choice(["", *APPLICATIONS]))
    return Principal((who,))


def _choose_target(random: Random) -> str:
    bucket = f"s3://{random.choice(BUCKETS)}"
    path = _choose_path(random)
    forms = (
        bucket, f"{bucket}/", f"{bucket}/*", f"{bucket}/{path}", f"{bucket}/{path}/",
        f"{bucket}/{path}*", f"{bucket}/{path}/*",
    )  # fmt: skip
    return random.choice(forms)
