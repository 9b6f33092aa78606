"""Check, before a cluster is paid for, that the role holds the grants that the job needs, and that
SageMaker and the other jobs admit the start.

S3A asks Access Grants for each request. Its requests were measured: HEAD and GET of the input's key
and a list of what is below `key/` need READ; it reads, writes and copies the output, which needs
READWRITE in one grant. That grant may be on exactly the output folder: no request is for the folder
itself, since a run writes below OUTPUT/runs/RUN/ and its plain files are put one by one.

A batch needs READ on everything that begins like its objects, in one grant: the job asks once for
all of them, and S3A's requests for each of them are covered, too.

A job with access: staged calls GetDataAccess itself: for READ on the key, and for READ and WRITE on
the output, which may be two grants.
"""

import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from fnmatch import fnmatchcase

from grantor.core.diagnostics import Fault, join_some, join_words, quote_text
from grantor.core.grant import Grant, Permission, covers, iam_grantee
from grantor.core.job_places import JobPlace, JobPlaces
from grantor.core.key_pattern import KeyPattern
from grantor.core.planning.rendering import Home, describe_grantee
from grantor.core.policy.job_types import SHIPPED_JOB_TYPES
from grantor.core.policy.language import format_rule
from grantor.core.rules import Start, Suspension
from grantor.limits import MAX_CONTAINER_ARGUMENT_CHARACTERS
from grantor.settings import MAX_LISTED_NAMES

Arguments = tuple[tuple[str, str], ...]

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
    output, is_staged = f"{start.output}*", STAGED_ARGUMENT in start.job.arguments
    read = Need(Permission.READ, output, output, output)
    writes = (
        (read, replace(read, permission=Permission.WRITE))
        if is_staged
        else (replace(read, permission=Permission.READWRITE),)
    )
    if start.is_batch:
        pattern = KeyPattern(start.input)
        scope, folder = f"{pattern.stem}*", f"{pattern.stem_folder}*"
        return (Need(Permission.READ, scope, scope, folder), *writes)
    folder = f"{start.input[: start.input.rindex('/')]}/*"
    key = Need(Permission.READ, start.input, start.input, folder)
    below = Need(Permission.READ, f"everything below {start.input}/", f"{start.input}/*", folder)
    return (key, *writes) if is_staged else (key, below, *writes)


def find_unmet(start: Start, grants: Iterable[Grant]) -> tuple[Need, ...]:
    """Return the needs that none of the grants meets for the job's role."""
    grantee = iam_grantee(start.role)
    # A grant with an application is for sessions that Identity Center made; a job's role has none.
    own = [grant for grant in grants if grant.grantee == grantee and not grant.application]
    needs = list_needs(start)
    return tuple(need for need in needs if not any(map(need.is_met_by, own)))


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
    owner = f", or ask its owner, {start.job.owner}" if start.job.owner else ""
    head = f"To grant it, add below `rules:` in {start.job.file}{owner}:"
    return "\n".join([head, *rules])


def _format_rule(start: Start, number: int, scope: str, permission: Permission) -> str:
    domain, _, name = start.profile.partition("/")
    selector = f"{{domain: {json.dumps(domain)}, names: [{json.dumps(name)}]}}"
    grantee = f"profiles: {selector}" if name else f"role: {start.role}"
    return format_rule(f"{start.job.name}-{number}", grantee, json.dumps(scope), permission)


@dataclass(frozen=True)
class StartValidator:
    """Validates what an upload would start.

    `may_pass` are patterns of the ARNs of roles; `places` are those of all known jobs.
    """

    may_pass: frozenset[str]
    places: Sequence[JobPlace]

    def find_faults(self, place: JobPlace, role: str, arguments: Arguments) -> Iterator[Fault]:
        """Yield everything that is wrong with one start."""
        if not any(fnmatchcase(role, pattern) for pattern in self.may_pass):
            yield self._role_fault(role)
        yield from _length_faults(place, arguments)
        yield from _value_faults(place, arguments)
        yield from self._overlap_faults(place)

    def _role_fault(self, role: str) -> Fault:
        known = join_some(sorted(self.may_pass), MAX_LISTED_NAMES) or "none"
        why = (
            "jobs run only as roles that the stack's parameter JobRoles names, and it names "
            f"{known}"
        )
        return Fault(
            f"{role} may not be passed to a job",
            why,
            "add the role to JobRoles, or run the job as another",
        )

    def _overlap_faults(self, place: JobPlace) -> Iterator[Fault]:
        if place.feeds(place):
            what = f"its output {place.output} contains what the job waits for or reads"
            yield Fault(
                what,
                "the job would start itself, again and again",
                "write a folder beside them as its output",
            )
        if other := next(
            (other for other in self.places if other != place and place.overlaps(other)), None
        ):
            what = f"its output {place.output} overlaps with that of {other}, {other.output}"
            yield Fault(what, "their files would be mixed", "give each a folder of its own")
        if way := JobPlaces(self.places).find_cycle(place):
            what = (
                f"its output feeds {', which feeds '.join(map(str, way[1:]))}, which feeds it again"
            )
            yield Fault(
                what, "each would start the next, without end", "let one of them write elsewhere"
            )


def _length_faults(place: JobPlace, arguments: Arguments) -> Iterator[Fault]:
    texts = {
        "the key of its input": _object_key(place.input),
        "the key of its output": _object_key(place.output).removesuffix("/"),
        **{f"the argument {name}": value for name, value in arguments},
    }
    for called, text in texts.items():
        if len(text) > MAX_CONTAINER_ARGUMENT_CHARACTERS:
            why = f"SageMaker passes at most {MAX_CONTAINER_ARGUMENT_CHARACTERS} of them to a job"
            yield Fault(
                f"{called} has {len(text)} characters: {quote_text(text)}",
                why,
                "shorten the names in it",
            )


def _value_faults(place: JobPlace, arguments: Arguments) -> Iterator[Fault]:
    """Yield what is wrong with values that only the upload or the profile has given."""
    kind = SHIPPED_JOB_TYPES.get(place.job.run)
    parameters = kind.parameters if kind else {}
    for name, value in arguments:
        if (parameter := parameters.get(name)) and (fault := parameter.explain_value(value)):
            yield fault


def _object_key(uri: str) -> str:
    return uri.removeprefix("s3://").partition("/")[2]
