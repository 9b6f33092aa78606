"""grantor review: sign what somebody has reviewed, and list what nobody has."""

from collections.abc import Iterator
from datetime import UTC, datetime

from grantor.cli.approve import check_because
from grantor.cli.output import format_count
from grantor.cli.report import read_review
from grantor.cli.session import CommandError, Session, UsageError
from grantor.core.access.grant_history import EventKind, GrantEvent
from grantor.core.planning.rendering import SCHEMA_VERSION, Json, format_timestamp
from grantor.core.planning.reviews import SignedReview
from grantor.core.review.access_review import NO_OWNER, AccessReview, ReviewedRule
from grantor.core.snapshot import EVERYTHING
from grantor.reconcile.record_history import HistoryRecorder

UNREVIEWED = 3  # exit code of list if there are rules that nobody has reviewed for so long


def run_review(session: Session) -> int:
    """Exits with 0, or with 3 if list finds rules that nobody has reviewed for so long."""
    return _sign_review(session) if session.arguments.action == "sign" else _list_rules(session)


def _sign_review(session: Session) -> int:
    given, services = session.arguments, session.services
    if not given.seen:
        raise UsageError(
            "--seen needs the digest of what you have reviewed: the page of grantor report shows "
            "the whole command, and grantor review list the digests"
        )
    because = check_because(given.because or "")
    review = _choose_review(session, read_review(session))
    if review.digest != given.seen:
        raise CommandError(
            f"what you have reviewed ({given.seen}) is not what is so now ({review.digest}): make "
            "the report again, and look at what has changed"
        )
    caller, now = session.caller, datetime.fromtimestamp(services.clock(), UTC)
    signed = SignedReview(
        now, caller.user_id, tuple(review.rules), review.about, caller.arn, because, review.digest
    )
    services.review_store.record_signed(signed)
    _record_event(session, signed)
    services.queue.enqueue_now([EVERYTHING])
    count = format_count(len(review.rules), "rule")
    session.output.print_line(
        f"signed: {count} of {review.about}, {review.digest}, by {caller.arn}"
    )
    session.output.print_json(_encode_signed(signed))
    return 0


def _choose_review(session: Session, review: AccessReview) -> AccessReview:
    """What the arguments name: rules, those of an owner, or everything."""
    given = session.arguments
    if given.owner and given.rules:
        raise UsageError("--owner and RULE exclude each other: name one of them")
    if given.rules:
        if unknown := [one for one in given.rules if one not in review.rules]:
            raise CommandError(
                f"there is no rule {unknown[0]}: write FILE#NAME, as in policy/team.yaml#own-folder"
            )
        return review.select_rules(given.rules)
    if given.owner:
        if given.owner not in review.owners:
            raise CommandError(
                f"no rule has the owner {given.owner}; the owners are {', '.join(review.owners)}"
            )
        return review.select(given.owner)
    return review


def _record_event(session: Session, signed: SignedReview) -> None:
    """Record the review in the history, which outlives the table."""
    services, run = session.services, f"review-{signed.at:%Y%m%dT%H%M%SZ}"
    history = HistoryRecorder(services.history, services.clock, run)
    event = GrantEvent(
        EventKind.SIGNED,
        signed.at,
        why=signed.because,
        who=signed.by,
        run=run,
        file=signed.about,
        version=signed.seen,
    )
    history.waiting.append(event)
    history.record()
    history.raise_failure()


def _list_rules(session: Session) -> int:
    given = session.arguments
    review = _choose_review(session, read_review(session))
    late = review.list_unreviewed(given.days)
    session.output.print_lines(_describe_list(review, late, given.days))
    session.output.print_json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "reviews",
            "as_of": format_timestamp(review.now),
            "days": given.days,
            "digests": {owner: review.select(owner).digest for owner in review.owners},
            "rules": [_encode_rule(one, one in late) for one in review.rules.values()],
        }
    )
    return UNREVIEWED if late else 0


def _describe_list(review: AccessReview, late: list[ReviewedRule], days: int) -> Iterator[str]:
    if not late:
        yield f"somebody has reviewed each rule in the last {days} days"
    for one in late:
        said = f"{one.signed.at:%Y-%m-%d} by {one.signed.by}" if one.signed else "never"
        end = f"; it ends at {one.end:%Y-%m-%d %H:%M}Z" if one.end else ""
        yield f"{one.id}: reviewed {said}{end}"
    for owner in review.owners:
        name = "nobody (--owner -)" if owner == NO_OWNER else owner
        yield f"owner: {name}, digest {review.select(owner).digest}"
    yield f"all of it: digest {review.digest}"


def _encode_signed(signed: SignedReview) -> Json:
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": "review",
        "about": signed.about,
        "rules": list(signed.rules),
        "digest": signed.seen,
        "signed_by": signed.by,
        "signed_at": format_timestamp(signed.at),
        "user_id": signed.user,
        "because": signed.because,
    }


def _encode_rule(one: ReviewedRule, is_late: bool) -> Json:
    signed = one.signed
    return {
        "rule": one.id,
        "owner": one.source.owner or None,
        "signed_by": signed.by if signed else None,
        "signed_at": format_timestamp(signed.at) if signed else None,
        "because": signed.because if signed else None,
        "ends_at": format_timestamp(one.end) if one.end else None,
        "overdue": is_late,
    }
