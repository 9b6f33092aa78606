"""grantor report: who has access to what, as pages for a review."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from grantor.cli.output import Progress, format_count
from grantor.cli.session import CommandError, Session
from grantor.cli.sources import explain_unreadable, read_saved, read_state
from grantor.core.access.saved_inventory import InventoryUnreadable
from grantor.core.planning.rendering import SCHEMA_VERSION, format_timestamp
from grantor.core.review.access_review import AccessReview, build_review
from grantor.core.review.review_page import name_page, render_pages

MAX_HISTORY_TIME = timedelta(days=400)  # before now, for what has ended since the last review


def run_report(session: Session) -> int:
    """Exits with 0."""
    review = read_review(session)
    folder = Path(session.arguments.html)
    pages = dict(render_pages(review))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            (folder / name).write_text(page, encoding="utf-8", newline="\n")
    except OSError as error:
        raise CommandError(f"{folder} cannot be written: {error.strerror}") from error
    session.output.print_line(f"{folder / 'index.html'}: {format_count(len(pages), 'page')}")
    session.output.print_json(
        {
            "schema_version": SCHEMA_VERSION,
            "kind": "report",
            "as_of": format_timestamp(review.now),
            "digest": review.digest,
            "pages": list(pages),
            "owners": [
                {
                    "owner": owner,
                    "page": name_page(owner),
                    "digest": review.select(owner).digest,
                }
                for owner in review.owners
            ],
        }
    )
    return 0


def read_review(session: Session) -> AccessReview:
    """Read what there is to review: of the stack, or of a saved inventory."""
    path = getattr(session.arguments, "profiles", None)
    return _read_saved_review(path) if path else _read_live_review(session)


def _read_saved_review(path: str) -> AccessReview:
    saved = read_saved(path)
    try:
        return build_review(saved.to_snapshot(), saved.stack, None)
    except InventoryUnreadable as error:
        raise explain_unreadable(error) from error


def _read_live_review(session: Session) -> AccessReview:
    """Read what there is to review in the stack, with all reviews and what has ended since."""
    from grantor.core.access.grant_history import settle_events

    services, state = session.services, read_state(session)
    now = datetime.fromtimestamp(services.clock(), UTC)
    with Progress("reading reviews and history"):
        signed = services.review_store.read_signed()
        since = min((one.at for one in signed), default=now - timedelta(days=90))
        events = services.history.read_events(max(since, now - MAX_HISTORY_TIME))
    return build_review(state, services.names.stack_name, signed, settle_events(events))
