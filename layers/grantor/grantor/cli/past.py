"""Where a question about the past is answered from: the history of grants in S3."""

from datetime import UTC, datetime, timedelta

from grantor.aws.history_store import HistoryStore, NoHistory
from grantor.cli.output import Progress
from grantor.cli.session import CommandError, Session
from grantor.core.access.access_index import Principal
from grantor.core.access.answers import AccessSnapshot
from grantor.core.access.explain import AccessEvidence
from grantor.core.access.grant_history import GrantEvent, settle_events
from grantor.core.access.past_access import PastAccess
from grantor.core.grant import Permission
from grantor.core.planning.rendering import format_timestamp

SEARCHED_TIME = timedelta(days=90)  # before a refusal, for what took the access away


def read_past(session: Session, time: datetime) -> AccessSnapshot:
    """Read what was held at a time. It has no rules: `evidence` is empty.

    Raises CommandError if the history does not reach back to it, or if the time is to come.
    """
    past = PastAccess(time, _read_state(session, time))
    snapshot = past.build_snapshot()
    return AccessSnapshot(snapshot, AccessEvidence((), snapshot.inventory), past.find_sources())


def find_near_events(
    session: Session, time: datetime, principal: Principal, permission: Permission, target: str
) -> tuple[GrantEvent, ...]:
    """Find what happened to grants that would have made the answer a yes: what was taken away in
    the 90 days before, the newest first, and what was given soon after.
    """
    store = session.services.history
    with Progress("reading the history"):
        before = store.read_events(time - SEARCHED_TIME, time)
        events = settle_events([*before, *_read_state(session, time)])
    return PastAccess(time, events).list_near(principal, permission, target)


def _read_state(session: Session, time: datetime) -> tuple[GrantEvent, ...]:
    now = datetime.fromtimestamp(session.services.clock(), UTC)
    if time > now:
        raise CommandError(
            f"{format_timestamp(time)} is to come: the history says what was; leave --as-of out "
            "for now"
        )
    store: HistoryStore = session.services.history
    try:
        with Progress("reading the history"):
            return store.read_state(time)
    except NoHistory as error:
        raise CommandError(str(error)) from error
