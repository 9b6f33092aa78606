"""What a run did, as values. Counts are the lengths of its lists; JSON and text are renderings of
it (docs/json.md).
"""

import json
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from grantor.core.diagnostics import Notice, Problem
from grantor.core.grant import last_end
from grantor.core.planning import rendering
from grantor.core.planning.approvals import PlanApproval
from grantor.core.planning.lint import warn_of_ignored, warn_of_leftovers, warn_of_unmanaged
from grantor.core.planning.owners import RuleOwner, list_owners
from grantor.core.planning.plan import (
    Action,
    Change,
    DeferredChange,
    FailedChange,
    GrantOnHold,
    Plan,
    UnmanagedGrant,
)
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
    decode_change,
    decode_grant,
    decode_problem,
    decode_unmanaged,
    encode_change,
    encode_grant,
    encode_problem,
    encode_unmanaged,
    format_timestamp,
    parse_timestamp,
)
from grantor.core.planning.reviews import DueReview, list_due_reviews
from grantor.core.snapshot import EVERYTHING, Snapshot
from grantor.limits import MAX_VENDED_TIME
from grantor.reconcile.policies import PolicySet

EPOCH = datetime.fromtimestamp(0, UTC)


class Activity(StrEnum):
    """What a run was for."""

    RECONCILE = "reconcile"
    ADOPT = "adopt"
    REBUILD = "rebuild"
    LEFTOVERS = "leftovers"
    END_SESSIONS = "end-sessions"


@dataclass(frozen=True)
class SessionsEnd:
    """That somebody has ended the sessions of vended credentials, or has taken that back."""

    by: str  # ARN of the caller
    because: str
    before: datetime | None = None  # issued before then; None: all may be used again

    def to_json(self) -> Json:
        before = format_timestamp(self.before) if self.before else None
        return {"by": self.by, "because": self.because, "ended_before": before}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "SessionsEnd":
        before = value["ended_before"]
        return cls(value["by"], value["because"], parse_timestamp(before) if before else None)


@dataclass
class Report:
    """One run. A list is filled as the run goes on; nothing in it is a sentence, except what AWS or
    a person has written.
    """

    run_id: str = ""
    started_at: datetime = EPOCH
    activity: Activity = Activity.RECONCILE
    focus: tuple[str, ...] = ()  # "everything", or subjects; empty if the triggers concern no rule
    approval: PlanApproval = field(default_factory=PlanApproval)
    newly_rejected: bool = False  # somebody has rejected the plan since the last run
    done: list[Change] = field(default_factory=list)
    failed: list[FailedChange] = field(default_factory=list)  # AWS refuses them for good
    deferred: list[DeferredChange] = field(default_factory=list)  # a later run tries again
    on_hold: list[GrantOnHold] = field(default_factory=list)
    unmanaged: list[UnmanagedGrant] = field(default_factory=list)
    errors: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)  # for whoever writes data
    unread: dict[str, str] = field(default_factory=dict)  # input -> why; a later run tries again
    accepted: dict[str, str] = field(default_factory=dict)  # policy file -> version, from now on
    removed_files: tuple[str, ...] = ()  # policy files that were in force and are deleted
    event_to_grant: dict[str, float] = field(default_factory=dict)  # milliseconds, by subject
    sweep_completed: bool = False  # it has read everything, and nothing requires an approval
    cut_short: bool = False  # its time was over before its plan was applied
    next_end: datetime | None = None  # when the next grant ends of those that the run has looked at
    credentials_until: datetime | None = None  # until when those of deleted grants can live
    sessions: SessionsEnd | None = None
    owners: tuple[RuleOwner, ...] = ()  # of the rules because of which grants change
    reviews: tuple[DueReview, ...] = ()  # that somebody must sign soon, else rules end

    @classmethod
    def begin(cls, now: datetime, activity: Activity = Activity.RECONCILE) -> "Report":
        """The report of a run that begins now. Run ids sort as the runs begin, also within a
        second.
        """
        run_id = f"{now:%Y%m%dT%H%M%SZ}-{now.microsecond:05x}{uuid.uuid4().hex[0]}"
        return cls(run_id, now, activity)

    def add_plan(self, policies: PolicySet, snapshot: Snapshot, plan: Plan) -> None:
        """Add what is known before the plan is applied."""
        focus = snapshot.authority.focus
        self.focus = focus.subjects or (EVERYTHING,)
        self.approval = PlanApproval(plan.hash)
        suspended = snapshot.wanted.suspended
        ends = map(last_end, snapshot.wanted.grants.values())
        lifts = (one.until for one in (*suspended.grantees.values(), *suspended.subjects.values()))
        self.next_end = min(filter(None, (*ends, *lifts)), default=None)
        self.errors += [*policies.problems, *snapshot.wanted.rejected]
        self.warnings += [
            *snapshot.wanted.warnings,
            *warn_of_unmanaged(plan.unmanaged, suspended),
            *warn_of_leftovers(plan.leftover),
            *warn_of_ignored(policies.ignored),
        ]
        self.notices += snapshot.wanted.notices
        if any(policy.names_owner for policy in policies.policies.values()):
            self.owners = list_owners(plan.changes, policies.policies.values())
        self.unread |= {**policies.unread, **snapshot.inventory.unread}
        if focus.everything:
            self.reviews = list_due_reviews(policies.rules, snapshot.inventory)
        self.on_hold += plan.on_hold
        self.unmanaged += plan.unmanaged

    @property
    def timestamp(self) -> str:
        """When the run began."""
        return format_timestamp(self.started_at)

    def count(self, action: Action) -> int:
        """How many changes of this kind are done."""
        return sum(change.action is action for change in self.done)

    @property
    def created(self) -> int:
        """How many grants were created."""
        return self.count(Action.CREATE)

    @property
    def deleted(self) -> int:
        """How many grants were deleted."""
        return self.count(Action.DELETE)

    @property
    def updated(self) -> int:
        """How many grants stay for other reasons, or until another time."""
        return self.count(Action.UPDATE)

    @property
    def drifted(self) -> int:
        """How many of the created grants somebody else had deleted."""
        return sum(change.drift for change in self.done)

    @property
    def is_finished(self) -> bool:
        """Whether nothing is left that a later run would do."""
        return not (self.deferred or self.unread or self.cut_short)

    @property
    def has_news(self) -> bool:
        """Whether the run is worth an event and a place in the history."""
        changed = self.done or self.sessions or self.accepted or self.removed_files
        return bool(changed or self.deferred or self.unread or self.newly_rejected)

    @property
    def needs_action(self) -> bool:
        """Whether a person must act."""
        return bool(self.approval.is_pending or self.errors or self.failed or self.reviews)

    def alert_keys(self) -> list[str]:
        """What a person must act on, each as a value that is the same in every run that sees it."""
        pending = [self.approval.key] if self.approval.causes else []
        errors = [encode_problem(problem, "error") for problem in self.errors]
        failed = [[*one.change.identity(), one.code, one.message] for one in self.failed]
        ended = [[self.run_id, self.sessions.to_json()]] if self.sessions else []
        reviews = [["review", one.rule, one.end.isoformat()] for one in self.reviews]
        keys = (*pending, *errors, *failed, *ended, *reviews)
        return [json.dumps(key, ensure_ascii=False) for key in keys]

    def to_document(self, stack: str) -> Json:
        """The run as a document of docs/json.md."""
        until = self.credentials_until
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "run",
            "stack": stack,
            "run_id": self.run_id,
            "activity": str(self.activity),
            **self._encode_common(),
            "changes": [*self._encode_changes()],
            "counts": {
                "created": self.created,
                "deleted": self.deleted,
                "updated": self.updated,
                "drifted": self.drifted,
                "adopted": self.count(Action.ADOPT),
                "restored": self.count(Action.RESTORE),
                "failed": len(self.failed),
                "deferred": len(self.deferred),
                **self._count_common(),
            },
            "finished": self.is_finished,
            "sweep_completed": self.sweep_completed,
            "credentials_until": until and format_timestamp(until),
            "sessions": self.sessions and self.sessions.to_json(),
            "event_to_grant_ms": {
                subject: round(value, 1) for subject, value in self.event_to_grant.items()
            },
            "truncated": {},
        }

    def to_plan_document(self, stack: str, plan: Plan, interim: Plan | None = None) -> Json:
        """The plan as a document of docs/json.md; `interim` is applied while the plan waits for an
        approval.
        """
        return {
            "schema_version": SCHEMA_VERSION,
            "kind": "plan",
            "stack": stack,
            **self._encode_common(),
            "changes": _encode_planned(plan.changes),
            "interim_changes": None if interim is None else _encode_planned(interim.changes),
            "counts": {
                "to_create": len(plan.create),
                "to_delete": len(plan.delete),
                "to_update": len(plan.update),
                "drifted": sum(change.drift for change in plan.create),
                "ledger_updates": len(plan.ledger_updates),
                "ledger_removals": len(plan.ledger_removals),
                **self._count_common(),
            },
            "truncated": {},
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Report":
        """The run that to_document has written, as far as its lists are complete."""
        problems = [(value["severity"], decode_problem(value)) for value in document["diagnostics"]]
        report = cls(
            document["run_id"],
            parse_timestamp(document["started_at"]),
            Activity(document["activity"]),
            tuple(document["focus"]),
            PlanApproval.from_json(document["approval"]),
            on_hold=[GrantOnHold(decode_grant(one), one["why"]) for one in document["on_hold"]],
            unmanaged=list(map(decode_unmanaged, document["unmanaged"])),
            errors=[problem for severity, problem in problems if severity == "error"],
            warnings=[problem for severity, problem in problems if severity == "warning"],
            notices=[Notice(**value) for value in document.get("notices", [])],
            unread={value["what"]: value["why"] for value in document["unread"]},
            accepted={value["file"]: value["version"] for value in document["policy"]["accepted"]},
            removed_files=tuple(document["policy"]["deleted"]),
            owners=tuple(map(RuleOwner.from_json, document.get("owners", []))),
            reviews=tuple(map(DueReview.from_json, document.get("reviews", []))),
        )
        for value in document["changes"]:
            report._decode_change(value)
        if until := document.get("credentials_until"):
            report.credentials_until = parse_timestamp(until)
        if ended := document.get("sessions"):
            report.sessions = SessionsEnd.from_json(ended)
        return report

    def _encode_common(self) -> Json:
        """What a run and a plan have in common."""
        errors = [encode_problem(problem, "error") for problem in self.errors]
        warnings = [encode_problem(problem, "warning") for problem in self.warnings]
        asked = ("owners", self.owners), ("reviews", self.reviews)
        return {
            "started_at": self.timestamp,
            "focus": list(self.focus),
            "approval": self.approval.to_json(),
            "policy": {
                "accepted": [
                    {"file": file, "version": version}
                    for file, version in sorted(self.accepted.items())
                ],
                "deleted": list(self.removed_files),
            },
            "on_hold": [{**encode_grant(held.grant), "why": held.why} for held in self.on_hold],
            "unmanaged": list(map(encode_unmanaged, self.unmanaged)),
            "diagnostics": [*errors, *warnings],
            "notices": [dict(vars(notice)) for notice in self.notices],
            "unread": [{"what": what, "why": why} for what, why in self.unread.items()],
            **{name: [one.to_json() for one in ones] for name, ones in asked if ones},
        }

    def _count_common(self) -> Json:
        return {
            "on_hold": len(self.on_hold),
            "unmanaged": len(self.unmanaged),
            "errors": len(self.errors),
            "warnings": len(self.warnings),
            "notices": len(self.notices),
            "unread": len(self.unread),
        }

    def _encode_changes(self) -> Iterator[Json]:
        yield from ({**encode_change(change), "outcome": "done"} for change in self.done)
        for failed in self.failed:
            error = {"code": failed.code, "message": failed.message}
            since = {"since": failed.since} if failed.since else {}
            yield {**encode_change(failed.change), "outcome": "failed", "error": error, **since}
        for deferred in self.deferred:
            other = deferred.waits_for
            waits_for = {"waits_for": encode_grant(other)} if other else {}
            yield {
                **encode_change(deferred.change),
                "outcome": "deferred",
                "cause": deferred.cause,
                **({"since": deferred.since} if deferred.since else {}),
                **waits_for,
            }

    def _decode_change(self, value: Mapping[str, Any]) -> None:
        change = decode_change(value)
        match value["outcome"]:
            case "done":
                self.done.append(change)
            case "failed":
                self.failed.append(
                    FailedChange(
                        change,
                        value["error"]["code"],
                        value["error"]["message"],
                        value.get("since", ""),
                    )
                )
            case "deferred":
                waits_for = decode_grant(value["waits_for"]) if "waits_for" in value else None
                self.deferred.append(
                    DeferredChange(change, value["cause"], waits_for, value.get("since", ""))
                )


def _encode_planned(changes: Iterable[Change]) -> list[Json]:
    return [{**encode_change(change), "outcome": "planned"} for change in changes]


def list_conditions(document: Mapping[str, Any]) -> list[str]:
    """What is unusual about a run, the most pressing first, each in a few words."""
    counts, approval = document["counts"], document["approval"]
    found = {
        "a plan was rejected": approval.get("rejections") and not approval["approved_by"],
        "a plan requires an approval": approval["required"] and not approval["approved_by"],
        "a plan was approved": approval["approved_by"],
        "a policy file has errors": counts["errors"],
        "AWS refused a change": counts["failed"],
        "vended credentials were ended, or may be used again": document.get("sessions"),
        "rules end soon unless somebody reviews them": document.get("reviews"),
        "some work is deferred": counts["deferred"] or counts["unread"],
    }
    return [words for words, applies in found.items() if applies]


def find_credentials_end(at: datetime) -> datetime:
    """Until when credentials can live that were vended at a time or before."""
    return at.replace(microsecond=0) + MAX_VENDED_TIME


def describe_sessions(ended: SessionsEnd) -> str:
    """What somebody has done to the sessions of vended credentials, and why."""
    what = "credentials of any age may be used again"
    if ended.before:
        what = f"credentials vended before {format_timestamp(ended.before)} are refused"
    return f"{what}, by {ended.by}: {ended.because}"


def render_problems(report: Report, home: Home, stack: str) -> list[str]:
    """What a person must act on, as the lines of an alert."""
    approval: list[str] = []
    if report.approval.is_pending:
        approval += rendering.describe_approval_needed(report.approval, stack)
        approval += (f"owner: {one}" for one in report.owners)
    elif report.approval.approved_by:
        approval.append(rendering.describe_approval_given(report.approval))
    failed = [rendering.describe_failed(one, home) for one in report.failed]
    ended = [describe_sessions(report.sessions)] if report.sessions else []
    due = [one.describe(stack) for one in report.reviews]
    return [*ended, *approval, *map(str, report.errors), *failed, *due]
