"""grantor suspend, end-sessions, leftovers: take access away now, and say how far that reaches."""

import json
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from grantor.aws.cloudformation import read_outputs
from grantor.aws.services import Services
from grantor.aws.vended_sessions import POLICY_NAME, StackSessions, build_deny
from grantor.cli.changing import judge_everything, read_time, report_and_publish
from grantor.cli.output import MAX_LISTED_LINES, POLL_SECONDS, Progress, ask_caller, format_count
from grantor.cli.recovery import hold_lease
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.diagnostics import dump_json, join_words
from grantor.core.grant import Grant, Grantee, iam_grantee
from grantor.core.planning.plan import Action, Change, LeftoverGrant, Plan
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Json,
    describe_grant,
    describe_grantee,
    describe_horizon,
    describe_omitted,
    describe_reasons,
    encode_grant,
    encode_reason,
    format_timestamp,
)
from grantor.core.policy.grantee_types import find_iam_key
from grantor.core.policy.parser import parse_policy
from grantor.core.rules import Policy, ProfileName, Suspension
from grantor.reconcile.apply import apply_plan
from grantor.reconcile.policies import read_policies
from grantor.reconcile.report import Activity, Report, SessionsEnd, find_credentials_end

FOLDER = "policy/suspensions/"
UNSAFE = re.compile(r"[^A-Za-z0-9.-]")
MAX_WAIT_SECONDS = 300.0  # for the last grant of whoever is suspended
LOOK_SECONDS = 5.0  # between two looks whether the suspension waits for an approval


def run_suspend(session: Session) -> int:
    """Exits with 0, or with 1 if nobody is suspended (or, with --wait, if a grant is left)."""
    given = session.arguments
    if given.undo:
        return _lift(session)
    if not given.because:
        raise UsageError("--because TEXT is required: grantor status shows it")
    started = time.monotonic()
    suspending = _Suspending.prepare(session)
    is_new = suspending.write()
    session.output.print_lines(suspending.lines(is_new=is_new))
    seconds = suspending.wait(started) if given.wait else None
    session.output.print_json(suspending.to_json(seconds))
    return 1 if given.wait and seconds is None else 0


def name_file(who: str) -> str:
    """The policy file that suspends this profile, role or user.

    >>> name_file("Product-Domain/userB")
    'policy/suspensions/Product-Domain_userB.yaml'
    >>> name_file("arn:aws:iam::111122223333:role/studio/ana")
    'policy/suspensions/arn_aws_iam__111122223333_role_studio_ana.yaml'
    """
    return f"{FOLDER}{UNSAFE.sub('_', who)}.yaml"


def choose_key(who: str) -> str:
    """The key of a suspension that names who is meant."""
    return find_iam_key(who) if who.startswith("arn:") else "profile"


@dataclass
class _Suspending:
    """One suspension that is written, and what it takes away."""

    session: Session
    file: str
    text: str
    suspension: Suspension
    grantees: tuple[Grantee, ...]
    now: datetime
    grants: list[Grant] = field(default_factory=list)  # that go
    unmanaged: list[Grant] = field(default_factory=list)  # that stay

    @classmethod
    def prepare(cls, session: Session) -> "_Suspending":
        """Check everything before anything is written. Raises CommandError."""
        given, now = session.arguments, read_time(session.services)
        file, text = name_file(given.who), _write_text(session, now)
        policy = parse_policy(file, text.encode())
        if not isinstance(policy, Policy):
            raise UsageError("; ".join(one.sentence for one in policy))
        suspension = policy.suspensions[0]
        grantees = _find_grantees(session.services, suspension)
        found = cls(session, file, text, suspension, grantees, now)
        found.read_grants()
        return found

    def read_grants(self) -> None:
        """Read what they have: a list and a query for each grantee."""
        services = self.session.services
        ours = {
            entry.grant for one in self.grantees for entry in services.ledger.read_grantee(one)[0]
        }
        listed = services.grants.list_grants(self.grantees) if self.grantees else {}
        self.grants = [grant for grant in listed if grant in ours]
        self.unmanaged = [grant for grant in listed if grant not in ours]

    def write(self) -> bool:
        """Write the file; False if it already says this. Raises CommandError if it says something
        else.
        """
        files = self.session.services.policy_files
        if files.create_file(self.file, self.text.encode()):
            return True
        files.list_files()
        found = parse_policy(self.file, files.read_file(self.file).body)
        known = found.suspensions if isinstance(found, Policy) else ()
        same = [one for one in known if (one.who, one.until) == self._identity]
        if same and isinstance(found, Policy) and not (found.rules or found.jobs):
            return False
        raise CommandError(
            f"{self.file} exists and says something else, so nothing was written: lift it first "
            "(--undo), or edit the file"
        )

    @property
    def _identity(self) -> tuple[object, datetime | None]:
        return self.suspension.who, self.suspension.until

    @property
    def horizon(self) -> datetime:
        """Until when credentials that were vended by now can live."""
        return find_credentials_end(self.now)

    def lines(self, *, is_new: bool) -> list[str]:
        home, who = self.session.services.names.home, self.suspension.name
        roles = " and ".join(describe_grantee(one, home) for one in self.grantees)
        state = "suspended" if is_new else "already suspended"
        until = self.suspension.until
        end = f" until {format_timestamp(until)}" if until else " until the suspension is lifted"
        goes = format_count(len(self.grants), "grant")
        return [
            f"{state}: {who} ({roles}){end}, by {self.file}",
            f"the run that the file has triggered deletes {goes} without asking:",
            *(f"- {describe_grant(grant, home)}" for grant in self.grants[:MAX_LISTED_LINES]),
            *_omit(len(self.grants)),
            *(
                f"unmanaged: {describe_grant(grant, home)} stays: Grantor did not create it"
                for grant in self.unmanaged[:MAX_LISTED_LINES]
            ),
            f"horizon: {describe_horizon(self.horizon, self.session.stack)}",
        ]

    def wait(self, started: float) -> float | None:
        """Seconds from `started` until the last grant was gone; None if it is not yet, which is
        then explained.
        """
        asked = time.monotonic()
        with Progress("waiting for the last grant to go"):
            while True:
                self.read_grants()
                passed = time.monotonic() - started
                if not self.grants:
                    self.now = read_time(self.session.services)
                    self.session.output.print_line(f"gone: the last grant, after {passed:.1f} s")
                    return round(passed, 1)
                if time.monotonic() - asked > LOOK_SECONDS and (why := self._find_obstacle()):
                    break
                if passed > MAX_WAIT_SECONDS:
                    why = f"{MAX_WAIT_SECONDS:.0f} s have passed: grantor status says why"
                    break
                time.sleep(POLL_SECONDS)
        self.session.output.print_line(
            f"still there: {format_count(len(self.grants), 'grant')}; {why}"
        )
        return None

    def _find_obstacle(self) -> str:
        plans = self.session.services.run_store.list_pending_plans()
        since = format_timestamp(self.now)
        waiting = [plan.hash for plan in plans if plan.at >= since]
        if not waiting:
            return ""
        return f"a plan waits for an approval: grantor approve {waiting[0]}"

    def to_json(self, seconds: float | None) -> Json:
        one = self.suspension
        return {
            **_head(self.session, "suspension"),
            "file": self.file,
            "who": one.name,
            "because": one.because,
            "until": format_timestamp(one.until) if one.until else None,
            "grants": list(map(encode_grant, self.grants)),
            "unmanaged": list(map(encode_grant, self.unmanaged)),
            "credentials_until": format_timestamp(self.horizon),
            "seconds": seconds,
        }


def _head(session: Session, kind: str) -> Json:
    return {"schema_version": SCHEMA_VERSION, "kind": kind, "stack": session.stack}


def _omit(number: int) -> list[str]:
    more = number - MAX_LISTED_LINES
    return [describe_omitted(more)] if more > 0 else []


def _write_text(session: Session, now: datetime) -> str:
    """The policy file. A text of JSON is one of YAML."""
    given = session.arguments
    lines = [
        f"# Written by grantor suspend for {session.caller.arn} at {format_timestamp(now)}.",
        f"# To lift it: grantor suspend {given.who} --undo",
        "version: 1",
        "suspend:",
        f"  - {choose_key(given.who)}: {json.dumps(given.who, ensure_ascii=False)}",
        f"    because: {json.dumps(given.because, ensure_ascii=False)}",
        *([f"    until: {given.until}"] if given.until else []),
    ]
    return "\n".join(lines) + "\n"


def _find_grantees(services: Services, suspension: Suspension) -> tuple[Grantee, ...]:
    """Whom the grants of the suspended are for. Raises CommandError if there is no such profile."""
    who = suspension.who
    if not isinstance(who, ProfileName):
        return (iam_grantee(suspension.name),)
    domains = services.studio.list_domains()
    profile = (
        services.studio.read_profile(who.domain, domains[who.domain], who.name)
        if domains.get(who.domain)
        else None
    )
    if profile is None:
        known = ", ".join(sorted(domains)) or "none"
        raise CommandError(
            f"there is no profile {who.name} in the Studio domain {who.domain}, so nobody was "
            f"suspended (domains: {known})"
        )
    return (iam_grantee(profile.role),) if profile.role else ()


def _lift(session: Session) -> int:
    who, services = session.arguments.who, session.services
    file = name_file(who)
    if file not in services.policy_files.list_files():
        accepted = services.policy_store.read_accepted()
        policies = read_policies(services.policy_files, accepted, services.names)
        others = [one.file for one in policies.suspensions if one.name in (who, f"profile {who}")]
        where = f": {', '.join(others)} suspends it; edit that file" if others else ""
        raise CommandError(f"grantor suspend has not suspended {who}{where}")
    services.policy_files.delete_file(file)
    session.output.print_line(
        f"lifted: {file} is deleted; the next run gives back what rules give {who} now"
    )
    session.output.print_json({**_head(session, "suspension_lifted"), "file": file})
    return 0


def run_end_sessions(session: Session) -> int:
    """Exits with 0, or with 1 if the stack has no role of its own or nothing is confirmed."""
    given = session.arguments
    if not given.because:
        raise UsageError("--because TEXT is required: it appears in the history and in the alert")
    outputs = read_outputs(session.clients.cloudformation, session.stack)
    now = read_time(session.services)
    sessions = StackSessions.of_stack(session.clients.iam, outputs)
    if not sessions.roles:
        raise CommandError(
            f"stack {session.stack} uses a location that it did not make, so the location's role "
            f"is not its own: put an inline policy {POLICY_NAME} on that role yourself (aws "
            "s3control get-access-grants-location names it), and remove it after 12 hours: "
            f"{dump_json(build_deny(now))}"
        )
    if given.undo and not sessions.undo():
        has = "has" if len(sessions.roles) == 1 else "have"
        roles = join_words(sessions.roles, "and")
        raise CommandError(f"no session is refused: {roles} {has} no policy {POLICY_NAME}")
    before = None if given.undo else _end_sessions(session, sessions, now)
    report = Report.begin(now, Activity.END_SESSIONS)
    report.sessions = SessionsEnd(session.caller.arn, given.because, before)
    session.services.run_store.record_sessions_end(report.sessions.to_json())
    report_and_publish(session, report)
    if before:
        session.output.print_line(
            "IAM takes some seconds to apply it; whoever has a grant gets new credentials then. "
            f"After {format_timestamp(find_credentials_end(before))} it has no effect any more: "
            "grantor end-sessions --undo --because TEXT removes it"
        )
    session.output.print_json(report.to_document(session.stack))
    return 0


def _end_sessions(session: Session, sessions: StackSessions, now: datetime) -> datetime:
    services = session.services
    with Progress("reading grants"):
        grantees = sorted({grant.grantee for grant in services.grants.list_grants()})
    names = [describe_grantee(one, services.names.home) for one in grantees]
    number = format_count(len(names), "grantee")
    session.output.print_lines(
        [
            f"this interrupts {number} until they get new credentials:",
            *(f"  {name}" for name in names[:MAX_LISTED_LINES]),
            *_omit(len(names)),
        ]
    )
    roles = join_words(sessions.roles, "and")
    question = f"end every session of {roles} that exists now? [y/N] "
    if not (session.arguments.yes or _confirm(question)):
        raise CommandError("no session was ended")
    return sessions.end_before_now(now)


def _confirm(question: str) -> bool:
    if not sys.stdin.isatty():
        raise UsageError("stdin is not a terminal; pass --yes")
    return ask_caller(question).lower() in ("y", "yes")


def run_leftovers(session: Session) -> int:
    """Exits with 0, or with 1 if one could not be taken away."""
    if not session.arguments.revoke:
        with Progress("reading policy files, profiles and grants"):
            found = judge_everything(session.services).plan.leftover
        _show_leftovers(session, found)
        session.output.print_json(
            {**_head(session, "leftovers"), "leftovers": list(map(_encode_leftover, found))}
        )
        return 0
    with hold_lease(session) as lease:
        judged = judge_everything(session.services)
        deletes = tuple(
            Change(Action.DELETE, one.grant, one.reasons, one.grant_id, agreed=True)
            for one in judged.plan.leftover
        )
        report = Report.begin(read_time(session.services), Activity.LEFTOVERS)
        # Only these: whatever else is to be done is left to a run, which asks the guard. With a
        # cause, this does not count as a sweep.
        chosen = replace(judged, plan=Plan(delete=deletes), causes=("only leftovers",))
        ledger = session.services.ledger.joining(lease)
        apply_plan(session.services, ledger, chosen, lambda: True, report)
        report_and_publish(session, report)
    if not deletes:
        _show_leftovers(session, ())
    session.output.print_json(report.to_document(session.stack))
    return 0 if report.is_finished and not report.needs_action else 1


def _show_leftovers(session: Session, found: Sequence[LeftoverGrant]) -> None:
    home = session.services.names.home
    session.output.print_lines(
        f"{one.grant_id}  {describe_grant(one.grant, home)}, "
        f"left by {describe_reasons(one.reasons)}"
        for one in found
    )
    if found:
        session.output.print_line("grantor leftovers --revoke deletes them")
    else:
        session.output.print_line("additive files have left nothing behind")


def _encode_leftover(one: LeftoverGrant) -> Json:
    reasons = list(map(encode_reason, one.reasons))
    return {"grant_id": one.grant_id, **encode_grant(one.grant), "reasons": reasons}
