"""Mutants of what the product decides: plan, guard, approvals, what a run may revoke."""

from simulation.mutant import Mutant

PLAN = "core/planning/plan.py"
GUARD = "core/planning/guard.py"
SNAPSHOT = "core/snapshot.py"
APPROVALS = "core/planning/approvals.py"
COUNTER = "reconcile/judged_plan.py"
RUN = "reconcile/run.py"
EXTERNAL_DNS = "external-dns #3997, #3841"
SSOSYNC = "ssosync #236, #159, #194"
TEAM = "TEAM #279"

WRONG_DECISIONS = (
    # The plan
    Mutant(
        "an unlisted grant is deleted without looking whose it is",
        PLAN,
        "return found == entry.id or entry.grant in self.ours",
        "return True",
        "ssosync #105, #179",
    ),
    Mutant(
        "our tag alone makes no grant ours",
        PLAN,
        "return found == entry.id or entry.grant in self.ours",
        "return found == entry.id",
        "ldap2pg #422",
    ),
    Mutant(
        "an unmanaged grant that is wanted is created over again",
        PLAN,
        "if (found := self.actual.get(grant)) is not None:",
        "if (found := self.actual.get(grant)) is None and found:",
    ),
    Mutant(
        "an intent is forgotten at once",
        PLAN,
        "return intended and datetime.fromisoformat(entry.since) > self.authority.now"
        " - INTENT_GRACE",
        "return False",
        "ldap2pg #422",
    ),
    Mutant(
        "an end takes what another rule still gives",
        PLAN,
        "reasons = wanted | self._find_kept(grant, gone - over, found)",
        "reasons = (wanted if not over else NO_REASONS)"
        " | self._find_kept(grant, gone - over, found)",
        TEAM,
    ),
    Mutant(
        "what is on hold or was not read counts as gone",
        PLAN,
        "kept = {reason for reason in left if not self.authority.may_drop(reason)}",
        "kept: set[Reason] = set()",
        EXTERNAL_DNS,
    ),
    Mutant(
        "a delete that was begun asks again",
        PLAN,
        "agreed = entry.state is State.LEAVING or over >= entry.reasons",
        "agreed = False",
    ),
    Mutant(
        "every delete counts as agreed",
        PLAN,
        "agreed = entry.state is State.LEAVING or over >= entry.reasons",
        "agreed = True",
        "octodns #61, #785, #808",
    ),
    Mutant(
        "changed reasons are not recorded",
        PLAN,
        "elif entry.reasons != reasons:",
        "elif entry.reasons < reasons and False:",
    ),
    Mutant(
        "a confirmed id is not corrected",
        PLAN,
        "elif entry.state is not State.LIVE or entry.id != found:",
        "elif entry.state is State.LEAVING:",
        "ldap2pg #674",
    ),
    # What a run may revoke
    Mutant(
        "a focused run revokes what it did not read",
        SNAPSHOT,
        "if not self.focus.includes(reason) or reason.file not in self.files:",
        "if reason.file not in self.files:",
        SSOSYNC,
    ),
    Mutant(
        "the rules of an unread file count as removed",
        SNAPSHOT,
        "if not self.focus.includes(reason) or reason.file not in self.files:",
        "if not self.focus.includes(reason):",
        EXTERNAL_DNS,
    ),
    Mutant(
        "an additive file revokes",
        SNAPSHOT,
        "return not reason.additive or self.files[reason.file] is Mode.AUTHORITATIVE",
        "return True",
        "safe-settings #350, #317, #251, #310",
    ),
    Mutant(
        "a rule on hold revokes",
        SNAPSHOT,
        "        if self.hold_reason(reason):\n            return False\n        return not reason",
        "        return not reason",
        EXTERNAL_DNS,
    ),
    Mutant(
        "an end is never over",
        SNAPSHOT,
        "return reason.until is not None and reason.until <= self.now",
        "return False",
        "TEAM #149, #255, #419",
    ),
    Mutant(
        "the old role of a profile keeps its grants",
        SNAPSHOT,
        "return any(iam_grantee(role) != grant.grantee for role in roles) if roles else False",
        "return False",
        "finding 2: revocation fails open",
    ),
    Mutant(
        "a suspension ends nothing",
        SNAPSHOT,
        "if self.has_ended(reason) or self.find_suspension(reason, grant):",
        "if self.has_ended(reason):",
        "finding 2: revocation fails open",
    ),
    # The guard
    Mutant(
        "the guard lets one more go",
        GUARD,
        "return count > self.deletes and",
        "return count > self.deletes + 1 and",
        "octodns #61, #785, #808",
    ),
    Mutant(
        "the guard forgets earlier runs of the day",
        GUARD,
        "count, of = both.deleted + both.ending, owned + before.deleted",
        "count, of = tally.deleted + tally.ending, owned",
        "finding 5: twenty at a time",
    ),
    Mutant(
        "the guard forgets after an hour",
        SNAPSHOT,
        "first = _count_hours(now) - GUARD_WINDOW_HOURS",
        "first = _count_hours(now)",
        "finding 5: twenty at a time",
    ),
    Mutant(
        "other accounts get grants unasked",
        GUARD,
        'if account not in ("", self.context.account):',
        'if account not in ("", self.context.account, "444455556666"):',
        "finding 5: nothing guards what is given",
    ),
    Mutant(
        "a whole bucket is given unasked",
        GUARD,
        "if WHOLE_BUCKET.fullmatch(scope):",
        "if not scope:",
        "finding 5: nothing guards what is given",
    ),
    Mutant(
        "new grants are not counted over runs",
        GUARD,
        "before = self.recent.get(file, Tally()).given",
        "before = 0",
        "finding 10: 1,500 grants in a minute",
    ),
    Mutant(
        "while a plan waits, all of it is done",
        GUARD,
        "return replace(plan, create=create, delete=delete, update=update)",
        "return plan",
        "Argo CD #3465",
    ),
    Mutant(
        "losses of deleted files are no losses",
        GUARD,
        "deletes = tuple(change for change in plan.delete if not change.agreed)",
        "deletes = tuple(change for change in plan.delete if change.agreed)",
        "Argo CD #15058",
    ),
    Mutant(
        "losses are not recorded",
        COUNTER,
        "return self.window if tallies else None",
        "return None",
        "finding 5: twenty at a time",
    ),
    # Approvals
    Mutant(
        "an author may approve",
        APPROVALS,
        "counted = [decision for decision, write in written if write is None]",
        "counted = [decision for decision, write in written]",
        "finding 3: one person with both roles",
    ),
    Mutant(
        "an approval without the plan's nonce counts",
        APPROVALS,
        '(one for one in decisions if one.nonce == approval.nonce != "")',
        "(one for one in decisions)",
        "finding 3d: an approval works for every equal plan",
    ),
    Mutant(
        "a plan is never closed",
        RUN,
        "if pending and not self.report.cut_short:",
        "if False and pending:",
        "finding 3d: an approval works for every equal plan",
    ),
    Mutant(
        "a rejection counts as an approval",
        APPROVALS,
        "for one in current if one.approves]",
        "for one in current]",
    ),
    Mutant(
        "new versions are accepted without their approval",
        RUN,
        "if not report.approval.is_pending:",
        "if True:",
        "Argo CD #3465",
    ),
    Mutant(
        "nobody learns of a plan that waits",
        RUN,
        "alerts = is_alert and not services.run_store",
        "alerts = False and is_alert and not services.run_store",
        "external-dns #5703",
    ),
)
