"""Before a cluster is paid for: does the role hold the grants that the job's requests will ask for?

S3A asks for each request by itself. What it asks for was measured: HEAD and GET of the input's key, and a list of what lies below
`key/`, want READ; the output is read, written and copied, which wants READWRITE of one grant. That grant may be on the very output
folder: no request is for its root, since a run writes below OUTPUT/runs/RUN/, and its files are put beside that one by one.

A job that is told to stage asks by itself: READ on the key, and on the output READ and WRITE, which may be two grants.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from grantor.core.grant import Grant, Grantee, Permission, of_subject, profile_subject
from grantor.core.rules import Start
from grantor.core.scope import covers

STAGED = ("access", "staged")  # the argument by which a policy file orders it
STAGING = "\nWhat it holds is enough for a job that stages: `arguments: {access: staged}` in the policy file orders that."


class Answer(StrEnum):
    """Whether the job can be started."""

    OK = "ok"
    NOT_YET = "not yet"  # a rule gives it, and the grant is about to come
    MISSING = "missing"


@dataclass(frozen=True)
class Preflight:
    """The answer, and the sentence that a person hears of it; "" if all is well."""

    answer: Answer
    sentence: str = ""


@dataclass(frozen=True)
class Need:
    """A permission, and what it is needed on, in words and as a scope; `rule` is the scope that a rule for it would have."""

    permission: Permission
    on: str
    scope: str
    rule: str

    def __str__(self) -> str:
        return f"{self.permission} on {self.on}"

    def met(self, grant: Grant) -> bool:
        """Whether this grant gives it."""
        return grant.permission in (self.permission, Permission.READWRITE) and covers(grant.scope, self.scope)


def needs(start: Start) -> tuple[Need, ...]:
    """What the job's requests ask for."""
    folder, output = f"{start.input[: start.input.rindex('/')]}/*", f"{start.output}*"
    key = Need(Permission.READ, start.input, start.input, folder)
    if STAGED in start.job.arguments:
        return (key, Need(Permission.READ, output, output, output), Need(Permission.WRITE, output, output, output))
    below = Need(Permission.READ, f"what lies below {start.input}/", f"{start.input}/*", folder)
    return (key, below, Need(Permission.READWRITE, output, output, output))


def unmet(start: Start, grants: Iterable[Grant]) -> tuple[Need, ...]:
    """What none of the grants gives the role."""
    grantee = Grantee("IAM", start.role)
    # A grant through an application is for sessions that Identity Center made; a job's role has none.
    own = [grant for grant in grants if grant.grantee == grantee and not grant.application]
    return tuple(need for need in needs(start) if not any(map(need.met, own)))


def preflight(start: Start, held: Collection[Grant], wanted: Iterable[Grant], unread: Iterable[str] = ()) -> Preflight:
    """`held` are the grants that there are, `wanted` those that rules in force give, `unread` what could not be read of them."""
    lacking = unmet(start, held)
    if not lacking:
        return Preflight(Answer.OK)
    never = set(map(str, unmet(start, wanted)))
    missing = [need for need in lacking if str(need) in never]
    if missing and not (why := "; ".join(unread)):
        other = "" if unmet(_staged(start), held) else STAGING
        return Preflight(Answer.MISSING, f"{_whose(start)} holds no {_listed(missing)}. {_remedy(start, missing)}{other}")
    waits = f"{_whose(start)} does not hold {_listed(lacking)} yet"
    return Preflight(Answer.NOT_YET, f"{waits}: {why}" if missing else f"{waits}, though a rule gives it")


def _staged(start: Start) -> Start:
    return replace(start, job=replace(start.job, arguments=(STAGED,)))


def _whose(start: Start) -> str:
    named = of_subject(profile_subject(*start.profile.split("/", 1))) if start.profile else None
    role = Grantee("IAM", start.role)
    return f"profile {named[1]} of {named[0]} ({role})" if named else str(role)


def _listed(lacking: Iterable[Need]) -> str:
    return " and no ".join(map(str, lacking))


def _remedy(start: Start, missing: Iterable[Need]) -> str:
    scopes: dict[str, Permission] = {}
    for need in missing:
        same = scopes.get(need.rule, need.permission) is need.permission
        scopes[need.rule] = need.permission if same else Permission.READWRITE
    rules = [_rule(start, number, scope, permission) for number, (scope, permission) in enumerate(scopes.items(), 1)]
    return "\n".join([f"This would give it, below `rules:` in {start.job.file}:", *rules])


def _rule(start: Start, number: int, scope: str, permission: Permission) -> str:
    domain, _, name = start.profile.partition("/")
    whom = f"profiles: {{domain: {json.dumps(domain)}, names: [{json.dumps(name)}]}}" if name else f"role: {start.role}"
    return f"  - name: {start.job.name}-{number}\n    to: {{{whom}}}\n    on: {json.dumps(scope)}\n    allow: {permission}"
