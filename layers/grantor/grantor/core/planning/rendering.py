"""Renderings of values: sentences for people, and the parts of the JSON documents of docs/json.md.

This is the only place where a plan, a run or an alert becomes text. Command line, Markdown,
history, status, alerts and log lines call these functions. They shorten the ARN of an IAM identity
only if it belongs to the stack's own account and partition; any other identity is shown by its full
ARN. JSON has one name for each thing, and one time format; it never shortens.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from grantor.core.diagnostics import Problem
from grantor.core.grant import (
    Grant,
    Grantee,
    Permission,
    Reason,
    format_end,
    last_end,
)
from grantor.core.planning.approvals import Decision, PlanApproval
from grantor.core.planning.plan import (
    Action,
    Change,
    DeferredChange,
    FailedChange,
    GrantOnHold,
    Plan,
    UnmanagedGrant,
)
from grantor.core.triggers import PolicyWrite

SCHEMA_VERSION = 1  # of the JSON documents
SHORT_HASH_DIGITS = 12  # hex digits of a plan's hash that sentences show
UPDATE_SENTENCE = "~ {}: {}"  # with the grant and what changes
SENTENCES = {  # of any other change, with its grant and its reasons, and what stands for no reasons
    Action.CREATE: ("+ {}, because {}", "of no rule"),
    Action.DELETE: ("- {}, no longer because {}", "of any rule"),
    Action.ADOPT: ("~ {} is managed now, because {}", "of no rule"),
    Action.RESTORE: ("~ {} is in the ledger again, because {}", "of no rule"),
}
DRIFT = ", again: somebody deleted it"  # after a create that heals
Json = dict[str, Any]


@dataclass(frozen=True)
class Home:
    """The account and the partition of the stack."""

    partition: str
    account: str


def describe_grantee(grantee: Grantee, home: Home) -> str:
    """A grantee as short as it can be without hiding whose it is.

    >>> home = Home("aws", "111122223333")
    >>> print(describe_grantee(Grantee("IAM", "arn:aws:iam::111122223333:role/studio/ana"), home))
    role/studio/ana
    >>> print(describe_grantee(Grantee("IAM", "arn:aws:iam::999999999999:role/ana"), home))
    arn:aws:iam::999999999999:role/ana
    """
    return str(grantee).removeprefix(f"arn:{home.partition}:iam::{home.account}:")


def describe_grant(grant: Grant, home: Home) -> str:
    """A grant.

    >>> ana = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")
    >>> grant = Grant(ana, Permission.READ, "s3://data/Product/*")
    >>> print(describe_grant(grant, Home("aws", "111122223333")))
    READ s3://data/Product/* to role/ana
    """
    return f"{grant.permission} {grant.scope} to {describe_holder(grant, home)}"


def describe_holder(grant: Grant, home: Home) -> str:
    """Who holds the grant, and through which application if it is bound to one."""
    through = f" through {grant.application}" if grant.application else ""
    return f"{describe_grantee(grant.grantee, home)}{through}"


def describe_reasons(reasons: Iterable[Reason]) -> str:
    """Reasons in one phrase; "" if there are none."""
    return " and ".join(map(str, reasons))


def describe_update(change: Change) -> Iterator[str]:
    """What an update changes: the end of the grant, and the reasons that come and go; those that
    stay are not repeated.

    >>> ana = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")
    >>> grant, end = Grant(ana, Permission.READ, "s3://data/x/*"), datetime(2027, 1, 1, tzinfo=UTC)
    >>> old, new = Reason("policy/a.yaml#team", (), end), Reason("policy/a.yaml#team")
    >>> for part in describe_update(Change(Action.UPDATE, grant, (new,), before=(old,))):
    ...     print(part)
    until 2027-01-01 00:00Z -> without end
    now because policy/a.yaml#team
    no longer because policy/a.yaml#team until 2027-01-01 00:00Z
    """
    before, after = (format_end(last_end(them)) for them in (change.before, change.reasons))
    if before != after:
        yield f"{before} -> {after}"
    if come := [reason for reason in change.reasons if reason not in change.before]:
        yield f"now because {describe_reasons(come)}"
    if gone := [reason for reason in change.before if reason not in change.reasons]:
        yield f"no longer because {describe_reasons(gone)}"


def describe_change(change: Change, home: Home) -> str:
    """A change that is planned or done.

    >>> ana = Grantee("IAM", "arn:aws:iam::111122223333:role/ana")
    >>> grant = Grant(ana, Permission.READ, "s3://data/Product/*")
    >>> because, home = (Reason("policy/a.yaml#team"),), Home("aws", "111122223333")
    >>> for action in Action:
    ...     print(describe_change(Change(action, grant, because, before=()), home))
    + READ s3://data/Product/* to role/ana, because policy/a.yaml#team
    - READ s3://data/Product/* to role/ana, no longer because policy/a.yaml#team
    ~ READ s3://data/Product/* to role/ana: now because policy/a.yaml#team
    ~ READ s3://data/Product/* to role/ana is managed now, because policy/a.yaml#team
    ~ READ s3://data/Product/* to role/ana is in the ledger again, because policy/a.yaml#team
    >>> print(describe_change(Change(Action.CREATE, grant, because, drift=True), home))
    + READ s3://data/Product/* to role/ana, because policy/a.yaml#team, again: somebody deleted it
    """
    if change.action is Action.UPDATE:
        what = ", ".join(describe_update(change))
        return UPDATE_SENTENCE.format(describe_grant(change.grant, home), what)
    sentence, no_reasons = SENTENCES[change.action]
    reasons = describe_reasons(change.reasons) or no_reasons
    if change.suspended_by:
        because = f"suspended by {change.suspended_by}, until now because {reasons}"
        return f"- {describe_grant(change.grant, home)}, {because}"
    again = DRIFT if change.drift else ""
    return sentence.format(describe_grant(change.grant, home), reasons) + again


def describe_plan(plan: Plan, home: Home) -> list[str]:
    """One sentence a change, in the order in which they are made."""
    return [describe_change(change, home) for change in plan.changes]


def describe_failed(failed: FailedChange, home: Home) -> str:
    """A change that AWS has refused for good."""
    since = f"since {failed.since}: " if failed.since else ""
    return f"{describe_change(failed.change, home)}: {since}{failed.code}: {failed.message}"


def describe_deferred(deferred: DeferredChange, home: Home) -> str:
    """A change that a later run tries again."""
    replacement = (
        f"; {describe_grant(deferred.waits_for, home)} does not exist yet"
        if deferred.waits_for
        else ""
    )
    since = f"since {deferred.since}: " if deferred.since else ""
    return f"{describe_change(deferred.change, home)}: {since}{deferred.cause}{replacement}"


def describe_on_hold(held: GrantOnHold, home: Home) -> str:
    """A grant that stays as it is until its rule can be judged again."""
    return f"= {describe_grant(held.grant, home)} is on hold: {held.why}"


def describe_unmanaged(unmanaged: UnmanagedGrant, home: Home) -> str:
    """A grant that Grantor did not create."""
    grant = describe_grant(unmanaged.grant, home)
    if unmanaged.reasons:
        reasons = describe_reasons(unmanaged.reasons)
        return f"{grant} is unmanaged, and already gives what {reasons} asks for"
    return f"{grant} is unmanaged: Grantor did not create it and leaves it as it is"


def describe_focus(subjects: Sequence[str]) -> str:
    """What a run looks at.

    >>> describe_focus(["profile D/ana", "profile D/ben"]), describe_focus([])
    ('profile D/ana, profile D/ben', 'nothing that a rule concerns')
    """
    return ", ".join(subjects) or "nothing that a rule concerns"


def describe_horizon(until: datetime, stack: str) -> str:
    """Until when credentials that were vended for deleted grants can live, and what ends them."""
    return (
        f"credentials that were vended for the deleted grants can live until "
        f"{format_timestamp(until)}; grantor end-sessions --stack {stack} ends them"
    )


def describe_unread(what: str, why: str) -> str:
    """An input that could not be read; a later run tries again."""
    return f"{what} could not be read: {why}"


def shorten_hash(plan_hash: str) -> str:
    """The form in which sentences show a plan's hash; comparisons use the full one.

    >>> shorten_hash("0123456789abcdef" * 4)
    '0123456789ab'
    """
    return plan_hash[:SHORT_HASH_DIGITS]


def describe_approval_needed(approval: PlanApproval, stack: str) -> Iterator[str]:
    """Why a plan requires an approval, or who has rejected it; the command that approves it; whose
    approval does not count; and who wrote what the plan brings into force, if nobody knows.
    """
    plan = f"plan {shorten_hash(approval.hash)}"
    despite = " --despite-rejection" if approval.is_rejected else ""
    command = f"grantor approve {approval.hash}{despite} --because TEXT --stack {stack}"
    if approval.is_rejected:
        yield from (
            f"{plan} was rejected by {one.who}, because: {one.because}"
            for one in approval.rejections
        )
        yield f"it would do this: {'; '.join(approval.causes)}"
        yield f"to approve exactly this plan in spite of that: {command}"
    else:
        yield f"{plan} requires an approval: {'; '.join(approval.causes)}"
        yield f"to approve exactly this plan: {command}"
    yield from (describe_refused(decision, write) for decision, write in approval.refused)
    yield from (describe_unknown_author(file) for file in approval.authors.unknown)


def describe_refused(decision: Decision, write: PolicyWrite) -> str:
    """Why an approval does not count: its approver is an author of what it approves."""
    return (
        f"the approval by {decision.who} does not count: {describe_write(write)}, which this plan "
        "brings into force; another person must approve it"
    )


def describe_write(write: PolicyWrite) -> str:
    """Who wrote or deleted which version of a policy file."""
    version = f" version {write.version}" if write.version else ""
    return f"{write.writer} wrote {write.file}{version}"


def describe_unknown_author(file: str) -> str:
    """A file whose author no event of CloudTrail has named."""
    return (
        f"author unknown: no event of CloudTrail has said who wrote {file}; IAM alone keeps its "
        "author from approving it"
    )


def describe_approval_given(approval: PlanApproval) -> str:
    """Who has approved the plan, and why."""
    who = Decision(approval.approved_by, "", True, "", approval.claimed_arn).who
    plan = shorten_hash(approval.hash)
    return f"plan {plan} was approved by {who}, because: {approval.because}"


def describe_omitted(number: int) -> str:
    """What stands for lines that are not shown.

    >>> describe_omitted(2000)
    '… and 2,000 more; --json lists them all'
    """
    return f"… and {number:,} more; --json lists them all"


def truncate_lines(text: str, max_bytes: int) -> str:
    r"""The text in at most so many bytes: whole lines, and a last one that says how many are
    missing.

    >>> print(truncate_lines("\n".join(f"+ grant {n}" for n in range(100)), 60))
    + grant 0
    + grant 1
    … and 98 more lines, cut for size
    """
    if _count_text_bytes(text) <= max_bytes:
        return text
    lines = text.split("\n")
    kept, space = 0, max_bytes - _count_text_bytes(f"… and {len(lines)} more lines, cut for size")
    while (space := space - _count_text_bytes(lines[kept]) - 1) >= 0:
        kept += 1
    return "\n".join([*lines[:kept], f"… and {len(lines) - kept} more lines, cut for size"])


def _count_text_bytes(text: str) -> int:
    return len(text.encode())


def format_timestamp(time: datetime) -> str:
    """A time in ISO 8601, UTC, to the second.

    >>> format_timestamp(datetime(2026, 11, 24, 10, 0, 0, 250_000, tzinfo=UTC))
    '2026-11-24T10:00:00Z'
    """
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def parse_timestamp(text: str) -> datetime:
    """The time that format_timestamp has written, aware."""
    return datetime.fromisoformat(text)


def encode_grant(grant: Grant) -> Json:
    """The four parts that are a grant's identity."""
    return {
        "grantee": {"type": grant.grantee.kind, "identifier": grant.grantee.identifier},
        "permission": str(grant.permission),
        "scope": grant.scope,
        "application": grant.application or None,
    }


def decode_grant(value: Mapping[str, Any]) -> Grant:
    """The grant among the members of `value`."""
    grantee = Grantee(value["grantee"]["type"], value["grantee"]["identifier"])
    return Grant(
        grantee, Permission(value["permission"]), value["scope"], value["application"] or ""
    )


def encode_reason(reason: Reason) -> Json:
    """A reason; `rule` is its file and its name, as in every message. Its end is exact, with a
    fraction of a second if it has one: a plan's hash covers it.
    """
    return {
        "rule": reason.rule,
        "file": reason.file,
        "subjects": list(reason.subjects),
        "until": f"{reason.until.replace(tzinfo=None).isoformat()}Z" if reason.until else None,
        "additive": reason.additive,
    }


def decode_reason(value: Mapping[str, Any]) -> Reason:
    """The reason that encode_reason has written."""
    until = parse_timestamp(value["until"]) if value["until"] else None
    return Reason(value["rule"], tuple(value["subjects"]), until, value["additive"])


def encode_problem(problem: Problem, severity: str) -> Json:
    """A diagnostic about a policy file; `severity` is error or warning."""
    return {
        "severity": severity,
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "what": problem.what,
        "why": problem.why,
        "remedy": problem.remedy,
        **({"owner": problem.owner} if problem.owner else {}),
    }


def decode_problem(value: Mapping[str, Any]) -> Problem:
    """The diagnostic without its severity."""
    names = ("file", "line", "column", "what", "why", "remedy")
    return Problem(**{name: value[name] for name in names}, owner=value.get("owner", ""))


def encode_change(change: Change) -> Json:
    """A change without its outcome."""
    return {
        "action": str(change.action),
        "grant_id": change.grant_id or None,
        **encode_grant(change.grant),
        "reasons": list(map(encode_reason, change.reasons)),
        "reasons_before": list(map(encode_reason, change.before)),
        "suspended_by": change.suspended_by or None,
        "drift": change.drift,
    }


def decode_change(value: Mapping[str, Any]) -> Change:
    """The change that encode_change has written; version 0.2.0 wrote no reasons before."""
    reasons, before = (
        tuple(map(decode_reason, value.get(name, []))) for name in ("reasons", "reasons_before")
    )
    return Change(
        Action(value["action"]),
        decode_grant(value),
        reasons,
        value["grant_id"] or "",
        before=before,
        suspended_by=value.get("suspended_by") or "",
        drift=bool(value.get("drift")),
    )


def encode_unmanaged(unmanaged: UnmanagedGrant) -> Json:
    """An unmanaged grant with the reasons for which rules ask for exactly it."""
    reasons = list(map(encode_reason, unmanaged.reasons))
    return {"grant_id": unmanaged.grant_id, **encode_grant(unmanaged.grant), "reasons": reasons}


def decode_unmanaged(value: Mapping[str, Any]) -> UnmanagedGrant:
    """The unmanaged grant that encode_unmanaged has written."""
    reasons = tuple(map(decode_reason, value["reasons"]))
    return UnmanagedGrant(decode_grant(value), reasons, value["grant_id"])
