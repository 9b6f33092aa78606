"""grantor history: the runs of the last ninety days, one of them in full, and what they tell about
now: what repeats, what is not settled yet and since when, which access outlives its rule.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby, islice
from typing import Any

from grantor.aws.run_store import RunRecord
from grantor.aws.services import Services
from grantor.cli.changing import describe_run, read_sessions_end, render_report
from grantor.cli.output import MAX_LISTED_LINES, format_time
from grantor.cli.session import CommandError, Session
from grantor.core.grant import Grant, LedgerEntry, State
from grantor.core.planning.rendering import (
    SCHEMA_VERSION,
    Home,
    Json,
    decode_grant,
    describe_grant,
    describe_horizon,
    describe_omitted,
    encode_grant,
    format_timestamp,
)
from grantor.core.rules import Suspension
from grantor.reconcile.policies import PolicySet
from grantor.reconcile.report import (
    Report,
    SessionsEnd,
    describe_sessions,
    find_credentials_end,
)

MAX_SEARCHED_RUNS = 2_000  # in which status looks for what is not settled; some 20 calls at most


def run_history(session: Session) -> int:
    """Exits with 0, or with 1 if no run has the given id."""
    wanted = session.arguments.run
    return _show_run(session, wanted) if wanted else _list_runs(session)


def _list_runs(session: Session) -> int:
    store, limit = session.services.run_store, session.arguments.limit
    groups = list(islice(group_repeats(store.iterate_runs()), limit))
    session.output.print_lines(group.describe() for group in groups)
    if not groups:
        session.output.print_line("no run of the last 90 days has changed or reported anything")
    newest = islice((run for group in groups for run in group.runs), limit)
    session.output.print_json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "runs",
            "runs": [dict(run.document) for run in newest],
            "groups": [group.to_json() for group in groups],
        }
    )
    return 0


@dataclass(frozen=True)
class RunGroup:
    """Runs in a row that say the same and change nothing, the newest first."""

    runs: tuple[RunRecord, ...]

    def describe(self) -> str:
        """The newest run in a line, and how often it has repeated since when."""
        line, times = describe_run(self.runs[0]), len(self.runs)
        if times == 1:
            return line
        return f"{line}; {times:,} times since {format_time(self.runs[-1].at)}"

    def to_json(self) -> Json:
        last, first = self.runs[0], self.runs[-1]
        times = {"first_started_at": first.at, "last_started_at": last.at}
        return {"run_id": last.id, "times": len(self.runs), **times}


def group_repeats(runs: Iterable[RunRecord]) -> Iterator[RunGroup]:
    """The runs in their order, each with those in a row that say the same."""
    return (RunGroup(tuple(group)) for _, group in groupby(runs, _find_substance))


def _find_substance(run: RunRecord) -> Any:
    """What a run says, without its times and focus; a run that did something is like no other."""
    document = run.document
    policy, said = document["policy"], ("approval", "on_hold", "unread", "diagnostics")
    changes = document["changes"]
    done = any(change["outcome"] == "done" for change in changes)
    if done or policy["accepted"] or policy["deleted"] or document.get("sessions"):
        return run.id
    return [document["activity"], changes, *(document[name] for name in said)]


def _show_run(session: Session, wanted: str) -> int:
    names, runs = session.services.names, session.services.run_store.iterate_runs()
    run = next((run for run in runs if run.id == wanted), None)
    if run is None:
        raise CommandError(
            f"the history has no run {wanted}: grantor history lists the runs of the last 90 days "
            "that changed or reported anything"
        )
    truncated: dict[str, Any] = run.document["truncated"]
    session.output.print_line(describe_run(run))
    session.output.print_lines(
        render_report(
            Report.from_document(run.document), names.home, names.stack_name, MAX_LISTED_LINES
        )
    )
    session.output.print_lines(
        f"… and {number:,} more of {name}" for name, number in truncated.items()
    )
    session.output.print_json(dict(run.document))
    return 0


@dataclass(frozen=True)
class Unsettled:
    """A grant that runs have tried to create or delete and could not: how that went the last time
    (deferred, failed, or begun if no run has said), why, and since when.
    """

    grant: Grant
    action: str
    outcome: str
    why: str
    since: str  # timestamp
    times: int = 0  # runs that have reported it

    def describe(self, home: Home) -> str:
        """The grant, what is wrong with it, and since when."""
        sign = {"create": "+", "delete": "-"}[self.action]
        times = f" ({self.times:,} times)" if self.times > 1 else ""
        since = f"since {format_time(self.since)}{times}"
        return f"{sign} {describe_grant(self.grant, home)}, {since}: {self.why}"

    def to_json(self) -> Json:
        return {
            **encode_grant(self.grant),
            "action": self.action,
            "outcome": self.outcome,
            "why": self.why,
            "since": self.since,
            "times": self.times,
        }


def find_unsettled(
    entries: Iterable[LedgerEntry], runs: Iterable[RunRecord]
) -> tuple[Unsettled, ...]:
    """What the ledger says is not settled, with what the runs say about it, the newest first."""
    waiting = {entry.grant: entry for entry in entries if entry.state is not State.LIVE}
    found: dict[Grant, Unsettled] = {}
    open_grants = set(waiting)
    for run in islice(runs, MAX_SEARCHED_RUNS) if waiting else ():
        for change in run.document["changes"]:
            grant = decode_grant(change)
            if grant not in open_grants:
                continue
            if change["outcome"] == "done":
                open_grants.remove(grant)  # what is not settled began later
                continue
            known = found.get(grant) or _read_unsettled(grant, change)
            found[grant] = replace(known, since=run.at, times=known.times + 1)
        if not open_grants:
            break
    return tuple(
        _complete_unsettled(waiting[grant], found.get(grant))
        for grant in sorted(waiting, key=Grant.sort_key)
    )


def _read_unsettled(grant: Grant, change: Json) -> Unsettled:
    why = change.get("cause", "")
    if error := change.get("error"):
        why = f"{error['code']}: {error['message']}"
    return Unsettled(grant, change["action"], change["outcome"], why, "")


def _complete_unsettled(entry: LedgerEntry, found: Unsettled | None) -> Unsettled:
    """What the runs say, with what the ledger knows."""
    if found is None:
        action = "create" if entry.state is State.INTENDED else "delete"
        why = entry.refusal or "a run began it and has not said how it ended"
        found = Unsettled(entry.grant, action, "begun", why, entry.since)
    return replace(found, since=entry.tried or found.since)


def find_last_change(services: Services) -> RunRecord | None:
    """The last run that has changed grants."""
    runs = services.run_store.iterate_runs()
    return next(
        (
            run
            for run in runs
            if any(run.document["counts"].get(name) for name in ("created", "deleted", "updated"))
        ),
        None,
    )


def find_last_horizon(services: Services, now: datetime) -> datetime | None:
    """Until when credentials of grants can live that recent runs have deleted."""
    for run in services.run_store.iterate_runs():
        if find_credentials_end(datetime.fromisoformat(run.at)) + timedelta(hours=1) < now:
            break  # a run takes minutes
        if until := run.document.get("credentials_until"):
            found = datetime.fromisoformat(until)
            return found if found > now else None
    return None


@dataclass(frozen=True)
class AccessState:
    """Access that no rule gives, and access that was taken away."""

    home: Home
    suspensions: tuple[Suspension, ...]
    unmanaged: list[Grant]
    leftover: list[LedgerEntry]  # that only additive files keep, whose rules are gone
    credentials_until: datetime | None  # those of grants that the last runs have deleted
    ended: SessionsEnd | None  # that is in force

    @classmethod
    def read(
        cls, session: Session, entries: Iterable[LedgerEntry], policies: PolicySet, now: datetime
    ) -> "AccessState":
        """Costs a call per 1,000 grants, and some more."""
        services, ours = session.services, list(entries)
        listed = services.grants.list_grants(known={entry.id for entry in ours})
        known, rules = {entry.grant for entry in ours}, {rule.id for rule in policies.rules}
        ended = read_sessions_end(session)
        until = find_last_horizon(services, now)
        if until and ended and ended.before and find_credentials_end(ended.before) >= until:
            until = None
        return cls(
            services.names.home,
            tuple(one for one in policies.suspensions if not one.until or one.until > now),
            sorted(listed.keys() - known, key=Grant.sort_key),
            [
                entry
                for entry in ours
                if all(one.additive and one.rule not in rules for one in entry.reasons)
                and policies.unread.keys().isdisjoint(one.file for one in entry.reasons)
            ],
            until,
            ended,
        )

    def lines(self, stack: str, now: datetime) -> Iterator[tuple[str, str]]:
        """Lines, each with its label."""
        for one in self.suspensions:
            until = f", until {format_timestamp(one.until)}" if one.until else ""
            yield "suspended", f"{one.name}{until}, by {one.file}: {one.because}"
        if self.credentials_until:
            yield "horizon", describe_horizon(self.credentials_until, stack)
        if self.ended and self.ended.before:
            useless = find_credentials_end(self.ended.before)
            effect = f"needed until {format_timestamp(useless)}"
            if useless <= now:
                effect = "not needed any more: grantor end-sessions --undo --because TEXT"
            yield "sessions", f"{describe_sessions(self.ended)}; {effect}"
        grants = [entry.grant for entry in self.leftover]
        for label, found in (("leftover", grants), ("unmanaged", self.unmanaged)):
            shown = found[:MAX_LISTED_LINES]
            yield from ((label, describe_grant(grant, self.home)) for grant in shown)
            if len(found) > len(shown):
                yield label, describe_omitted(len(found) - len(shown))

    def to_json(self) -> Json:
        until = self.credentials_until
        return {
            "suspensions": [
                {
                    "file": one.file,
                    "who": one.name,
                    "because": one.because,
                    "until": format_timestamp(one.until) if one.until else None,
                }
                for one in self.suspensions
            ],
            "credentials_until": format_timestamp(until) if until else None,
            "sessions": self.ended.to_json() if self.ended else None,
            "leftover": [encode_grant(entry.grant) for entry in self.leftover],
            "unmanaged": list(map(encode_grant, self.unmanaged)),
        }
