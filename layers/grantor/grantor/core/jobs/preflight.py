"""Check, before a cluster is paid for, that the role holds the grants that the job needs.

S3A asks Access Grants for each request. Its requests were measured: HEAD and GET of the input's key
and a list of what is below `key/` need READ; it reads, writes and copies the output, which needs
READWRITE in one grant. That grant may be on exactly the output folder: no request is for the folder
itself, since a run writes below OUTPUT/runs/RUN/ and its plain files are put one by one.

A job with access: staged calls GetDataAccess itself: for READ on the key, and for READ and WRITE on
the output, which may be two grants.
"""

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from grantor.core.diagnostics import join_words
from grantor.core.grant import Grant, Permission, covers, iam_grantee
from grantor.core.planning.rendering import Home, describe_grantee
from grantor.core.rules import Start, Suspension

STAGED_ARGUMENT = ("access", "staged")  # the argument by which a policy file orders staging
STAGING_HINT = (
    "\nThe grants that it holds are enough for a job that stages: "
    "write `arguments: {access: staged}` in the policy file."
)


class PreflightAnswer(StrEnum):
    """Whether the job can be started."""

    OK = "ok"
    NOT_YET = "not yet"  # a rule gives the grant, or rules could not be read
    MISSING = "missing"


@dataclass(frozen=True)
class PreflightResult:
    """The answer, and a sentence for people; "" if the job can be started."""

    answer: PreflightAnswer
    sentence: str = ""


@dataclass(frozen=True)
class Need:
    """A permission that the job needs.

    `on` describes what it is needed on, `scope` is that as a scope, and `rule` is the scope that a
    rule for it would have.
    """

    permission: Permission
    on: str
    scope: str
    rule: str

    def __str__(self) -> str:
        return f"{self.permission} on {self.on}"

    def is_met_by(self, grant: Grant) -> bool:
        """Whether this grant gives the permission."""
        sufficient = (self.permission, Permission.READWRITE)
        return grant.permission in sufficient and covers(grant.scope, self.scope)


def list_needs(start: Start) -> tuple[Need, ...]:
    """List what the job's requests need."""
    folder, output = f"{start.input[: start.input.rindex('/')]}/*", f"{start.output}*"
    key = Need(Permission.READ, start.input, start.input, folder)
    if STAGED_ARGUMENT in start.job.arguments:
        read = Need(Permission.READ, output, output, output)
        return (key, read, replace(read, permission=Permission.WRITE))
    below = Need(Permission.READ, f"everything below {start.input}/", f"{start.input}/*", folder)
    return (key, below, Need(Permission.READWRITE, output, output, output))


def find_unmet(start: Start, grants: Iterable[Grant]) -> tuple[Need, ...]:
    """Return the needs that none of the grants meets for the job's role."""
    grantee = iam_grantee(start.role)
    # A grant with an application is for sessions that Identity Center made; a job's role has none.
    own = [grant for grant in grants if grant.grantee == grantee and not grant.application]
    return tuple(need for need in list_needs(start) if not any(map(need.is_met_by, own)))


def check_grants(
    start: Start,
    held: Collection[Grant],
    wanted: Iterable[Grant],
    unread: Iterable[str] = (),
    home: Home | None = None,
) -> PreflightResult:
    """Check the grants that the role holds, and those that rules in force give it.

    `unread` says which rules could not be read. `home` is the stack's account: roles of other
    accounts, or all without it, are shown with their full ARNs.
    """
    lacking = find_unmet(start, held)
    if not lacking:
        return PreflightResult(PreflightAnswer.OK)
    without_rule = set(map(str, find_unmet(start, wanted)))
    missing = [need for need in lacking if str(need) in without_rule]
    runner = _describe_runner(start, home)
    why = "; ".join(unread)
    if missing and not why:
        hint = "" if find_unmet(_as_staged(start), held) else STAGING_HINT
        sentence = f"{runner} lacks {_join_needs(missing)}. {_propose_rules(start, missing)}{hint}"
        return PreflightResult(PreflightAnswer.MISSING, sentence)
    cause = f": {why}" if missing else ", although a rule grants it"
    sentence = f"{runner} does not have {_join_needs(lacking)} yet{cause}"
    return PreflightResult(PreflightAnswer.NOT_YET, sentence)


def check_suspension(
    start: Start, suspensions: Iterable[Suspension], now: datetime, home: Home
) -> PreflightResult:
    """Check that neither the role nor the profile is suspended, whatever grants are still there."""
    for one in suspensions:
        is_over = one.until is not None and one.until <= now
        if one.name in (start.role, f"profile {start.profile}") and not is_over:
            return explain_suspension(start, one, home)
    return PreflightResult(PreflightAnswer.OK)


def explain_suspension(start: Start, suspension: Suspension, home: Home) -> PreflightResult:
    """The answer for a job whose role is suspended."""
    where = f"{suspension.file}, line {suspension.line}"
    sentence = f"{_describe_runner(start, home)} is suspended by {where}: {suspension.because}"
    return PreflightResult(PreflightAnswer.MISSING, sentence)


def _as_staged(start: Start) -> Start:
    return replace(start, job=replace(start.job, arguments=(STAGED_ARGUMENT,)))


def _describe_runner(start: Start, home: Home | None) -> str:
    grantee = iam_grantee(start.role)
    role = describe_grantee(grantee, home) if home else str(grantee)
    domain, _, name = start.profile.partition("/")
    return f"profile {name} of {domain} ({role})" if name else role


def _join_needs(lacking: Iterable[Need]) -> str:
    return join_words(map(str, lacking), "and")


def _propose_rules(start: Start, missing: Iterable[Need]) -> str:
    scopes: dict[str, Permission] = {}
    for need in missing:
        same = scopes.get(need.rule, need.permission) is need.permission
        scopes[need.rule] = need.permission if same else Permission.READWRITE
    rules = (
        _format_rule(start, number, scope, permission)
        for number, (scope, permission) in enumerate(scopes.items(), 1)
    )
    head = f"To grant it, add below `rules:` in {start.job.file}:"
    return "\n".join([head, *rules])


def _format_rule(start: Start, number: int, scope: str, permission: Permission) -> str:
    domain, _, name = start.profile.partition("/")
    selector = f"{{domain: {json.dumps(domain)}, names: [{json.dumps(name)}]}}"
    grantee = f"profiles: {selector}" if name else f"role: {start.role}"
    lines = (
        f"  - name: {start.job.name}-{number}",
        f"    to: {{{grantee}}}",
        f"    on: {json.dumps(scope)}",
        f"    allow: {permission}",
    )
    return "\n".join(lines)
