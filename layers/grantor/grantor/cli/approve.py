"""grantor approve and reject: what people say about a plan that requires an approval."""

import secrets
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from grantor.aws.run_store import PlanAltered
from grantor.aws.services import Services
from grantor.cli.changing import read_time
from grantor.cli.output import Progress, ask_caller, format_count, format_time
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.planning.approvals import Decision, PendingPlan, PlanApproval, decode_versions
from grantor.core.planning.owners import RuleOwner
from grantor.core.planning.plan import Action, Change, hash_changes
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
    decode_change,
    describe_change,
    describe_unknown_author,
    describe_write,
    format_timestamp,
    shorten_hash,
)
from grantor.core.snapshot import EVERYTHING
from grantor.reconcile.run import judge_approval

MIN_HASH_DIGITS = 8  # of a plan's hash that `grantor approve` accepts
MAX_BECAUSE_CHARACTERS = 500  # as many as a run reads
INDEX_POLL_SECONDS = 0.2
MAX_INDEX_SECONDS = 60.0  # an index follows its table within a second as a rule


def run_approve(session: Session) -> int:
    """Exits with 0 if the plan is approved, 1 if there is no such plan, if the caller may not
    approve it, or does not confirm.
    """
    return _decide(session, approves=True)


def run_reject(session: Session) -> int:
    """Exits with 0 if the plan is rejected, 1 if there is no such plan or the caller does not
    confirm.
    """
    return _decide(session, approves=False)


@dataclass(frozen=True)
class ShownPlan:
    """A pending plan as it is shown to whoever decides about it: values that belong to its hash."""

    plan: PendingPlan
    changes: tuple[Change, ...]
    approval: PlanApproval
    brought: Mapping[str, str]  # versions of policy files that it brings into force; "": deleted
    owners: tuple[RuleOwner, ...] = ()  # whom to ask, as the run has recorded them

    @classmethod
    def read(cls, services: Services, plan: PendingPlan) -> "ShownPlan":
        """Read what a run has recorded. Raises CommandError if it does not belong to the hash."""
        now, short = read_time(services), shorten_hash(plan.hash)
        if not plan.parts:
            raise CommandError(
                f"plan {short} is too large to be kept, so nobody can see and approve it: change "
                "the policy files in several steps"
            )
        if not plan.is_current(now):
            raise CommandError(
                f"no run has computed plan {short} since {format_time(plan.at)}: wait for the next "
                "run, which asks again if it still applies"
            )
        try:
            document = services.run_store.read_plan_document(plan)
            changes = tuple(map(decode_change, document["changes"]))
            causes, brought = document["approval"]["causes"], decode_versions(document["policy"])
            owners = tuple(map(RuleOwner.from_json, document.get("owners", [])))
            is_intact = hash_changes(changes) == plan.hash
        except (PlanAltered, AttributeError, KeyError, TypeError, ValueError):
            is_intact = False
        if not is_intact:
            raise CommandError(
                f"the record of plan {short} was changed: what it holds does not have this hash, "
                "so nothing of it is shown and nothing can be approved; wait for the next run, "
                "which records its plan again, and find out who writes to the ledger's table"
            )
        asked = PlanApproval(plan.hash, tuple(causes), nonce=plan.nonce)
        return cls(plan, changes, judge_approval(services, asked, brought, now), brought, owners)

    def lines(self, home: Home) -> Iterator[str]:
        """Everything that an approval approves, deletes first; nothing is left out."""
        deletes, updates, creates = (
            [change for change in self.changes if change.action is action]
            for action in (Action.DELETE, Action.UPDATE, Action.CREATE)
        )
        yield f"plan {self.plan.hash}"
        yield from (f"approval: {cause}" for cause in self.approval.causes)
        for file, version in sorted(self.brought.items()):
            yield f"policy: {file} version {version}" if version else f"policy: {file} was deleted"
        yield from (f"author: {describe_write(write)}" for write in self.approval.authors.writes)
        yield from map(describe_unknown_author, self.approval.authors.unknown)
        yield from (f"owner: {one}" for one in self.owners)
        yield (
            f"it deletes {format_count(len(deletes), 'grant')}, updates {len(updates):,} and "
            f"creates {len(creates):,}"
        )
        yield from (describe_change(change, home) for change in (*deletes, *updates, *creates))


def _decide(session: Session, *, approves: bool) -> int:
    services, because = session.services, check_because(session.arguments.because)
    shown = ShownPlan.read(services, find_pending_plan(services, session.arguments.hash))
    session.output.print_lines(shown.lines(services.names.home))
    caller, word = session.caller, "approve" if approves else "reject"
    despite = _check_approver(session, shown.approval) if approves else frozenset()
    if not (session.arguments.yes or _confirm(f"{word} this plan as {caller.arn}? [y/N] ")):
        raise CommandError(f"nothing was {word.removesuffix('e')}ed")
    decision = Decision(
        caller.user_id,
        shown.plan.nonce,
        approves,
        because,
        caller.arn,
        secrets.token_hex(16),
        despite,
    )
    now = read_time(services)
    services.run_store.record_decision(shown.plan.hash, decision, now)
    _wait_until_listed(services, shown.plan, decision)
    services.queue.enqueue_now([EVERYTHING])
    result = (
        "approved: plan {} by {}; a trigger is enqueued, and the run that applies the plan uses "
        "the approval up"
        if approves
        else "rejected: plan {} by {}; nobody is asked about it again as long as it stays the same"
    )
    session.output.print_line(result.format(shown.plan.hash, caller.arn))
    session.output.print_json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "approval",
            "hash": shown.plan.hash,
            "decision": word,
            "approved_by": caller.arn if approves else None,
            "approved_at": format_timestamp(now) if approves else None,
            "user_id": caller.user_id,
            "because": because,
        }
    )
    return 0


def check_because(because: str) -> str:
    """The reason in one line. Raises UsageError without one, or if it is too long."""
    text = " ".join(because.split())
    if not text:
        raise UsageError("--because needs a reason, which the history and the alert repeat")
    if len(text) > MAX_BECAUSE_CHARACTERS:
        raise UsageError(
            f"--because takes {MAX_BECAUSE_CHARACTERS} characters; this has {len(text)}"
        )
    return text


def _check_approver(session: Session, approval: PlanApproval) -> frozenset[str]:
    """The ids of the rejections that the caller's approval overrides. Raises CommandError if the
    caller is an author of what the plan brings into force, or does not say so.
    """
    if write := approval.authors.find_by(session.caller.user_id):
        raise CommandError(
            f"you may not approve this plan: {describe_write(write)}, which it brings into force; "
            "another person must approve it"
        )
    rejections = approval.rejections
    if rejections and not session.arguments.despite_rejection:
        said = "; ".join(f"{one.who} has rejected it, because: {one.because}" for one in rejections)
        raise CommandError(f"{said}: to approve it in spite of that, pass --despite-rejection")
    return frozenset(one.id for one in rejections)


def _wait_until_listed(services: Services, plan: PendingPlan, decision: Decision) -> None:
    """Wait until a run finds the decision: it looks into an index, which follows the table."""
    until = time.monotonic() + MAX_INDEX_SECONDS
    with Progress("waiting until runs find it"):
        while not services.run_store.is_decision_listed(plan.hash, decision.user):
            if time.monotonic() > until:
                raise CommandError(
                    f"it is recorded, but after {MAX_INDEX_SECONDS:.0f} seconds runs do not find "
                    "it yet: the next scheduled run will"
                )
            time.sleep(INDEX_POLL_SECONDS)


def find_pending_plan(services: Services, given: str) -> PendingPlan:
    """The waiting plan with this hash, or whose hash begins so. Raises CommandError unless there is
    exactly one.
    """
    if len(given) < MIN_HASH_DIGITS:
        raise UsageError(f"the hash of a plan needs at least {MIN_HASH_DIGITS} of its digits")
    plans = services.run_store.list_pending_plans()
    found = [plan for plan in plans if plan.hash.startswith(given)]
    if len(found) == 1:
        return found[0]
    if found:
        raise CommandError(
            f"several plans have a hash that begins with {given}: {_list_plans(found)}"
        )
    known = _list_plans(plans)
    known = f"plans that require an approval: {known}" if known else "no plan requires an approval"
    raise CommandError(f"no plan that requires an approval has the hash {given}: {known}")


def _list_plans(plans: list[PendingPlan] | tuple[PendingPlan, ...]) -> str:
    return ", ".join(map(_describe_plan, plans))


def _describe_plan(plan: PendingPlan) -> str:
    changes = format_count(plan.count_changes(), "change")
    return f"{shorten_hash(plan.hash)} ({changes}, {format_time(plan.at)})"


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("stdin is not a terminal; pass --yes")
    return ask_caller(question).lower() in ("y", "yes")


def encode_pending_plan(plan: PendingPlan, approval: PlanApproval) -> Json:
    """A plan that waits for an approval, and what people said about it."""
    encoded = approval.to_json()
    return {
        "hash": plan.hash,
        "planned_at": plan.at,
        "causes": list(plan.causes),
        "counts": dict(plan.counts),
        "approved_by": encoded["approved_by"],
        "approved_at": encoded["approved_at"],
        "approval": encoded,
    }
