"""grantor adopt: grants that somebody else made become ours, as they are."""

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

from grantor.adoption import Adoption, foreign
from grantor.aws.lease import Lease
from grantor.cli import waiting
from grantor.cli.call import Call
from grantor.cli.outlook import everything
from grantor.cli.show import Progress
from grantor.cli.telling import told
from grantor.cli.trouble import Misused, Trouble
from grantor.core.plan import Change
from grantor.holding import Busy, alone
from grantor.reconcile import Judged
from grantor.report import Report


def run(call: Call) -> int:
    """0; 1 if one of the grants could not be adopted."""
    asked = call.asked
    if not (asked.ids or asked.all_wanted or asked.scope or asked.grantee or asked.permission):
        return _list(call)
    if asked.unwanted and not asked.ids:
        raise Misused("--unwanted wants the ids of the grants: grantor adopt lists them")
    with undisturbed(call) as lease:
        found = everything(call.world)
        report = _adopted(call, lease, found, _chosen(found, asked))
    call.show.value(report.summary())
    return 0 if report.finished and not report.needs_a_person else 1


@contextmanager
def undisturbed(call: Call) -> Iterator[Lease]:
    """The lease, once the run that is going on is over. Trouble if another has been faster."""
    waiting.until_free(call.world)
    try:
        with alone(call.world, f"grantor {call.asked.verb} by {call.caller.arn}") as lease:
            yield lease
    except Busy as busy:
        raise Trouble(f"{busy}, which has begun just now: say it again") from busy


def _list(call: Call) -> int:
    """What could be adopted, each grant with its id; nothing is changed."""
    with Progress("reading policy files, profiles and grants"):
        found = foreign(everything(call.world))
    call.show.lines(f"{change.id}  {change.grant}, {_because(change)}" for change in found)
    if not found:
        call.show.line("every grant is ours")
    call.show.value([{"id": one.id, "grant": str(one.grant), "because": list(map(str, one.reasons))} for one in found])
    return 0


def _because(change: Change) -> str:
    return f"wanted because {' and '.join(map(str, change.reasons))}" if change.reasons else "wanted by no rule"


def _chosen(found: Judged, asked: Namespace) -> list[Change]:
    """Those that are asked for. Trouble if one of them can not be adopted, or should not be without another word."""
    if found.policies.new:
        raise Trouble(
            "there are policy files that no run has accepted yet, so who wants what may change: grantor apply comes first"
        )
    there = foreign(found)
    _know([change.id for change in there], asked.ids)
    chosen = [change for change in there if _fits(change, asked)]
    if unwanted := [change for change in chosen if not change.reasons]:
        _agree(unwanted, asked)
    if not chosen:
        raise Trouble("no foreign grant is so, and wanted by a rule: grantor adopt lists those that there are")
    return chosen


def _know(there: Sequence[str], ids: Sequence[str]) -> None:
    if strangers := [one for one in ids if one not in there]:
        raise Trouble(
            f"no foreign grant has the id {strangers[0]}: it is ours, or gone; grantor adopt lists those that there are"
        )


def _fits(change: Change, asked: Namespace) -> bool:
    grant = change.grant
    by_id = change.id in asked.ids if asked.ids else bool(change.reasons)
    by_grantee = asked.grantee in (None, str(grant.grantee), grant.grantee.identifier)
    return by_id and by_grantee and asked.scope in (None, grant.scope) and asked.permission in (None, str(grant.permission))


def _agree(unwanted: Sequence[Change], asked: Namespace) -> None:
    grants = "; ".join(str(change.grant) for change in unwanted)
    if not asked.unwanted:
        raise Trouble(f"no rule wants {grants}: write one, or say --unwanted --yes to have it taken away by the next run")
    if not asked.yes:
        raise Trouble(f"no rule wants {grants}: once it is ours, the next run takes it away; if that is meant, say --yes, too")


def _adopted(call: Call, lease: Lease, found: Judged, chosen: Sequence[Change]) -> Report:
    world = call.world
    report = Report.of_run(datetime.fromtimestamp(world.clock(), UTC))
    report.focus = "adoption"
    Adoption(world.grants, world.ledger.under(lease), found.policies.versions, report).all(chosen)
    told(call, report)
    return report
